"""Gold and hidden repeats: they check people, look like other work, and count nowhere."""

import itertools
import json
import re
from collections import Counter
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.allocation import NoWorkReason
from evalapp.campaigns.gold import set_gold
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer, Item, Purpose
from evalapp.campaigns.queries import (
    assignment_counts,
    cost_of_draft,
    items_with_progress,
    reviewers_with_assignments,
)
from evalapp.campaigns.services import add_reviewers, give_back, open_campaign
from evalapp.exports.queries import given_corrections, ratings_of, reviewed_outputs
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.checks import checks_by_reviewer
from evalapp.reviews.differing_items import items_that_differ
from evalapp.reviews.drafts import DraftPlace, save_draft
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.queries import progress_by_person
from evalapp.reviews.services import amend_review
from tests.campaigns.making import make_campaign
from tests.campaigns.test_allocation import campaign_reviewer_of, lapse, next_for
from tests.cast import client_of
from tests.factories import answers, corrected
from tests.reviews.checking import JSON, gold_of, make_checked, review_on
from tests.reviews.conftest import assignment_of, submit

pytestmark = pytest.mark.django_db


def test_gold_comes_in_its_share_and_repeats_come_later() -> None:
    campaign, (person, _) = make_checked(rows=125, gold=20, repeat_share=20)
    assert campaign.items_total == campaign.reviews_total == 105
    seen = review_on(campaign, person)
    kinds = Counter(purpose for purpose, _ in seen)
    assert kinds["review"] == 105 and 9 <= kinds["gold"] <= 11
    assert 10 <= kinds["repeat"] <= 30
    firsts = {item: position for position, (purpose, item) in enumerate(seen) if purpose == "review"}
    for position, (purpose, item) in enumerate(seen):
        if purpose == "repeat":
            # Nearer only where the work ends, and never at once.
            assert position - firsts[item] >= (15 if position < 90 else 4)
    golden = [position for position, (purpose, _) in enumerate(seen) if purpose == "gold"]
    # Spread, one in every stretch of about a tenth.
    assert all(later - earlier <= 30 for earlier, later in itertools.pairwise(golden))
    campaign_reviewer = campaign_reviewer_of(campaign, person)
    assert (campaign_reviewer.reviews_done, campaign_reviewer.checks_done) == (
        105,
        kinds["gold"] + kinds["repeat"],
    )


@pytest.mark.parametrize("candidates", [1, 2])
@pytest.mark.parametrize("rows", [10, 16, 40])
def test_a_small_campaign_gets_its_share_of_repeats_too(rows: int, candidates: int) -> None:
    campaign, people = make_checked(
        2, rows=rows * 2, gold_share=0, repeat_share=10, candidates=candidates, overlap=1
    )
    cost = cost_of_draft(campaign)
    met = 0
    for person in people:
        campaign.reviewers.filter(user=person).update(quota=rows)
        seen = review_on(campaign, person)
        kinds = Counter(purpose for purpose, _ in seen)
        met += kinds["repeat"]
        # Never so near that it is known again at a glance.
        for position, (purpose, item) in enumerate(seen):
            if purpose == "repeat":
                last = max(at for at, each in enumerate(seen) if each == ("review", item))
                between = {each for _, each in seen[last + 1 : position]} - {item}
                assert len(between) >= 4
    assert 0.05 * rows * 2 <= met / candidates <= 0.15 * rows * 2 + 1
    # The design said about so many.
    assert abs(met - cost.checks) <= candidates * (1 + rows // 20)


def test_what_is_left_of_repeats_comes_when_the_work_ends_early() -> None:
    """Somebody else did the rest, or a quota ended it: nothing is left that a repeat could stand between."""
    campaign, (person, _) = make_checked(rows=60, gold_share=0, repeat_share=20)
    review_on(campaign, person, most=12)
    campaign.reviewers.filter(user=person).update(quota=12)
    rest = review_on(campaign, person)
    assert rest and {purpose for purpose, _ in rest} == {"repeat"}
    assert next_for(campaign, person).reason == NoWorkReason.QUOTA_REACHED


def test_a_seed_checks_with_the_same_rows_again() -> None:
    def rows(name: str) -> list[tuple[str, int]]:
        campaign, (person, _) = make_checked(rows=30, team=name)
        numbers = dict(campaign.items.values_list("pk", "example__row_number"))
        return [(purpose, numbers[item]) for purpose, item in review_on(campaign, person)]

    first = rows("one")
    assert {purpose for purpose, _ in first} == {"review", "gold", "repeat"}
    assert first == rows("two")


def test_a_repeat_has_the_same_outputs_in_an_order_of_its_own() -> None:
    campaign, (person, _) = make_checked(rows=30, gold_share=0, repeat_share=50, candidates=4)
    review_on(campaign, person, most=40)
    repeats = campaign.assignments.filter(purpose=Purpose.REPEAT)
    assert repeats
    orders = []
    for repeat in repeats:
        first = Assignment.objects.get(item=repeat.item, reviewer=person, purpose=Purpose.REVIEW)
        assert sorted(repeat.outputs_order) == sorted(first.outputs_order)
        orders.append(repeat.outputs_order == first.outputs_order)
    assert not all(orders)


def results(campaign: Campaign) -> dict[str, Any]:
    """All that is said of a campaign's results, wherever it is said."""
    campaign = Campaign.objects.get(pk=campaign.pk)
    scores = load_scores(campaign)
    tone = campaign.rubric_version.criteria.get(key="tone")
    return {
        "comparison": repr(compare(scores)),
        "answers": scores.answers,
        "tags": scores.tags,
        "outputs": scores.outputs,
        "assignments": scores.assignments,
        "numbers": scores.numbers,
        "ratings": [(r.pk, r.reviewer_id) for r in ratings_of(campaign)],
        "reviewed": reviewed_outputs(campaign),
        "corrections": given_corrections(campaign),
        "counts": assignment_counts(campaign),
        "items": [(i.pk, i.submitted, i.in_progress, i.reviews_done) for i in items_with_progress(campaign)],
        "campaign_reviewers": [
            (s.pk, s.reviews_done, s.assignments_submitted, s.in_progress, s.waiting)
            for s in reviewers_with_assignments(campaign)
        ],
        "progress": [
            (p.reviews, p.in_progress, p.mean_seconds, p.last_at) for p in progress_by_person(campaign)
        ],
        "differing": items_that_differ(campaign, tone, least=1),
        "totals": (campaign.items_total, campaign.assignments_total, campaign.reviews_total),
    }


def test_checks_change_no_result() -> None:
    campaign, people = make_checked(rows=26, overlap=2, candidates=2, calibration_items=2)

    def said(assignment: Assignment) -> Any:
        # Whatever a check is answered, it would show in any mean, tag, correction or spread.
        if assignment.purpose != Purpose.REVIEW:
            return corrected(answers(error=1, tone=1, accuracy=1), "Only a check says this.")
        return answers(tone=4 if assignment.number == 1 else 3)

    for person in people:
        review_on(campaign, person, said)
    CampaignReviewer.objects.update(admitted_at="2026-01-01T00:00Z")
    for person in people:
        review_on(campaign, person, said)
    kinds = Counter(Review.objects.values_list("purpose", flat=True))
    assert set(kinds) == set(Purpose.values) and kinds["review"] == campaign.reviews_total
    with_checks = results(campaign)
    Review.objects.exclude(purpose=Purpose.REVIEW).delete()
    Assignment.objects.exclude(purpose=Purpose.REVIEW).delete()
    Item.objects.exclude(purpose=Purpose.REVIEW).delete()
    assert with_checks == results(campaign)
    assert "Only a check" not in str(with_checks["corrections"])


def scrubbed(page: str) -> str:
    """A page without what differs between any two items."""
    page = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "key", page)
    page = re.sub(r'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+', "", page)
    return re.sub(r"\d+", "0", page)


def test_nothing_that_a_reviewer_gets_tells_a_check_from_other_work() -> None:
    campaign, (person, other) = make_checked(rows=60, repeat_share=50)
    browser = client_of(person)
    address = f"/reviews/campaigns/{campaign.key}/"
    pages: dict[str, set[str]] = {}
    shapes: dict[str, set[tuple[str, ...]]] = {}
    figures = []
    for _ in range(30):
        payload = browser.get(address, headers=JSON).json()
        if "url" not in payload:
            break
        assignment = Assignment.objects.get(key=UUID(payload["url"].split("/")[2]))
        page = browser.get(payload["url"]).text
        assert not re.search(r'gold|"repeat"|is_repeat|purpose"|calibrat', page + json.dumps(payload))
        pages.setdefault(assignment.purpose, set()).add(scrubbed(page))
        shapes.setdefault(assignment.purpose, set()).add(
            tuple(sorted(payload)) + tuple(sorted(payload["progress"]))
        )
        figures.append((payload["progress"]["mine"], payload["progress"]["done"]))
        totals = payload["progress"]["total"], payload["progress"]["mine_total"]
        assert totals == (campaign.reviews_total + campaign.checks_total, round(55 * 1.6))
        sent = {
            "client_id": payload["client_id"],
            "answers": answers().as_dict(),
            "revision": 0,
            "seconds_active": 3,
        }
        stored = browser.post(payload["url"], sent, content_type="application/json", headers=JSON)
        assert stored.status_code == 201 and set(stored.json()) == {"saved_at", "revision", "is_replay"}
    assert set(pages) == {"review", "gold", "repeat"}
    # One page, but for the first one's open instructions and the undo.
    assert pages["gold"] | pages["repeat"] <= pages["review"]
    assert len(set.union(*shapes.values())) == 1
    # Each submission moves every figure by one, whatever it was of.
    assert figures == [(n, n) for n in range(len(figures))]
    assert other.pk  # the campaign has more people than the one at work
    mine = browser.get("/reviews/submitted/").text
    assert not re.search(r"gold|calibrat", mine)


def test_repeats_show_who_is_at_one_with_themselves() -> None:
    campaign, (person, _) = make_checked(rows=30, gold_share=0, repeat_share=30)

    def said(assignment: Assignment) -> Any:
        again = {"tone": 3, "clarity": 1} if assignment.purpose == Purpose.REPEAT else {}
        return answers(**again)

    review_on(campaign, person, said)
    mine = checks_by_reviewer(campaign)[0]
    repeats = Review.objects.filter(purpose=Purpose.REPEAT).count()
    assert (mine.compared, mine.equal, mine.close) == (5 * repeats, 3 * repeats, 4 * repeats)
    assert {(each.criterion, each.first, each.second) for each in mine.differences} == {
        ("Tone", "4", "3"),
        ("Clarity", "4", "1"),
    }


def test_what_is_typed_for_a_repeat_outlives_a_change_of_the_first_review() -> None:
    campaign, (person, _) = make_checked(gold_share=0, repeat_share=50)
    while assignment_of(upcoming := next_for(campaign, person)).purpose != Purpose.REPEAT:
        submit(campaign, person, upcoming, answers=answers())
    first = Review.objects.get(reviewer=person, item_output=upcoming.subject_id)
    of = DraftPlace(person, campaign.pk, "item_output", upcoming.subject_id, None)
    save_draft(of, ReviewAnswers(comment="Half a sent").as_dict(), revision=0)

    amend_review(review=first, by=person, answers=answers(tone=1), revision=1)

    assert Draft.objects.get().body["comment"] == "Half a sent"


def test_a_check_whose_lease_runs_out_half_way_comes_to_nobody_again() -> None:
    # As ordinary work does not come back to whom it lapsed: else its return would tell what it is.
    campaign, (person, other) = make_checked(rows=30, gold=5, gold_share=50, repeat_share=0, candidates=2)
    while (upcoming := next_for(campaign, person)) and assignment_of(upcoming).purpose != Purpose.GOLD:
        submit(campaign, person, upcoming)
    submit(campaign, person, upcoming)
    lapse(reviewer=person)
    seen = review_on(campaign, other)
    assert upcoming.assignment.item_id not in {item for purpose, item in seen if purpose == "review"}
    gold = Assignment.objects.get(pk=upcoming.assignment.id)
    assert (gold.state, gold.assigned_to, gold.reviews_done) == (AssignmentState.AVAILABLE, person, 1)
    assert gold.item_id not in {item for _, item in review_on(campaign, person)}


def test_a_skipped_check_is_nobodys_and_does_not_come_again() -> None:
    campaign, (person, _other) = make_checked(rows=30, gold=3, gold_share=50, repeat_share=0)
    while (upcoming := next_for(campaign, person)) and assignment_of(upcoming).purpose != Purpose.GOLD:
        submit(campaign, person, upcoming)
    assert give_back(assignment=assignment_of(upcoming), reviewer=person, reason="My own client")
    assert upcoming.assignment.item_id not in {item for _, item in review_on(campaign, person)}
    assert next_for(campaign, person).reason == NoWorkReason.ALL_DONE
    assert (
        not campaign.assignments.filter(purpose=Purpose.REVIEW)
        .exclude(state=AssignmentState.SUBMITTED)
        .exists()
    )


def test_whoever_joins_later_is_checked_too(manager: User, project: Project, engineer: User) -> None:
    draft = make_campaign(project, [manager], rows=30, candidates=1, overlap=1, gold_share=20)
    set_gold(campaign=draft, rows=gold_of(1, 2, 3), by=manager)
    campaign = open_campaign(campaign=draft, by=manager)
    add_reviewers(campaign=campaign, reviewers=[engineer], by=manager)
    per_person = Counter(
        campaign.assignments.filter(purpose=Purpose.GOLD).values_list("assigned_to", flat=True)
    )
    assert per_person == {manager.pk: 3, engineer.pk: 3}


def test_the_pages_of_checks_take_as_many_queries_for_three_people_as_for_one() -> None:
    counts: dict[str, list[int]] = {}
    for people in (1, 3):
        campaign, team = make_checked(people, rows=20, calibration_items=people, team=f"{people} at work")
        for person in team:
            review_on(campaign, person)
        CampaignReviewer.objects.update(admitted_at="2026-01-01T00:00Z")
        for person in team:
            review_on(campaign, person)
        owner = campaign.project.created_by
        assert owner is not None
        address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/"
        pages = {
            "checks": (owner, f"{address}checks/"),
            "calibration": (owner, f"{address}calibration/"),
            "mine": (team[0], f"/reviews/campaigns/{campaign.key}/calibration/"),
        }
        for name, (person, page) in pages.items():
            browser = client_of(person)
            browser.get(page)
            with CaptureQueriesContext(connection) as captured:
                assert browser.get(page).status_code == 200
            counts.setdefault(name, []).append(len(captured))
    assert {name: one == three for name, (one, three) in counts.items()} == dict.fromkeys(counts, True), (
        counts
    )
