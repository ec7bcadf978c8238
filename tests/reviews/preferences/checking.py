"""Campaigns that compare and check their reviewers, for tests."""

from uuid import uuid4

from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import (
    Comparison,
    ItemOutput,
)
from evalapp.campaigns.services import open_campaign
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.gold import GoldPreferenceRow, set_gold_preferences
from evalapp.reviews.queries import review_context_at
from evalapp.reviews.services import submit_at
from tests.campaigns.making import make_campaign, make_team
from tests.factories import offered

JSON = {"Accept": "application/json"}

ADMITTED = "2026-01-01T00:00Z"


def label(campaign, position):
    return campaign.candidates.get(position=position).model_version.label


def gold_of(campaign, *rows, **options):
    """The first candidate is better than the second, or the best."""
    first, second = label(campaign, 0), label(campaign, 1)
    of_pair = {} if campaign.method == "ranking" else {"against": second, "outcome": "better"}
    return [GoldPreferenceRow(f"line {row}", str(row), first, **{**of_pair, **options}) for row in rows]


def make_draft(people=2, *, rows=60, method="pairwise", **options):
    project, team = make_team(people, options.pop("team", "Checked"))
    design = {"overlap": 1, "seed": 11, "candidates": 3 if method == "ranking" else 2} | options
    return make_campaign(project, team, rows=rows, method=method, **design), team


def make_checked(people=2, *, gold=5, **options):
    draft, team = make_draft(people, **({"gold_share": 10, "repeat_share": 20} | options))
    if draft.gold_share:
        set_gold_preferences(campaign=draft, rows=gold_of(draft, *range(1, gold + 1)), by=None)
    return open_campaign(campaign=draft, by=None), team


def by_position(review_context):
    return (
        PreferenceAnswers("", [1, 2, 3])
        if review_context.assignment.campaign.method == "ranking"
        else PreferenceAnswers("a")
    )


def by_candidate(review_context):
    """Always the same order of candidates, wherever they stand."""
    comparison = Comparison.objects.get(pk=review_context.subject_id)
    shown = arranged(comparison.outputs, review_context.assignment.arrangement)
    positions = dict(ItemOutput.objects.filter(pk__in=shown).values_list("pk", "candidate__position"))
    order = [positions[output] for output in shown]
    if len(order) > 2:
        return PreferenceAnswers("", [sorted(order).index(position) + 1 for position in order])
    return PreferenceAnswers("a" if order[0] < order[1] else "b")


def judge_on(campaign, person, said=by_candidate, most=1_000):
    """Judge until nothing comes; (purpose, item) of each in order."""
    seen = []
    for found in offered(campaign, person, most):
        review_context = review_context_at(person, found.assignment.key, found.slot)
        submit_at(
            review_context=review_context, client_id=uuid4(), answers=said(review_context), seconds_active=3.0
        )
        seen.append((review_context.assignment.purpose, review_context.assignment.item_id))
    return seen
