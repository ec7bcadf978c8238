"""Review of reviews by machine."""

import pytest

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.reviews.models import Review
from tests.api.conftest import problem_in, program_of

pytestmark = pytest.mark.django_db
WHY = "The greeting is stiff, the rest is not."


@pytest.fixture
def base(campaign: Campaign) -> str:
    return f"projects/{campaign.project.slug}/campaigns/{campaign.pk}"


@pytest.fixture
def task(disputed: ItemOutput, reviewer: User) -> str:
    assignment = (
        Review.objects.select_related("assignment").get(item_output=disputed, reviewer=reviewer).assignment
    )
    return f"reviews/{assignment.key}/{assignment.outputs_order.index(disputed.pk)}"


def test_a_disagreement_is_found_decided_and_revised(
    base: str,
    disputed: ItemOutput,
    manager: User,
    engineer: User,
) -> None:
    program = program_of(manager)
    rows = program.get(f"{base}/disagreements/").json()["results"]
    assert rows[0] == {
        "item_output": disputed.pk,
        "criterion": "tone",
        "low": 1,
        "high": 5,
        "answers": 2,
        "is_decided": False,
        "is_own": False,
    }
    body = {"item_output": disputed.pk, "criterion": "tone", "value": 3, "reason": WHY}
    decided = program.post(f"{base}/adjudications/", body)
    assert decided.status_code == 201
    assert (decided.json()["value"], decided.json()["revision"]) == (3, 1)
    assert problem_in(program.post(f"{base}/adjudications/", {**body, "value": 2}), 412)["code"] == "stale"
    revised = program.post(f"{base}/adjudications/", {**body, "value": 2, "revision": 1}).json()
    assert (revised["value"], revised["earlier"][0]["value"]) == (2, 3)
    assert len(program.get(f"{base}/disagreements/?state=decided").json()["results"]) == 1
    reading = program_of(engineer)
    assert reading.get(f"{base}/adjudications/").json()["results"][0]["id"] == revised["id"]
    assert reading.post(f"{base}/adjudications/", body).status_code == 403
    comparison = reading.get(f"{base}/comparison/?score_source=adjudicated").json()
    assert (comparison["score_source"], comparison["adjudicated"]) == ("adjudicated", 1)
    case = reading.get(f"{base}/cases/{disputed.item_id}/").json()
    assert [each["decisions"] for each in case["outputs"]] == [
        [{"criterion": "tone", "value": 2, "reason": WHY}],
        [],
    ]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": 9}, "value"),
        ({"value": None}, "value"),
        ({"value": 3, "not_applicable": True}, "value"),
        ({"value": 3, "reason": ""}, "reason"),
        ({"value": 3, "item_output": 999_999}, "item_output"),
        ({"value": 3, "criterion": "nonsense"}, "criterion"),
    ],
)
def test_bad_decisions(base: str, disputed: ItemOutput, manager: User, change: dict, field: str) -> None:
    body = {"item_output": disputed.pk, "criterion": "tone", "reason": WHY, **change}
    assert list(problem_in(program_of(manager).post(f"{base}/adjudications/", body), 400)["fields"]) == [
        field
    ]


def test_change_request_resubmit_and_appeal(
    base: str,
    task: str,
    disputed: ItemOutput,
    manager: User,
    owner: User,
    reviewer: User,
) -> None:
    office, mine = program_of(manager), program_of(reviewer)
    review = Review.objects.get(item_output=disputed, reviewer=reviewer)
    sent = office.post(f"{base}/change-requests/", {"review": review.pk, "reason": WHY})
    assert (sent.status_code, sent.json()["state"]) == (201, "changes_requested")
    problem_in(office.post(f"{base}/change-requests/", {"review": review.pk, "reason": WHY}), 409)
    (row,) = mine.get("reviews/change-requests/").json()["results"]
    assert f"reviews/{row['assignment']}/{row['slot']}" == task
    assert row["reason"] == WHY
    appealed = mine.post(f"{task}/appeals/", {"against": "request", "reason": "It is right."})
    assert (appealed.status_code, appealed.json()["against"]) == (
        201,
        "the request for changes to the review",
    )
    (waiting,) = office.get(f"{base}/appeals/").json()["results"]
    assert (waiting["appellant"], waiting["item_output"]) == ("Reviewer 1", disputed.pk)
    answer = {"outcome": "upheld", "answer": "Please do."}
    place = f"{base}/appeals/{waiting['id']}/answer/"
    problem_in(office.post(place, answer), 403)
    assert program_of(owner).post(place, answer).json()["outcome"] == "upheld"
    assert mine.get(f"{task}/appeals/").json()["results"][0]["answer"] == "Please do."
    said = mine.get(f"{task}/").json()["answers"]
    said["scores"]["tone"] = 4
    assert mine.put(f"{task}/", {"answers": said, "revision": 1}).json()["revision"] == 2
    assert mine.get("reviews/change-requests/").json()["results"] == []
    (after,) = office.get(f"{base}/change-requests/").json()["results"]
    assert (after["state"], after["resubmitted_revision"]) == ("resubmitted", 2)
    problem_in(office.post(f"{base}/change-requests/{after['id']}/withdraw/"), 409)


def test_a_discussion_by_both_doors(
    base: str,
    task: str,
    disputed: ItemOutput,
    manager: User,
    reviewer: User,
    other_reviewer: User,
) -> None:
    office = f"{base}/outputs/{disputed.pk}/discussion/"
    assert program_of(manager).post(office, {"text": "Why?"}).status_code == 201
    told = program_of(reviewer).post(f"{task}/discussion/", {"text": "Because."})
    assert [each["author"] for each in told.json()["messages"]] == ["Adjudicator", "You"]
    seen = program_of(manager).get(office).json()["messages"]
    assert [each["author"] for each in seen] == ["You", "Reviewer 1"]
    problem_in(program_of(other_reviewer).get(f"{task}/discussion/"), 404)
    assert "text" in problem_in(program_of(reviewer).post(f"{task}/discussion/", {"text": ""}), 400)["fields"]
