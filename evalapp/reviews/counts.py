"""Counts of a campaign's reviews and scores, kept by the database: reading, recounting and correcting them.

Triggers update the counts in the transaction of every review (docs/adr/0010), so reading them takes the same
time for a thousand ratings as for ten million.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import QuerySet, Sum

from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.reviews.models import ReviewCount, ScoreCount
from evalapp.reviews.reviewer_types import of_reviewer_type

logger = logging.getLogger(__name__)

COUNTS_FIXED = "counts.fixed"


class CountedReviews(NamedTuple):
    candidate_id: int
    reviewer_id: int
    is_simulated: bool
    reviews: int
    changes: int


class CountedScores(NamedTuple):
    """``value``: None for N/A."""

    candidate_id: int
    criterion_id: int
    reviewer_id: int
    is_simulated: bool
    value: int | None
    scores: int


@dataclass(frozen=True)
class CampaignCounts:
    """The current reviews and scores of a campaign that count in results."""

    reviewed: list[CountedReviews]
    scored: list[CountedScores]

    @property
    def reviews(self) -> int:
        return sum(row.reviews for row in self.reviewed)

    @property
    def changes(self) -> int:
        """The version of the data: grows with every review that is stored, amended or deleted."""
        return sum(row.changes for row in self.reviewed)

    @property
    def reviewer_ids(self) -> set[int]:
        return {row.reviewer_id for row in self.reviewed if row.reviews}

    @property
    def simulated(self) -> set[bool]:
        """The kinds of reviewers with reviews: False for people, True for simulated ones."""
        return {row.is_simulated for row in self.reviewed if row.reviews}

    @cached_property
    def _by_cell(self) -> dict[tuple[int, int], Counter[int | None]]:
        return _counts_by_pair((row.candidate_id, row.criterion_id, row) for row in self.scored)

    @cached_property
    def _by_reviewer(self) -> dict[tuple[int, int], Counter[int | None]]:
        return _counts_by_pair((row.reviewer_id, row.criterion_id, row) for row in self.scored)

    def of_cell(self, candidate_id: int, criterion_id: int) -> Counter[int | None]:
        """The number of scores by value for a candidate and criterion; None counts N/A."""
        return self._by_cell.get((candidate_id, criterion_id), Counter())

    def of_reviewer(self, reviewer_id: int, criterion_id: int) -> Counter[int | None]:
        return self._by_reviewer.get((reviewer_id, criterion_id), Counter())

    def reviews_of(self, reviewer_id: int) -> int:
        return sum(row.reviews for row in self.reviewed if row.reviewer_id == reviewer_id)


def _counts_by_pair(
    rows: Iterable[tuple[int, int, CountedScores]],
) -> dict[tuple[int, int], Counter[int | None]]:
    """The number of scores by value, for the first two elements of each row."""
    summed: dict[tuple[int, int], Counter[int | None]] = defaultdict(Counter)
    for first, second, row in rows:
        summed[first, second][row.value] += row.scores
    return summed


def campaign_counts(campaign: Campaign, *, reviewer_type: str = "all") -> CampaignCounts:
    """The counts, in two queries. ``reviewer_type`` as in
    `evalapp.analysis.scores.campaign_scores.load_scores`.
    """
    chosen = of_reviewer_type(campaign.project, reviewer_type)
    reviewed = (
        ReviewCount.objects.filter(chosen, campaign=campaign, purpose=Purpose.REVIEW)
        .order_by("id")
        .values_list("candidate_id", "reviewer_id", "is_simulated", "reviews", "changes")
    )
    scored = (
        ScoreCount.objects.filter(chosen, campaign=campaign, scores__gt=0)
        .order_by("id")
        .values_list(
            "candidate_id",
            "criterion_id",
            "reviewer_id",
            "is_simulated",
            "is_not_applicable",
            "value",
            "scores",
        )
    )
    return CampaignCounts(
        [CountedReviews(*row) for row in reviewed],
        [
            CountedScores(
                candidate, criterion, reviewer, is_simulated, None if is_not_applicable else value, times
            )
            for candidate, criterion, reviewer, is_simulated, is_not_applicable, value, times in scored
        ],
    )


def scores_given(campaign: Campaign, *, reviewer_type: str = "all") -> int:
    """The number of scores, including N/A."""
    return _sum_of(
        ScoreCount.objects.filter(of_reviewer_type(campaign.project, reviewer_type), campaign=campaign),
        "scores",
    )


def data_version(campaign: Campaign, *, reviewer_type: str = "all") -> tuple[int, int]:
    """The number of changes to the campaign's reviews so far, and the number of reviews."""
    rows = ReviewCount.objects.filter(
        of_reviewer_type(campaign.project, reviewer_type), campaign=campaign, purpose=Purpose.REVIEW
    )
    found = rows.aggregate(changes=Sum("changes"), reviews=Sum("reviews"))
    return found["changes"] or 0, found["reviews"] or 0


def _sum_of(rows: QuerySet[ScoreCount], field: str) -> int:
    return int(rows.aggregate(total=Sum(field))["total"] or 0)


# Recount, comparison and correction are one statement, which sees reviews and counts at one moment. It adds
# differences, so that concurrent submissions stay counted.
_FIX_REVIEW_COUNTS = """
WITH counted AS (
    SELECT r.campaign_id, o.candidate_id, r.reviewer_id, r.purpose, r.is_simulated,
           count(*) AS reviews, min(r.id) AS first_review
    FROM evalapp_review r JOIN evalapp_itemoutput o ON o.id = r.item_output_id
    WHERE r.campaign_id = %(campaign)s GROUP BY 1, 2, 3, 4, 5
), kept AS (
    SELECT * FROM evalapp_reviewcount WHERE campaign_id = %(campaign)s
), different AS (
    SELECT campaign_id, candidate_id, reviewer_id, purpose, is_simulated,
           coalesce(counted.reviews, 0) - coalesce(kept.reviews, 0) AS missing,
           coalesce(counted.first_review, kept.first_review) AS first_review
    FROM counted FULL JOIN kept USING (campaign_id, candidate_id, reviewer_id, purpose, is_simulated)
    WHERE coalesce(counted.reviews, 0) <> coalesce(kept.reviews, 0)
       OR counted.first_review IS DISTINCT FROM kept.first_review AND counted.first_review IS NOT NULL
), fixed AS (
    INSERT INTO evalapp_reviewcount AS kept
        (campaign_id, candidate_id, reviewer_id, purpose, is_simulated, reviews, changes, first_review)
    SELECT campaign_id, candidate_id, reviewer_id, purpose, is_simulated, missing, abs(missing) + 1,
        first_review
    FROM different
    ON CONFLICT (campaign_id, candidate_id, reviewer_id, purpose, is_simulated) DO UPDATE
    SET reviews = kept.reviews + EXCLUDED.reviews, changes = kept.changes + EXCLUDED.changes,
        first_review = EXCLUDED.first_review
)
SELECT count(*), coalesce(sum(abs(missing)), 0) FROM different
"""
_FIX_SCORE_COUNTS = """
WITH counted AS (
    SELECT r.campaign_id, o.candidate_id, s.criterion_id, r.reviewer_id, r.is_simulated, s.is_not_applicable,
           coalesce(s.value, 0)::smallint AS value, count(*) AS scores
    FROM evalapp_review r JOIN evalapp_score s ON s.review_id = r.id
    JOIN evalapp_itemoutput o ON o.id = r.item_output_id
    WHERE r.campaign_id = %(campaign)s AND r.purpose = 'review' GROUP BY 1, 2, 3, 4, 5, 6, 7
), kept AS (
    SELECT * FROM evalapp_scorecount WHERE campaign_id = %(campaign)s
), different AS (
    SELECT campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value,
           coalesce(counted.scores, 0) - coalesce(kept.scores, 0) AS missing
    FROM counted FULL JOIN kept
        USING (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value)
    WHERE coalesce(counted.scores, 0) <> coalesce(kept.scores, 0)
), fixed AS (
    INSERT INTO evalapp_scorecount AS kept
        (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value, scores)
    SELECT campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value,
        missing
    FROM different
    ON CONFLICT (campaign_id, candidate_id, criterion_id, reviewer_id, is_simulated, is_not_applicable, value)
    DO UPDATE SET scores = kept.scores + EXCLUDED.scores
)
SELECT count(*), coalesce(sum(abs(missing)), 0) FROM different
"""


class FixedCounts(NamedTuple):
    """The number of wrong counts, and the total difference in reviews and scores."""

    review_counts: int
    reviews: int
    score_counts: int
    scores: int

    @property
    def is_sound(self) -> bool:
        return not (self.review_counts or self.score_counts)


@transaction.atomic
def fix_counts(*, campaign: Campaign) -> FixedCounts:
    """Recount the whole campaign and correct differing counts; differences are audited.

    Safe while people review: it locks nothing, and loses no concurrent submission.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIX_REVIEW_COUNTS, {"campaign": campaign.pk})
        review_counts, reviews = cursor.fetchone()
        cursor.execute(_FIX_SCORE_COUNTS, {"campaign": campaign.pk})
        score_counts, scores = cursor.fetchone()
    fixed = FixedCounts(review_counts, int(reviews), score_counts, int(scores))
    if not fixed.is_sound:
        logger.error(
            "Counts of campaign %s differed from a recount and were corrected: %s", campaign.pk, fixed
        )
        record(COUNTS_FIXED, by=None, obj=campaign, project=campaign.project, data=fixed._asdict())
    return fixed


def check_all_counts() -> Iterator[tuple[Campaign, FixedCounts]]:
    """Run `fix_counts` for every campaign, each in its own transaction; yields campaigns with wrong
    counts.
    """
    campaigns = Campaign.objects.select_related("project").order_by("pk")
    for campaign in list(campaigns):
        fixed = fix_counts(campaign=campaign)
        if not fixed.is_sound:
            yield campaign, fixed
