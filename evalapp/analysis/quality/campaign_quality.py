"""The quality of a campaign while it runs: agreement so far, hints, and the outputs to look at."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Max

from evalapp.analysis.agreement.measures import AgreementRow, agreement_rows
from evalapp.analysis.cases.cases import CaseFilter, CaseRow, rows_of, with_excerpts
from evalapp.analysis.comparison.unblinding import Unblinding, unblinding_of
from evalapp.analysis.pairwise.pairs import load_preferences
from evalapp.analysis.quality.comparison_hints import (
    HINTS_OF_COMPARISONS,
    ReviewerPreferences,
    preferences_by_reviewer,
)
from evalapp.analysis.quality.hints import Checks, Hint, Quality, hints_of
from evalapp.analysis.quality.reading import reading_times
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.stored.item_sample import SampledItems, sampled_scores
from evalapp.campaigns.models import MANY_LAPSES, Assignment, AssignmentState, Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.preferences.checks import ComparisonChecks, checks_of
from evalapp.reviews.progress import TeamProgress, team_progress

# With fewer outputs that two reviewers rated, an agreement is chance.
LEAST_FOR_AGREEMENT = 10
MOST_DIFFERING = 5
MOST_ABANDONED_ITEMS = 10


class AgreementSoFar(NamedTuple):
    """``is_early``: fewer outputs than needed; only their number is reported then."""

    row: AgreementRow
    outputs: int
    is_early: bool


class AbandonedItem(NamedTuple):
    """An item that is repeatedly claimed and left: ``lapses``: of the assignment with the most."""

    item_id: int
    row_number: int
    lapses: int


class NamedHint(NamedTuple):
    """``name``: the reviewer whom the hint is about; for two, both."""

    name: str
    hint: Hint


class NamedChecks(NamedTuple):
    name: str
    checks: ComparisonChecks


class NamedPreferences(NamedTuple):
    name: str
    given: ReviewerPreferences


class CampaignQuality(NamedTuple):
    """``unblinding`` is None also for a reader who still reviews here blind. ``compared``: in campaigns of
    comparisons with checks, each reviewer's results on these; ``preferences``: each reviewer's preferences
    there. ``sample``: the items behind agreement, differences and hints about scores; None for all.
    """

    scores: CampaignScores
    sample: SampledItems | None
    team: TeamProgress
    agreement: list[AgreementSoFar]
    differing: list[CaseRow]
    differing_total: int
    hints: list[NamedHint]
    abandoned_items: list[AbandonedItem]
    unblinding: Unblinding | None
    is_reviewing: bool
    compared: list[NamedChecks]
    preferences: list[NamedPreferences]

    @property
    def is_early(self) -> bool:
        """Whether every criterion is early, so that it is said once."""
        return bool(self.agreement) and all(each.is_early for each in self.agreement)

    @property
    def least(self) -> int:
        return LEAST_FOR_AGREEMENT


def agreement_so_far(scores: CampaignScores) -> list[AgreementSoFar]:
    """Agreement per criterion with the number of outputs that at least two people rated."""
    found = []
    for row in agreement_rows(scores):
        outputs = len(scores.output_spreads(row.criterion))
        found.append(AgreementSoFar(row, outputs, outputs < LEAST_FOR_AGREEMENT))
    return found


def quality_of(campaign: Campaign, *, reader: int) -> CampaignQuality:
    """All that the page shows; the user with the id ``reader`` is named "You"."""
    scores, sample = sampled_scores(campaign)
    team = team_progress(campaign, reader_id=reader)
    spreads = scores.widest_spreads()
    differing = [output for output in scores.outputs if spreads.get(output.item_output_id, 0) > 0]
    differing.sort(key=lambda output: (-spreads[output.item_output_id], output.item_id))
    shown = rows_of(scores, CaseFilter(differ=True), differing[:MOST_DIFFERING])
    checks = _checks(campaign)
    preferences = load_preferences(campaign) if campaign.compares else None
    quality = Quality(scores, team, reading_times(campaign), checks, preferences)
    hints = hints_of(quality, HINTS_OF_COMPARISONS if campaign.compares else None)
    person = campaign.reviewers.filter(user=reader).select_related("user").first()
    is_reviewing = person is not None and is_reviewing_blind(campaign, person.user)
    return CampaignQuality(
        scores=scores,
        sample=sample,
        team=team,
        agreement=agreement_so_far(scores),
        differing=with_excerpts(shown),
        differing_total=len(differing),
        hints=[NamedHint(_whom(team, hint), hint) for hint in hints],
        abandoned_items=abandoned_items(campaign),
        unblinding=None if is_reviewing else unblinding_of(campaign),
        is_reviewing=is_reviewing,
        compared=[
            NamedChecks(team.names.of(each.campaign_reviewer.user_id), each)
            for each in checks
            if isinstance(each, ComparisonChecks)
        ],
        preferences=[
            NamedPreferences(team.names.of(each.reviewer_id), each)
            for each in preferences_by_reviewer(quality)
        ],
    )


def _whom(team: TeamProgress, hint: Hint) -> str:
    people = (hint.reviewer_id, hint.other_id)
    return " and ".join(team.names.of(person) for person in people if person is not None)


def _checks(campaign: Campaign) -> Sequence[Checks]:
    if not campaign.gold_share and not campaign.repeat_share:
        return []
    return checks_of(campaign)


def abandoned_items(campaign: Campaign) -> list[AbandonedItem]:
    """Incomplete items with an assignment whose lease expired at least 3 times, most often left first."""
    assignments = (
        Assignment.objects.filter(campaign=campaign, lapses__gte=MANY_LAPSES)
        .exclude(state=AssignmentState.SUBMITTED)
        .values_list("item_id", "item__example__row_number")
        .annotate(most=Max("lapses"))
        .order_by("-most", "item_id")
    )
    return [AbandonedItem(*row) for row in assignments[:MOST_ABANDONED_ITEMS]]
