"""What a reviewer's desk has beside its items, by machine: undo, keys, the calibration round; and the
settings.
"""

from collections.abc import Callable
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.api.conftest import Program, problem_in
from tests.factories import answers, make_campaign, review_all
from tests.reviews.conftest import make_open_campaign
from tests.reviews.preferences.checking import by_position, judge_on, make_checked
from tests.reviews.preferences.conftest import CLEARER, judge

pytestmark = pytest.mark.django_db

ProgramFor = Callable[[User | None], Program]


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    return make_campaign(project, [reviewer, other_reviewer], rows=2)


def test_the_last_review_is_found_and_changed(
    campaign: Campaign, reviewer: User, program_for: ProgramFor
) -> None:
    program = program_for(reviewer)
    undo = f"reviews/campaigns/{campaign.key}/undo/"
    problem_in(program.post(undo), 404)
    review_all(campaign, reviewer, {("formal", 1): answers(tone=1)})
    found = program.post(undo).json()
    last = program.get("reviews/submitted/").json()["results"][0]
    assert found == last
    changed = {**found["answers"], "comment": "On second thoughts."}
    address = f"reviews/{found['assignment']}/{found['slot']}/"
    amended = program.put(address, {"answers": changed, "revision": found["revision"]}).json()
    assert (amended["revision"], amended["answers"]["comment"]) == (2, "On second thoughts.")


def test_the_last_judgement_is_found(
    project: Project, reviewer: User, other_reviewer: User, program_for: ProgramFor
) -> None:
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, overlap=2, method="pairwise")
    program = program_for(reviewer)
    undo = f"reviews/campaigns/{campaign.key}/undo/"
    problem_in(program.post(undo), 404)
    judge(campaign, reviewer, CLEARER)
    found = program.post(undo).json()
    assert (found["answers"]["choice"], found["answers"]["comment"]) == ("a", "Clearer.")
    assert found == program.get("reviews/submitted/").json()["results"][0]


def test_keys_are_switched_off_and_remapped_and_kept_by_the_profile(
    reviewer: User, program_for: ProgramFor
) -> None:
    program = program_for(reviewer)
    usual = program.get("reviews/keys/").json()
    assert usual["enabled"] and usual["keys"]["comment"] == "c"
    off = program.put("reviews/keys/", {"enabled": False}).json()
    assert off == {"enabled": False, "keys": usual["keys"]}
    other = program.put("reviews/keys/", {"enabled": True, "keys": {"comment": "w"}}).json()
    assert other == {"enabled": True, "keys": {**usual["keys"], "comment": "w"}}
    assert program.get("reviews/keys/").json() == other


@pytest.mark.parametrize(
    ("keys", "field", "words"),
    [
        ({"comment": "7"}, "keys.comment", "Number keys give scores"),
        ({"comment": "s"}, "keys.skip", "already taken"),
        ({"dance": "x"}, "keys.dance", "Unknown action"),
    ],
)
def test_keys_that_cannot_be_are_refused_by_name(
    reviewer: User, program_for: ProgramFor, keys: dict[str, Any], field: str, words: str
) -> None:
    program = program_for(reviewer)
    problem = problem_in(program.put("reviews/keys/", {"enabled": True, "keys": keys}), 400)
    assert words in problem["fields"][field][0]
    assert program.get("reviews/keys/").json()["keys"]["comment"] == "c"


def test_the_calibration_round_is_read_and_discussed_once_it_is_done(program_for: ProgramFor) -> None:
    campaign, (ann, bob) = make_checked(rows=8, gold_share=0, repeat_share=0, calibration_items=2)
    program = program_for(ann)
    address = f"reviews/campaigns/{campaign.key}/calibration/"
    assert (program.get(address).json()["is_done"], program.get(address).json()["items"]) == (False, [])
    note = {"item": 1, "text": "A is what they asked for."}
    assert problem_in(program.post(f"{address}notes/", note), 409)["code"] == "round_not_done"
    judge_on(campaign, ann, by_position)
    judge_on(campaign, bob, by_position)
    shown = program.get(address).json()
    assert shown["is_done"] and len(shown["items"]) == 2
    assert [each["name"] for each in shown["items"][0]["parts"][0]["given"]] == ["You", "Reviewer 2"]
    # As blind as the page.
    assert bob.name not in str(shown) and "candidate-label" not in str(shown)
    said = program.post(f"{address}notes/", note)
    assert said.status_code == 201
    (written,) = program_for(bob).get(address).json()["items"][0]["notes"]
    assert (written["name"], written["text"]) == ("Reviewer 1", note["text"])
    problem_in(program.post(f"{address}notes/", {"item": 99, "text": "Where?"}), 404)
    assert "text" in problem_in(program.post(f"{address}notes/", {"item": 1, "text": "  "}), 400)["fields"]


def test_a_round_of_ratings_has_a_column_for_each_criterion(
    project: Project, reviewer: User, other_reviewer: User, program_for: ProgramFor
) -> None:
    campaign = make_open_campaign(project, [reviewer, other_reviewer], rows=4, overlap=2, calibration_items=1)
    shown = program_for(reviewer).get(f"reviews/campaigns/{campaign.key}/calibration/").json()
    assert (shown["is_done"], shown["columns"][0]) == (False, "Accuracy")


def test_without_calibration_there_is_no_round(
    campaign: Campaign, reviewer: User, program_for: ProgramFor
) -> None:
    problem_in(program_for(reviewer).get(f"reviews/campaigns/{campaign.key}/calibration/"), 404)


def test_who_may_changes_whether_reviewers_are_named(
    project: Project, owner: User, reviewer: User, program_for: ProgramFor
) -> None:
    address = f"projects/{project.slug}/settings/"
    program = program_for(owner)
    before = program.get(address).json()
    assert before["shows_reviewer_names"] is False
    after = program.patch(address, {"shows_reviewer_names": True}).json()
    assert after == {**before, "shows_reviewer_names": True} == program.get(address).json()
    project.refresh_from_db()
    assert project.shows_reviewer_names
    problem = problem_in(program.patch(address, {"shows_reviewer_names": "yes"}), 400)
    assert "shows_reviewer_names" in problem["fields"]
    problem_in(program_for(reviewer).patch(address, {"name": "Mine"}), 403)
