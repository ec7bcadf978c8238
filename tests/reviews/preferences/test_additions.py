"""A campaign that compares is given more items, and more reviewers where preferences differ."""

from collections import Counter

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from evalapp.analysis.pairwise.pairs import load_preferences, pair_results
from evalapp.campaigns.added_sides import ComparedCandidates, balanced_arrangements
from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Assignment, CampaignReviewer, Comparison
from evalapp.campaigns.running import add_assignments, add_items
from evalapp.campaigns.services import add_reviewers
from evalapp.reviews.kinds import PREFERENCE
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.differing_items import items_with_differing_preferences
from evalapp.reviews.queries import review_context_at
from tests.api.conftest import problem_in, program_of
from tests.campaigns.making import make_open_campaign
from tests.campaigns.test_comparisons import positions_of, spread
from tests.cast import client_of
from tests.reviews.preferences.conftest import claim, judge

KEPT = ("pk", "key", "rank", "number", "arrangement", "outputs_order", "open_slots", "state", "reviewer_id")


def standing(campaign):
    """All that must not move of the assignments that are there."""
    return list(campaign.assignments.order_by("pk").values(*KEPT))


def assert_balanced(campaign, width):
    for counter in positions_of(campaign).values():
        assert spread(counter, width) <= 1


def judge_all(campaign, person, said):
    """Everything that this person is offered: ``said`` tells the preference from the stand."""
    while True:
        campaign_reviewer = CampaignReviewer.objects.select_related(
            "campaign__rubric_version", "campaign__project", "user"
        ).get(campaign=campaign, user=person)
        found = next_review(campaign_reviewer=campaign_reviewer)
        if not isinstance(found, NextReview):
            return found
        review_context = review_context_at(person, found.assignment.key, found.slot)
        judge(campaign, person, said(review_context), review_context=review_context)


def for_the_better(review_context):
    """For whichever side holds the candidate that answers with an “a”."""
    texts = [answer.text for answer in PREFERENCE.task_at(review_context).answers]
    return PreferenceAnswers("a" if min(texts) == texts[0] else "b")


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "width"), [("pairwise", 2), ("ranking", 3)])
def test_items_are_added_with_balanced_sides_and_nothing_that_stands_moves(
    project, reviewer, other_reviewer, method, width
):
    campaign = make_open_campaign(
        project,
        [reviewer, other_reviewer],
        rows=14,
        candidates=3,
        overlap=2,
        method=method,
        item_choice="random",
        examples_wanted=5,
    )
    preference = PreferenceAnswers("a") if method == "pairwise" else PreferenceAnswers("", [2, 1, 3])
    judge(campaign, reviewer, preference)
    claim(campaign, other_reviewer)
    before = standing(campaign)
    assert add_items(campaign=campaign, wanted=9, by=None) == 9
    assert standing(campaign)[: len(before)] == before
    asked = 3 if method == "pairwise" else 1
    assert (campaign.items_total, campaign.assignments_total) == (14, 28)
    assert campaign.reviews_total == 28 * asked
    assert Comparison.objects.filter(item__campaign=campaign).count() == 14 * asked
    assert_balanced(campaign, width)
    overall = {}
    for (_, candidate), counter in positions_of(campaign).items():
        overall.setdefault(candidate, Counter()).update(counter)
    # Of three in an order a turn moves all at once, so over the campaign they come less close.
    most = 2 if method == "pairwise" else 5
    assert all(spread(counter, width) <= most for counter in overall.values())
    # What is added can be judged like the rest.
    judge_all(campaign, reviewer, lambda _: preference)
    assert Review.objects.filter(reviewer=reviewer).count() == 14 * asked


@pytest.mark.django_db
def test_more_people_come_where_preferences_differ_and_agreement_is_of_the_design(
    project, reviewer, other_reviewer, engineer, manager
):
    campaign = make_open_campaign(
        project, [reviewer, other_reviewer], rows=3, candidates=2, overlap=2, method="pairwise"
    )
    apart = campaign.items.order_by("pk")[1]
    judge_all(campaign, reviewer, for_the_better)
    judge_all(
        campaign,
        other_reviewer,
        lambda review_context: (
            PreferenceAnswers("tie")
            if review_context.assignment.item_id == apart.pk
            else for_the_better(review_context)
        ),
    )
    add_reviewers(campaign=campaign, reviewers=[engineer], by=None)
    agreement = pair_results(load_preferences(campaign)).exact
    assert agreement.value == pytest.approx(2 / 3)
    assert items_with_differing_preferences(campaign, most=0.5) == {apart.pk}
    before = standing(campaign)
    browser = client_of(manager)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/additions/"
    sent = {"agreement": 50, "more": 1}
    assert (
        ">1</strong> item has at least this difference" in browser.post(address, {**sent, "add": "show"}).text
    )
    added = browser.post(address, {**sent, "add": "assignments"}, follow=True)
    assert "1 of 1 items go to more reviewers." in added.text
    assert standing(campaign)[:-1] == before
    new = campaign.assignments.get(is_added=True)
    assert (new.item_id, new.number, new.outputs_total, new.open_slots) == (apart.pk, 3, 1, [0])
    again = browser.post(address, {**sent, "add": "assignments"})
    assert again.status_code == 400 and "already have added reviewers" in again.text
    judge_all(campaign, engineer, for_the_better)
    assert Review.objects.get(assignment=new).reviewer == engineer
    results = pair_results(load_preferences(campaign))
    assert results.exact.value == agreement.value
    assert len(results.preferences.rows) == 7


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("overlap", "more", "method", "width"),
    [(1, 1, "pairwise", 2), (2, 1, "ranking", 3), (1, 2, "ranking", 3)],
)
def test_an_items_answers_stand_in_turn_also_with_more_people(
    project, reviewer, other_reviewer, engineer, overlap, more, method, width
):
    people = [reviewer, other_reviewer, engineer]
    campaign = make_open_campaign(
        project, people, rows=6, candidates=3, overlap=overlap, method=method, distribution="manual"
    )
    items = set(campaign.items.order_by("pk").values_list("pk", flat=True)[:3])
    assert add_assignments(campaign=campaign, differing=lambda: items, more=more, by=None) == (3, 3)
    assert_balanced(campaign, width)
    added = campaign.assignments.filter(is_added=True)
    assert added.count() == 3 * more
    assert added.exclude(assigned_to=None).exists()
    for assignment in Assignment.objects.filter(campaign=campaign):
        assert set(assignment.outputs_order) == set(assignment.item.comparisons.values_list("pk", flat=True))


@pytest.mark.django_db
def test_programs_add_to_it_with_what_its_method_needs(project, reviewer, manager):
    campaign = make_open_campaign(
        project,
        [reviewer],
        rows=4,
        candidates=2,
        overlap=1,
        method="pairwise",
        item_choice="random",
        examples_wanted=2,
    )
    program, address = program_of(manager), f"projects/{project.slug}/campaigns/{campaign.pk}/"
    assert program.post(f"{address}items/", {"items": 1}).json() == {"added": 1}
    assert program.post(f"{address}assignments/", {"agreement": 50}).json() == {"differing": 0, "added": 0}
    wrong = problem_in(program.post(f"{address}assignments/", {"criterion": "tone", "least": 1}), 400)
    assert set(wrong["fields"]) == {"agreement", "criterion", "least"}
    rated = make_open_campaign(
        project, [reviewer], rows=1, overlap=1, name="Rated", dataset="Rated", rubric="Rated"
    )
    address = f"projects/{project.slug}/campaigns/{rated.pk}/"
    wrong = problem_in(program.post(f"{address}assignments/", {"agreement": 50, "least": 1}), 400)
    assert set(wrong["fields"]) == {"agreement", "criterion"}


@given(st.data())
def test_added_assignments_even_out_what_stands(data):
    width = data.draw(st.integers(2, 5))
    items = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=30))
    met = {item: [ComparedCandidates(0, range(width))] for item in items}
    # What the launch made is balanced in every item.
    had = Counter(
        (item, turn % width) for item in met for turn in range(data.draw(st.integers(0, 2 * width)))
    )
    arranged = {"had": had, "standing": Counter(), "width": width}
    chosen = balanced_arrangements(items, met, **arranged, seed="1")
    assert chosen == balanced_arrangements(items, met, **arranged, seed="1")
    total = had + Counter(zip(items, chosen, strict=True))
    for item in met:
        counts = [total[item, turn] for turn in range(width)]
        assert max(counts) - min(counts) <= 1


@pytest.mark.django_db
def test_adding_takes_as_many_queries_for_three_items_as_for_one(project, reviewer):
    counts = []
    for wanted in (1, 3):
        campaign = make_open_campaign(
            project,
            [reviewer],
            rows=5,
            overlap=1,
            method="pairwise",
            item_choice="random",
            examples_wanted=2,
            name=f"{wanted}",
            dataset=f"{wanted}",
            rubric=f"{wanted}",
        )
        with CaptureQueriesContext(connection) as captured:
            add_items(campaign=campaign, wanted=wanted, by=None)
        counts.append(len(captured))
    assert counts[0] == counts[1]
