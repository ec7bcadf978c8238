"""Reviewing by machine: the services of the review page, with their promises, and as blind as it."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Assignment, Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.registry.models import ModelVersion
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.models import Draft, Review
from tests.api.conftest import FAR_ID, Program, move_ids_far_away, problem_in
from tests.factories import answers, make_campaign, review_all
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

ProgramFor = Callable[[User | None], Program]

GOOD: dict[str, Any] = {
    "scores": {"accuracy": 4, "clarity": 5, "tone": 2, "personalization": "na", "material-factual-error": 0},
    "tags": {"tone": ["too-formal"]},
    "comment": "Reads well.",
    "correction": None,
    "texts": {},
    "spans": {},
}


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    return make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=2)


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def program(reviewer: User, program_for: ProgramFor) -> Program:
    return program_for(reviewer)


def next_task(program: Program, campaign: Campaign) -> dict[str, Any]:
    answer = program.post(f"reviews/campaigns/{campaign.key}/next/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def address_of(task: dict[str, Any]) -> str:
    return f"reviews/{task['task']['assignment']}/{task['task']['slot']}/"


def submission(**changes: Any) -> dict[str, Any]:
    return {"client_id": str(uuid4()), "answers": GOOD, "seconds_active": 12.5, **changes}


def test_a_review_is_stored_exactly_once_however_often_it_is_sent(
    program: Program, campaign: Campaign, reviewer: User
) -> None:
    address = address_of(next_task(program, campaign))
    body = submission()
    first = program.post(address, body)
    again = [program.post(address, body) for _ in range(3)]
    assert (first.status_code, first.json()["is_replay"]) == (201, False)
    assert [(each.status_code, each.json()["is_replay"]) for each in again] == [(200, True)] * 3
    assert {each.json()["submitted_at"] for each in (first, *again)} == {first.json()["submitted_at"]}
    review = Review.objects.get()
    assert (review.reviewer, str(review.client_id)) == (reviewer, body["client_id"])
    assert (review.seconds_active, review.comment) == (12.5, "Reads well.")
    assert first.json()["answers"] == GOOD
    assert program.get(address).json()["answers"] == GOOD
    assert AuditEvent.objects.filter(action="review.submitted").count() == 1


def test_other_answers_for_the_same_output_are_409(program: Program, campaign: Campaign) -> None:
    address = address_of(next_task(program, campaign))
    assert program.post(address, submission()).status_code == 201
    other = {**GOOD, "comment": "Something else."}
    problem = problem_in(program.post(address, submission(answers=other)), 409)
    assert problem["code"] == "already_submitted"
    assert Review.objects.get().comment == "Reads well."


def test_a_assignment_that_went_to_somebody_else_is_409_and_the_text_is_kept(
    program: Program, campaign: Campaign, reviewer: User, other_reviewer: User
) -> None:
    address = address_of(next_task(program, campaign))
    Assignment.objects.filter(reviewer=reviewer).update(reviewer=other_reviewer, last_reviewer=reviewer)
    problem = problem_in(program.post(address, submission()), 409)
    assert problem["code"] == "lease_lost"
    assert not Review.objects.exists()
    assert Draft.objects.get().body["comment"] == "Reads well."
    assert problem_in(program.get(address), 409)["code"] == "lease_lost"
    draft = program.put(f"{address}draft/", {"answers": GOOD})
    assert problem_in(draft, 409)["code"] == "not_claimed"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"scores": {**GOOD["scores"], "tone": 6}}, "scores.tone"),
        ({"scores": {**GOOD["scores"], "tone": "2"}}, "scores.tone"),
        ({"scores": {**GOOD["scores"], "tone": True}}, "scores.tone"),
        ({"scores": {**GOOD["scores"], "tone": 2.5}}, "scores.tone"),
        ({"scores": {**GOOD["scores"], "tone": [2]}}, "scores.tone"),
        ({"scores": {**GOOD["scores"], "wit": 3}}, "scores.wit"),
        ({"scores": {"tone": 3}}, "scores.accuracy"),
        ({"scores": [3]}, "scores"),
        ({"tags": {"tone": ["rude"]}}, "tags.tone"),
        ({"tags": {"tone": "too-formal"}}, "tags"),
        ({"comment": 3}, "comment"),
        ({"comment": "x" * 20_001}, "comment"),
        ({"correction": "  "}, "correction"),
        ({"reviewer": 1}, "answers.reviewer"),
    ],
)
def test_answers_that_the_rubric_does_not_allow_are_told_by_field(
    change: dict[str, Any], field: str, program: Program, campaign: Campaign
) -> None:
    address = address_of(next_task(program, campaign))
    problem = problem_in(program.post(address, submission(answers={**GOOD, **change})), 400)
    assert field in problem["fields"]
    assert not Review.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"client_id": "mine"}, "client_id"),
        ({"client_id": 7}, "client_id"),
        ({"seconds_active": -1}, "seconds_active"),
        ({"seconds_active": "12"}, "seconds_active"),
        ({"is_simulated": True}, "is_simulated"),
        ({"reviewer": 1}, "reviewer"),
        ({"answers": None}, "answers"),
    ],
)
def test_what_is_around_the_answers_is_checked_too(
    change: dict[str, Any], field: str, program: Program, campaign: Campaign
) -> None:
    address = address_of(next_task(program, campaign))
    assert field in problem_in(program.post(address, submission(**change)), 400)["fields"]
    assert not Review.objects.exists()


def test_an_amendment_names_the_revision_it_changes(program: Program, campaign: Campaign) -> None:
    address = address_of(next_task(program, campaign))
    program.post(address, submission())
    better = {**GOOD, "comment": "Better."}
    amended = program.put(address, {"answers": better, "revision": 1})
    assert (amended.status_code, amended.json()["revision"]) == (200, 2)
    assert amended.json()["answers"] == better
    stale = program.put(address, {"answers": {**GOOD, "comment": "Late."}, "revision": 1})
    assert problem_in(stale, 412)["code"] == "stale"
    assert Review.objects.get().comment == "Better."
    close_campaign(campaign=campaign, by=None)
    closed = program.put(address, {"answers": GOOD, "revision": 2})
    assert problem_in(closed, 409)["code"] == "campaign_closed"


def test_after_the_end_a_program_is_told_that_the_campaign_is_closed(
    program: Program, campaign: Campaign
) -> None:
    address = address_of(next_task(program, campaign))
    close_campaign(campaign=campaign, by=None)
    draft = program.put(address + "draft/", {"answers": GOOD, "seconds_active": 1, "revision": 0})
    for answer in (draft, program.get(address)):
        problem = problem_in(answer, 409)
        assert problem["code"] == "campaign_closed"
        assert problem["message"].startswith("This campaign was closed on ")
        assert problem["message"].endswith("Your text is kept.")
    assert Draft.objects.get().body["comment"] == GOOD["comment"]


def test_two_programs_do_not_write_over_each_others_drafts(program: Program, campaign: Campaign) -> None:
    task = address_of(next_task(program, campaign))
    address = f"{task}draft/"
    first = program.put(address, {"answers": {"comment": "One"}})
    assert (first.json()["revision"], first.json()["is_claimed"]) == (1, True)
    assert program.put(address, {"answers": {"comment": "Two"}, "revision": 1}).json()["revision"] == 2
    late = program.put(address, {"answers": {"comment": "Old"}, "revision": 1})
    assert problem_in(late, 412)["code"] == "draft_conflict"
    assert program.get(task).json()["draft"]["answers"]["comment"] == "Two"


def test_a_skipped_item_goes_to_somebody_else(program: Program, campaign: Campaign) -> None:
    first = next_task(program, campaign)
    assert program.post(f"{address_of(first)}skip/", {"reason": "My own client"}).status_code == 204
    second = next_task(program, campaign)
    assert second["task"]["assignment"] != first["task"]["assignment"]
    gone = program.post(f"{address_of(first)}skip/", {"reason": "Again"})
    assert problem_in(gone, 409)["code"] == "lease_lost"


def test_the_work_ends_with_a_reason(program: Program, campaign: Campaign) -> None:
    for _ in range(4):
        assert program.post(address_of(next_task(program, campaign)), submission()).status_code == 201
    end = next_task(program, campaign)
    assert (end["task"], end["no_work"]["reason"]) == (None, "nothing_left_for_you")
    assert (end["progress"]["mine"], end["progress"]["total"]) == (4, 8)
    assert len(program.get("reviews/submitted/").json()["results"]) == 4


def test_the_work_of_others_is_not_there(
    program: Program,
    campaign: Campaign,
    other_reviewer: User,
    manager: User,
    stranger: User,
    program_for: ProgramFor,
) -> None:
    address = address_of(next_task(program, campaign))
    program.post(address, submission())
    for person in (manager, stranger):
        other = program_for(person)
        assert other.get("reviews/").json()["results"] == []
        problem_in(other.post(f"reviews/campaigns/{campaign.key}/next/"), 404)
        problem_in(other.get(address), 404)
        problem_in(other.post(address, submission()), 404)
    peer = program_for(other_reviewer)
    problem_in(peer.get(address), 404)
    problem_in(peer.put(address, {"answers": GOOD, "revision": 1}), 404)
    assert peer.get("reviews/submitted/").json()["results"] == []
    for slot in (2, 99, 2**40):
        problem_in(program.get(f"{address.rsplit('/', 2)[0]}/{slot}/"), 404)


FAR_AWAY = ("review", "output", "itemoutput", "item", "assignment", "run", "modelversion", "example")


def test_a_blind_reviewer_learns_neither_model_nor_peer_from_any_answer(
    empty_project: Project, reviewer: User, other_reviewer: User, program: Program, program_for: ProgramFor
) -> None:
    move_ids_far_away(*FAR_AWAY)
    texts = {"canary-base": "An answer to {n}.", "canary-lora": "Another answer to {n}."}
    campaign = make_campaign(empty_project, [reviewer, other_reviewer], rows=3, texts=texts)
    said = ReviewAnswers(answers().scores, comment="Canary words of a peer", correction="Canary correction")
    review_all(campaign, other_reviewer, dict.fromkeys(texts, said), seconds_active=77.125)
    asked = [
        program.get("me/"),
        program.get("reviews/"),
        program.get(f"reviews/campaigns/{campaign.key}/"),
    ]
    while (task := next_task(program, campaign))["task"]:
        address = address_of(task)
        asked += [
            program.post(f"reviews/campaigns/{campaign.key}/next/"),
            program.get(address),
            program.put(f"{address}draft/", {"answers": {"comment": "Mine"}}),
            program.put(f"{address}draft/", {"answers": {"comment": "Mine"}, "revision": 9}),
            program.post(address, submission(answers={"scores": {}})),
            program.post(address, body := submission()),
            program.post(address, body),
            program.post(address, submission(answers={**GOOD, "comment": "Other"})),
            program.put(address, {"answers": GOOD, "revision": 1}),
            program.put(address, {"answers": GOOD, "revision": 1}),
            program.get(address),
            program.post(f"{address}skip/", {"reason": " "}),
        ]
    asked += [
        program.post(f"reviews/campaigns/{campaign.key}/next/"),
        program.get("reviews/submitted/"),
        program.get("reviews/submitted/?limit=1"),
        *(
            program.get(f"projects/{empty_project.slug}/{part}/")
            for part in ("campaigns", "models", "runs", "exports")
        ),
        program.get(f"projects/{empty_project.slug}/campaigns/{campaign.pk}/comparison/"),
        program.get(f"projects/{empty_project.slug}/campaigns/{campaign.pk}/progress/"),
    ]
    assert len(asked) == 3 + 6 * 12 + 9
    leaks = [
        *ModelVersion.objects.filter(project=empty_project).values_list("label", flat=True),
        *("canary", "Canary", "77.1", "Imported outputs", other_reviewer.email, str(other_reviewer)),
    ]
    for answer in asked:
        text = answer.text + str(dict(answer.headers))
        assert [leak for leak in leaks if leak in text] == [], answer.request["PATH_INFO"]
        assert not FAR_ID.search(text), answer.request["PATH_INFO"]
        assert not re.search(r"(output|item|example|review|run|model)_?(version)?_?id", text)
    # The same words are there for who may see them, so they would have been found.
    seen = program_for(empty_project.created_by).get(
        f"projects/{empty_project.slug}/campaigns/{campaign.pk}/comparison/"
    )
    assert "canary-lora" in seen.text and FAR_ID.search(seen.text)


def test_names_are_shown_only_where_a_campaign_is_not_blind(
    empty_project: Project, reviewer: User, program: Program
) -> None:
    shown = make_campaign(empty_project, [reviewer], rows=1, is_blind=False, name="Open eyes")
    assert next_task(program, shown)["task"]["shown"][0]["candidate"] in ("formal", "plain")
    texts = {"one": "An answer.", "two": "Another answer."}
    blind = make_campaign(empty_project, [reviewer], rows=1, name="Blind", texts=texts)
    assert next_task(program, blind)["task"]["shown"][0]["candidate"] == ""
