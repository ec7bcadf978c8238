"""Comparing by machine: the services of the page of comparisons, with their promises, and as blind as it."""

import re
from typing import Any
from uuid import uuid4

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from tests.api.conftest import FAR_ID, Program, move_ids_far_away, problem_in, program_of
from tests.factories import make_campaign, make_rubric

GOOD: dict[str, Any] = {"choice": "a", "ranks": None, "comment": "Clearer."}


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer], rows=2, method="pairwise")


@pytest.fixture
def program(reviewer: User) -> Program:
    return program_of(reviewer)


def next_task(program: Program, campaign: Campaign) -> dict[str, Any]:
    answer = program.post(f"reviews/campaigns/{campaign.key}/next/")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def address_of(task: dict[str, Any]) -> str:
    return f"reviews/{task['task']['assignment']}/{task['task']['slot']}/"


def submission(**changes: Any) -> dict[str, Any]:
    return {"client_id": str(uuid4()), "answers": GOOD, "seconds_active": 12.5, **changes}


def test_a_judgement_is_stored_exactly_once_however_often_it_is_sent(
    program: Program, campaign: Campaign, reviewer: User
) -> None:
    task = next_task(program, campaign)
    assert [answer["letter"] for answer in task["task"]["shown"]] == ["A", "B"]
    address, body = address_of(task), submission()
    first, again = program.post(address, body), program.post(address, body)
    assert (first.status_code, first.json()["is_replay"]) == (201, False)
    assert (again.status_code, again.json()["is_replay"]) == (200, True)
    assert Review.objects.get().reviewer == reviewer
    assert program.get(address).json()["answers"] == GOOD
    other = problem_in(program.post(address, submission(answers={"choice": "b"})), 409)
    assert other["code"] == "already_submitted"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "choice"),
        ({"choice": "c"}, "choice"),
        ({"choice": "a", "ranks": [1, 2]}, "ranks"),
        ({"choice": "a", "comment": 3}, "comment"),
        ({"choice": "a", "score": 3}, "answers.score"),
    ],
)
def test_a_preference_that_cannot_stay_is_told_by_field(
    program: Program, campaign: Campaign, given: dict[str, Any], field: str
) -> None:
    address = address_of(next_task(program, campaign))
    problem = problem_in(program.post(address, submission(answers=given)), 400)
    assert list(problem["fields"]) == [field]


def test_an_amendment_names_the_revision_it_changes(program: Program, campaign: Campaign) -> None:
    address = address_of(next_task(program, campaign))
    problem_in(program.put(address, {"answers": GOOD, "revision": 1}), 404)
    program.post(address, submission())
    changed = program.put(address, {"answers": {"choice": "tie"}, "revision": 1})
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    problem_in(program.put(address, {"answers": {"choice": "b"}, "revision": 1}), 412)
    assert program.get("reviews/submitted/").json()["results"][0]["answers"]["choice"] == "tie"


def test_drafts_skips_and_the_end(program: Program, campaign: Campaign) -> None:
    address = address_of(next_task(program, campaign))
    draft = program.put(f"{address}draft/", {"answers": {"comment": "So far"}})
    assert draft.json()["revision"] == 1
    problem_in(program.put(f"{address}draft/", {"answers": {}, "revision": 5}), 412)
    assert next_task(program, campaign)["task"]["draft"]["answers"]["comment"] == "So far"
    assert program.post(f"{address}skip/", {"reason": "My own client"}).status_code == 204
    assert address_of(next_task(program, campaign)) != address
    second = address_of(next_task(program, campaign))
    program.post(second, submission())
    ended = next_task(program, campaign)
    assert (ended["task"], ended["no_work"]["reason"]) == (None, "nothing_left_for_you")
    close_campaign(campaign=campaign, by=None)
    problem = problem_in(program.put(second, {"answers": {"choice": "b"}, "revision": 1}), 409)
    assert problem["code"] == "campaign_closed"


def test_a_blind_reviewer_learns_neither_model_nor_peer_from_any_answer(
    project: Project, reviewer: User, other_reviewer: User, program: Program
) -> None:
    move_ids_far_away("review", "comparison", "output", "itemoutput", "item", "assignment", "modelversion")
    texts = {"canary-base": "An answer to {n}.", "canary-lora": "Another answer to {n}."}
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2, texts=texts, method="pairwise")
    peer = program_of(other_reviewer)
    while (task := next_task(peer, campaign))["task"]:
        peer.post(address_of(task), submission(answers={"choice": "b", "comment": "Canary of a peer"}))
    asked = []
    while (task := next_task(program, campaign))["task"]:
        address = address_of(task)
        asked += [
            program.post(f"reviews/campaigns/{campaign.key}/next/"),
            program.get(address),
            program.put(f"{address}draft/", {"answers": {"comment": "Mine"}}),
            program.post(address, submission(answers={})),
            program.post(address, submission()),
            program.post(address, submission(answers={"choice": "b"})),
            program.put(address, {"answers": GOOD, "revision": 1}),
            program.get(address),
        ]
    asked += [
        program.get("reviews/submitted/"),
        program.get("reviews/"),
        program.get(f"reviews/campaigns/{campaign.key}/"),
        *(
            program.get(f"projects/{project.slug}/campaigns/{campaign.pk}/{part}/")
            for part in ("pairs", "preferences")
        ),
    ]
    leaks = [
        *ModelVersion.objects.values_list("label", flat=True),
        *("canary", "Canary", other_reviewer.email, str(other_reviewer)),
    ]
    for answer in asked:
        text = answer.text + str(dict(answer.headers))
        assert [leak for leak in leaks if leak in text] == [], answer.request["PATH_INFO"]
        assert not FAR_ID.search(text), answer.request["PATH_INFO"]
        assert not re.search(r"(output|item|example|review|comparison|model)_?id|arrangement", text)
    seen = program_of(project.created_by).get(f"projects/{project.slug}/campaigns/{campaign.pk}/preferences/")
    assert "Canary of a peer" in seen.text and FAR_ID.search(seen.text)


def test_results_and_judgements_are_read_page_by_page(
    campaign: Campaign, program: Program, manager: User, reviewer: User
) -> None:
    while (task := next_task(program, campaign))["task"]:
        program.post(address_of(task), submission())
    root = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}"
    asked = program_of(manager)
    results = asked.get(f"{root}/pairs/").json()
    assert (results["method"], results["preferences"], results["items"]) == ("pairwise", 2, 2)
    assert (results["first_side"]["value"], len(results["strengths"])) == (1.0, 2)
    (pair,) = results["pairs"]
    assert pair["wins"] + pair["losses"] == 2
    page = asked.get(f"{root}/preferences/?limit=1").json()
    following = asked.get(page["next"]).json()
    rows = [*page["results"], *following["results"]]
    assert [row["id"] for row in rows] == list(Review.objects.order_by("pk").values_list("pk", flat=True))
    candidates = set(campaign.candidates.values_list("pk", flat=True))
    assert all(set(row["shown"]) == candidates for row in rows)
    assert {row["reviewer"] for row in rows} == {1}
    assert following["next"] is None
    problem_in(program.get(f"{root}/pairs/"), 403)


def test_a_campaign_in_pairs_is_designed_by_machine(
    project: Project, manager: User, reviewer: User, campaign: Campaign
) -> None:
    versions = list(campaign.candidates.values_list("model_version", flat=True))
    program = program_of(manager)
    body = {
        "name": "By machine",
        "rubric_version": make_rubric(project, "Another").pk,
        "dataset_version": campaign.dataset_version_id,
        "split": "feedback",
        "candidates": versions,
        "reviewers": [reviewer.pk],
        "overlap": 1,
        "method": "pairwise",
        "baseline": versions[0],
    }
    made = program.post(f"projects/{project.slug}/campaigns/", body)
    assert made.status_code == 201, made.content
    assert (made.json()["method"], made.json()["baseline"]) == ("pairwise", versions[0])
    opened = program.post(f"projects/{project.slug}/campaigns/{made.json()['id']}/open/")
    assert opened.json()["reviews_total"] == 2
    for change, field in (
        ({"name": "x", "method": "ranking", "baseline": None}, "candidates"),
        ({"name": "y", "candidates": versions[:1]}, "candidates"),
        ({"name": "z", "method": "pointwise"}, "baseline"),
        ({"name": "w", "baseline": 2**40}, "baseline"),
        ({"name": "v", "method": "voting"}, "method"),
    ):
        problem = problem_in(program.post(f"projects/{project.slug}/campaigns/", {**body, **change}), 400)
        assert field in problem["fields"], change
