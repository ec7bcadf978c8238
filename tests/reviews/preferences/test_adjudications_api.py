"""Adjudications of comparisons, their discussions and appeals by machine."""

import pytest

from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.api.conftest import problem_in, program_of
from tests.reviews.preferences.conftest import WHY, decide, judge

pytestmark = pytest.mark.django_db


@pytest.fixture
def base(campaign) -> str:
    return f"projects/{campaign.project.slug}/campaigns/{campaign.pk}"


def test_a_disputed_comparison_is_found_read_decided_and_revised(base, disputed, manager, engineer) -> None:
    office, pk = program_of(manager), disputed.comparison.pk
    rows = office.get(f"{base}/comparisons/disputed/").json()["results"]
    assert rows[0] == {
        "comparison": pk,
        "farthest": 1.0,
        "preferences": 2,
        "is_decided": False,
        "is_own": False,
    }
    read = office.get(f"{base}/comparisons/{pk}/").json()
    assert read["outputs"] == disputed.comparison.outputs and read["adjudication"] is None
    assert [(each["reviewer"], each["choice"], each["comment"]) for each in read["preferences"]] == [
        ("Reviewer 1", "a", "Clearer."),
        ("Reviewer 2", "b", "Kinder."),
    ]
    body = {"comparison": pk, "choice": "b", "reason": WHY}
    decided = office.post(f"{base}/comparison-adjudications/", body)
    assert (decided.status_code, decided.json()["choice"], decided.json()["revision"]) == (201, "b", 1)
    assert (
        problem_in(office.post(f"{base}/comparison-adjudications/", {**body, "choice": "tie"}), 412)["code"]
        == "stale"
    )
    revised = office.post(
        f"{base}/comparison-adjudications/", {**body, "choice": "tie", "revision": 1}
    ).json()
    assert (revised["choice"], revised["earlier"][0]["choice"]) == ("tie", "b")
    assert len(office.get(f"{base}/comparisons/disputed/?state=open").json()["results"]) == 3
    reading = program_of(engineer)
    assert reading.get(f"{base}/comparison-adjudications/").json()["results"][0]["id"] == revised["id"]
    assert reading.get(f"{base}/pairs/").json()["adjudicated"] == 1
    problem_in(reading.post(f"{base}/comparison-adjudications/", body), 403)
    problem_in(reading.get(f"{base}/comparisons/{pk}/"), 403)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"choice": ""}, "choice"),
        ({"choice": "best"}, "choice"),
        ({"ranks": [1, 2]}, "ranks"),
        ({"reason": ""}, "reason"),
        ({"comparison": 10**9}, "comparison"),
        ({"better": 1}, "better"),
    ],
)
def test_bad_adjudications(base, disputed, manager, change, field) -> None:
    body = {"comparison": disputed.comparison.pk, "choice": "b", "reason": WHY, **change}
    assert list(
        problem_in(program_of(manager).post(f"{base}/comparison-adjudications/", body), 400)["fields"]
    ) == [field]


def test_discussion_and_appeal_by_both_doors(base, disputed, manager, owner, reviewer) -> None:
    adjudication = decide(disputed, manager)
    task = f"reviews/{disputed.mine.assignment.key}/{disputed.mine.slot}"
    office, mine = program_of(manager), program_of(reviewer)
    discussion = f"{base}/comparisons/{disputed.comparison.pk}/discussion/"
    assert office.post(discussion, {"text": "Why?"}).status_code == 201
    told = mine.post(f"{task}/discussion/", {"text": "Because."}).json()
    assert [each["author"] for each in told["messages"]] == ["Adjudicator", "You"]
    # In my own order of the answers.
    own_order = adjudication.preference.turned(adjudication.outputs, disputed.mine.preference.outputs)
    assert (told["adjudication"]["choice"], told["adjudication"]["reason"]) == (own_order.choice, WHY)
    assert [each["author"] for each in office.get(discussion).json()["messages"]] == ["You", "Reviewer 1"]
    opened = mine.post(f"{task}/appeals/", {"against": "decision", "reason": "Both name it."})
    assert (opened.status_code, opened.json()["against"]) == (201, "the decision on this comparison")
    (waiting,) = office.get(f"{base}/appeals/").json()["results"]
    assert (waiting["comparison"], waiting["item_output"]) == (disputed.comparison.pk, None)
    place = f"{base}/appeals/{waiting['id']}/answer/"
    problem_in(office.post(place, {"outcome": "upheld", "answer": "No."}), 403)
    same = {"outcome": "changed", "answer": "Yes.", "choice": "b"}
    assert list(problem_in(program_of(owner).post(place, same), 400)["fields"]) == ["choice"]
    changed = program_of(owner).post(place, {**same, "choice": "tie"})
    assert changed.json()["outcome"] == "changed"
    adjudication.refresh_from_db()
    assert (adjudication.preference.choice, adjudication.revision) == (PreferenceAnswers("tie").choice, 2)
    assert mine.get(f"{task}/appeals/").json()["results"][0]["answer"] == "Yes."


def test_a_case_tells_what_reviewers_preferred_and_what_was_decided(
    base, disputed, manager, engineer, reviewer
) -> None:
    case = f"{base}/cases/{disputed.comparison.item_id}/"
    (before,) = program_of(engineer).get(case).json()["comparisons"]
    assert before["adjudication"] is None
    decide(disputed, manager)
    (found,) = program_of(engineer).get(case).json()["comparisons"]
    assert (found["comparison"], found["outputs"]) == (disputed.comparison.pk, disputed.comparison.outputs)
    assert found["adjudication"] == {"choice": "b", "ranks": None, "reason": WHY}, "and not by whom"
    assert [(each["reviewer"], each["comment"]) for each in found["reviews"]] == [
        (1, "Clearer."),
        (2, "Kinder."),
    ]
    said = program_of(engineer).get(case).text
    assert not any(name in said for name in (manager.name, reviewer.name, manager.email, reviewer.email))
    problem_in(program_of(reviewer).get(case), 403)


def test_a_case_tells_who_still_reviews_that_they_should_not_look(base, campaign, manager, reviewer) -> None:
    judge(campaign, reviewer)
    case = f"{base}/cases/{campaign.reviews.get().comparison.item_id}/"
    assert program_of(manager).get(case).json()["is_reviewing"] is False
    reviewer.memberships.update(role="manager")
    assert program_of(reviewer).get(case).json()["is_reviewing"] is True
