"""Gold and hidden repeats where answers are compared: they check people and count nowhere."""

import json
import re
from collections import Counter
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.analysis.pairwise.pair_lists import lines_of_item, preference_csv
from evalapp.analysis.pairwise.pairs import load_preferences, pair_results
from evalapp.analysis.quality.campaign_quality import quality_of
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import (
    Assignment,
    Campaign,
    CampaignReviewer,
    Comparison,
    Item,
    ItemOutput,
    Purpose,
)
from evalapp.campaigns.queries import (
    assignment_counts,
    cost_of_draft,
    items_with_progress,
    reviewers_with_assignments,
)
from evalapp.campaigns.services import open_campaign
from evalapp.exports.preferences import preferred_rows
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.checks import comparison_checks
from evalapp.reviews.preferences.gold import set_gold_preferences
from evalapp.reviews.progress import recent_days
from evalapp.reviews.queries import progress_by_person, review_context_at
from evalapp.reviews.services import amend_review, keep_draft, submit_at
from tests.api.conftest import program_of
from tests.campaigns.test_allocation import campaign_reviewer_of, next_for
from tests.cast import client_of
from tests.reviews.preferences.checking import (
    ADMITTED,
    JSON,
    by_candidate,
    by_position,
    gold_of,
    judge_on,
    label,
    make_checked,
    make_draft,
)

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_gold_comes_in_its_share_and_repeats_come_later_in_another_arrangement(method):
    campaign, (person, _) = make_checked(rows=105, gold=15, method=method)
    assert campaign.items_total == campaign.reviews_total == 90
    seen = judge_on(campaign, person)
    kinds = Counter(purpose for purpose, _ in seen)
    assert kinds["review"] == 90 and 7 <= kinds["gold"] <= 10 and 8 <= kinds["repeat"] <= 28
    firsts = {item: position for position, (purpose, item) in enumerate(seen) if purpose == "review"}
    for position, (purpose, item) in enumerate(seen):
        if purpose == "repeat":
            # Nearer only where the work ends, and never at once.
            assert position - firsts[item] >= (15 if position < 75 else 4)
    repeats = Review.objects.filter(purpose=Purpose.REPEAT)
    for repeat in repeats:
        first = Review.objects.get(comparison=repeat.comparison, purpose=Purpose.REVIEW)
        assert (
            sorted(repeat.preference.outputs) == sorted(first.preference.outputs)
            and repeat.preference.outputs != first.preference.outputs
        )
        if method == "pairwise":
            assert repeat.preference.outputs == first.preference.outputs[::-1]
    campaign_reviewer = campaign_reviewer_of(campaign, person)
    assert (campaign_reviewer.reviews_done, campaign_reviewer.checks_done) == (
        90,
        kinds["gold"] + kinds["repeat"],
    )
    # What somebody left half-way, or somebody else began, is not repeated.
    assert not campaign.assignments.filter(purpose=Purpose.REPEAT).exclude(assigned_to=person).exists()


def test_several_pairs_of_an_item_come_back_together_and_each_the_other_way_round():
    campaign, (person, _) = make_checked(rows=20, gold_share=0, repeat_share=50, candidates=3)
    judge_on(campaign, person)
    repeats = campaign.assignments.filter(purpose=Purpose.REPEAT, state="submitted")
    assert repeats
    for repeat in repeats:
        first = Assignment.objects.get(item=repeat.item, purpose=Purpose.REVIEW)
        assert sorted(repeat.outputs_order) == sorted(first.outputs_order)
        assert (repeat.arrangement - first.arrangement) % 2 == 1
        assert repeat.reviews.count() == 3


def test_a_seed_checks_with_the_same_rows_and_sides_again():
    def told(name):
        campaign, (person, _) = make_checked(rows=30, team=name)
        judge_on(campaign, person, by_position)
        preferences = Review.objects.filter(campaign=campaign).order_by("pk")
        owner = dict(
            ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position")
        )
        return [
            (
                each.purpose,
                each.comparison.item.example.row_number,
                [owner[output] for output in each.preference.outputs],
            )
            for each in preferences.select_related("comparison__item__example")
        ]

    first = told("one")
    assert {purpose for purpose, *_ in first} == {"review", "gold", "repeat"}
    assert first == told("two")


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_who_keeps_to_the_answer_is_told_from_who_keeps_to_the_position(method):
    campaign, (steady, sided) = make_checked(
        rows=70, gold_share=0, repeat_share=50, method=method, distribution="manual"
    )
    judge_on(campaign, steady, by_candidate)
    judge_on(campaign, sided, by_position)
    one, other = comparison_checks(campaign)
    assert one.compared >= 10 and other.compared >= 10
    assert (one.equal, one.close, one.sides_kept) == (one.compared, one.compared, 0)
    assert (other.equal, other.sides_kept) == (0, other.compared)
    assert one.sides_compared == one.compared and one.differences == []
    assert (one.consistency.value, other.side_share.value) == (1.0, 1.0)
    assert other.side_share.low is not None and other.side_share.low > 0.5
    if method == "ranking":
        assert one.tau.value == 1.0
        # Three that turn by one or two assignments keep one pair's order and turn two.
        assert other.tau.value == pytest.approx(-1 / 3)
        assert other.close == 0
    difference = other.differences[0]
    assert difference.first != difference.second
    assert label(campaign, 0) in difference.first + difference.second
    hints = quality_of(campaign, reader=campaign.project.created_by_id).hints
    kinds = {(each.hint.kind, each.hint.reviewer_id) for each in hints}
    assert {("keeps_side", sided.pk), ("at_odds", sided.pk)} <= kinds
    assert not [kind for kind, person in kinds if person == steady.pk and kind in ("keeps_side", "at_odds")]


def test_a_tie_says_nothing_of_the_position():
    campaign, (person, _) = make_checked(rows=30, gold_share=0, repeat_share=50)

    def said(review_context):
        return (
            PreferenceAnswers("tie")
            if review_context.assignment.purpose == Purpose.REPEAT
            else by_candidate(review_context)
        )

    judge_on(campaign, person, said)
    mine = comparison_checks(campaign)[0]
    assert mine.compared > 0
    assert (mine.equal, mine.sides_compared, mine.side_share.value) == (0, 0, None)


def results(campaign):
    """All that is said of a campaign's results, wherever it is said."""
    campaign = Campaign.objects.get(pk=campaign.pk)
    preferences = load_preferences(campaign)
    items = items_with_progress(campaign)
    return {
        "rows": preferences.rows,
        "results": pair_results(preferences).as_dict(),
        "csv": list(preference_csv(preferences)),
        "preferences": list(preferred_rows(preferences, admits_simulated=True)),
        "cases": [[line.review.pk for line in lines_of_item(campaign, item.pk)] for item in items],
        "counts": assignment_counts(campaign),
        "items": [(i.pk, i.submitted, i.in_progress, i.reviews_done) for i in items],
        "campaign_reviewers": [
            (s.pk, s.reviews_done, s.assignments_submitted, s.in_progress, s.waiting)
            for s in reviewers_with_assignments(campaign)
        ],
        "progress": [
            (p.reviews, p.in_progress, p.mean_seconds, p.last_at) for p in progress_by_person(campaign)
        ],
        "days": recent_days([campaign])[campaign.pk],
        "totals": (campaign.items_total, campaign.assignments_total, campaign.reviews_total),
    }


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_checks_change_no_result(method):
    campaign, people = make_checked(rows=26, overlap=2, calibration_items=2, method=method, seed=5)
    Campaign.objects.filter(pk=campaign.pk).update(opened_at="2026-01-01T00:00Z")

    def said(review_context):
        # Whatever a check is answered, it would show in any share, strength, row or comment.
        if review_context.assignment.purpose == Purpose.REVIEW:
            return by_candidate(review_context)
        preference = by_position(review_context)
        return PreferenceAnswers(preference.choice, preference.ranks, "Only a check says this.")

    for _ in range(2):
        for person in people:
            judge_on(campaign, person, said)
        CampaignReviewer.objects.update(admitted_at=ADMITTED)
    kinds = Counter(Review.objects.values_list("purpose", flat=True))
    assert set(kinds) == set(Purpose.values) and kinds["review"] == campaign.reviews_total
    gold = campaign.items.filter(purpose=Purpose.GOLD, assignments__reviewer=people[0]).first()
    assert {line.review.comment for line in lines_of_item(campaign, gold.pk)} == {"Only a check says this."}
    with_checks = results(campaign)
    Review.objects.exclude(purpose=Purpose.REVIEW).delete()
    Assignment.objects.exclude(purpose=Purpose.REVIEW).delete()
    Item.objects.exclude(purpose=Purpose.REVIEW).delete()
    assert with_checks == results(campaign)
    assert "Only a check" not in str(with_checks)


def scrubbed(page):
    """A page without what differs between any two items."""
    page = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "key", page)
    page = re.sub(r'(csrfmiddlewaretoken" value="|X-CSRFToken": ")\w+', "", page)
    page = re.sub(r"Answer\S* [ab] to row", "Answer to row", page)
    return re.sub(r"\d+", "0", page)


def test_nothing_that_a_reviewer_gets_tells_a_check_from_other_work():
    campaign, (person, _) = make_checked(rows=60, repeat_share=50)
    browser, program = client_of(person), program_of(person)
    address = f"/reviews/campaigns/{campaign.key}/"
    pages, shapes, figures, told = {}, {}, [], {}
    for _ in range(30):
        payload = browser.get(address, headers=JSON).json()
        if "url" not in payload:
            break
        assignment = Assignment.objects.get(key=UUID(payload["url"].split("/")[2]))
        page = browser.get(payload["url"]).text
        by_api = program.post(f"preferences/campaigns/{campaign.key}/next/").json()
        assert not re.search(
            r'gold|"repeat"|is_repeat|purpose"|calibrat', page + json.dumps([payload, by_api])
        )
        pages.setdefault(assignment.purpose, set()).add(scrubbed(page))
        told.setdefault(assignment.purpose, set()).add(scrubbed(json.dumps(by_api)))
        shapes.setdefault(assignment.purpose, set()).add((*sorted(payload), *sorted(payload["progress"])))
        figures.append((payload["progress"]["mine"], payload["progress"]["done"]))
        totals = payload["progress"]["total"], payload["progress"]["mine_total"]
        assert totals == (campaign.reviews_total + campaign.checks_total, round(55 * 1.6))
        sent = {
            "client_id": payload["client_id"],
            "answers": {"choice": "a", "ranks": None, "comment": ""},
            "revision": 0,
            "seconds_active": 3,
        }
        stored = browser.post(payload["url"], sent, content_type="application/json", headers=JSON)
        assert stored.status_code == 201 and set(stored.json()) == {"saved_at", "revision", "is_replay"}
    assert set(pages) == {"review", "gold", "repeat"}
    # One page, but for the first one's open instructions and the undo.
    assert pages["gold"] | pages["repeat"] <= pages["review"]
    assert told["gold"] | told["repeat"] <= told["review"]
    assert len(set.union(*shapes.values())) == 1
    # Each submission moves every figure by one, whatever it was of.
    assert figures == [(n, n) for n in range(len(figures))]
    assert not re.search(r"gold|calibrat", browser.get("/reviews/submitted/").text)


def test_what_is_chosen_for_a_repeat_outlives_a_change_of_the_first_judgement():
    campaign, (person, _) = make_checked(gold_share=0, repeat_share=50)
    while True:
        found = next_for(campaign, person)
        review_context = review_context_at(person, found.assignment.key, found.slot)
        if review_context.assignment.purpose == Purpose.REPEAT:
            break
        submit_at(review_context=review_context, client_id=uuid4(), answers=PreferenceAnswers("a"))
    keep_draft(
        review_context=review_context,
        answers=PreferenceAnswers("b", None, "Half a sent"),
        seconds_active=1.0,
        revision=0,
    )
    first = Review.objects.get(comparison=review_context.subject_id)
    amend_review(review=first, by=person, answers=PreferenceAnswers("tie"), revision=1)
    draft = Draft.objects.get(reviewer=person)
    assert draft.body["comment"] == "Half a sent"
    assert PREFERENCE.task_at(review_context).draft == PreferenceAnswers("b", None, "Half a sent")
    # The first, opened again, shows what was submitted.
    slot = first.assignment.outputs_order.index(first.comparison_id)
    page = client_of(person).get(f"/reviews/{first.assignment.key}/{slot}/").text
    assert re.search(r'value="tie"[^>]* checked', page)
    submit_at(review_context=review_context, client_id=uuid4(), answers=PreferenceAnswers("b"))
    assert not Draft.objects.exists()
    assert Review.objects.filter(comparison=first.comparison_id, reviewer=person).count() == 2


@pytest.mark.parametrize(("method", "candidates"), [("pairwise", 2), ("pairwise", 3), ("ranking", 4)])
def test_checks_stand_on_each_side_equally_often_and_leave_the_balance_of_the_rest(method, candidates):
    width = candidates if method == "ranking" else 2
    campaign, _ = make_checked(
        width * 2, rows=20, gold=6, calibration_items=4, method=method, candidates=candidates, repeat_share=0
    )
    owner = dict(ItemOutput.objects.filter(item__campaign=campaign).values_list("pk", "candidate__position"))
    comparisons = {each.pk: each for each in Comparison.objects.filter(item__campaign=campaign)}
    overall, by_item = Counter(), Counter()
    for assignment in campaign.assignments.all():
        assert assignment.outputs_total == (1 if width > 2 else candidates * (candidates - 1) // 2)
        for pk in assignment.outputs_order:
            assert comparisons[pk].item_id == assignment.item_id
            for position, output in enumerate(arranged(comparisons[pk].outputs, assignment.arrangement)):
                if assignment.purpose == Purpose.REVIEW:
                    overall[owner[output], position] += 1
                else:
                    by_item[assignment.item_id, pk, owner[output], position] += 1
    # Twice as many people as positions: each answer of a check is given twice at each.
    assert set(by_item.values()) == {2}
    for candidate in range(candidates):
        counts = [overall[candidate, position] for position in range(width)]
        assert max(counts) - min(counts) <= 1


def test_the_cost_counts_checks_in_pairs():
    draft, _ = make_draft(rows=20, candidates=3, gold_share=10, repeat_share=10, calibration_items=2)
    set_gold_preferences(campaign=draft, rows=gold_of(draft, 1, 2), by=None)
    cost = cost_of_draft(draft)
    assert (cost.items, cost.reviews, cost.checks) == (16, 48, (2 + 2 + 2 * 2) * 3)
    opened = open_campaign(campaign=draft, by=None)
    assert opened.checks_total == cost.checks


def test_the_pages_of_checks_take_as_many_queries_for_three_people_as_for_one():
    counts = {}
    for people in (1, 3):
        campaign, team = make_checked(
            people, rows=14, calibration_items=people, repeat_share=50, team=f"{people} at work"
        )
        for _ in range(2):
            for person in team:
                judge_on(campaign, person)
            CampaignReviewer.objects.update(admitted_at=ADMITTED)
        owner = campaign.project.created_by
        address = f"/projects/{campaign.project.slug}/campaigns/{campaign.pk}/"
        pages = {
            "checks": (owner, f"{address}checks/"),
            "calibration": (owner, f"{address}calibration/"),
            "quality": (owner, f"{address}quality/"),
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


@pytest.mark.parametrize("repeat_share", [5, 10, 20])
def test_a_design_has_one_figure_of_its_effort_before_and_after_it_is_opened(repeat_share):
    for rows in (18, 23, 31):
        draft, _ = make_draft(
            rows=rows, candidates=3, gold_share=10, repeat_share=repeat_share, team=f"Team of {rows}"
        )
        set_gold_preferences(campaign=draft, rows=gold_of(draft, 1, 2), by=None)
        cost = cost_of_draft(draft)
        opened = open_campaign(campaign=draft, by=None)
        assert (opened.reviews_total, opened.checks_total) == (cost.reviews, cost.checks)
        assert cost.seconds == 90 * (opened.reviews_total + opened.checks_total)
        # Everybody's even part, to the second.
        assert 0 <= cost.share_seconds * cost.people - cost.seconds < cost.people
