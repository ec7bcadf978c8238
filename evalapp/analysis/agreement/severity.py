"""Severity of a campaign's reviewers, and its candidates' scores adjusted to an average reviewer."""

from collections.abc import Hashable
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import CampaignCandidate
from evalapp.reviews.pseudonyms import ReviewerNames
from evalapp.rubrics.models import Criterion
from evalapp.stats.facets import FacetRatings
from evalapp.stats.ordinal_model import Progress
from evalapp.stats.severity import NOT_SETTLED, AdjustedScore, Scale, Severity, severity_model

# More ratings take a web worker too long; a job fits them.
MOST_RATINGS = 3_000
# More would take a job hours, and too much memory.
MOST_FITTED = 200_000
# Least half-width of the axis of severities, so that small ones look small.
LEAST_SPAN = 0.5


class AdjustedCandidate(NamedTuple):
    """``total`` is on 1–5; ``scores`` by criterion, each on its own scale."""

    candidate: CampaignCandidate
    total: AdjustedScore
    scores: list[tuple[Criterion, AdjustedScore]]


class ReviewerSeverity(NamedTuple):
    """``number`` is the pseudonym's, used in URLs; ``name`` is displayed."""

    number: int
    name: str
    is_reader: bool
    severity: Severity

    @property
    def is_apart(self) -> bool:
        """Whether the interval excludes the panel's mean reviewer."""
        low, high = self.severity.points.low, self.severity.points.high
        return low is not None and high is not None and (low > 0 or high < 0)


class CampaignSeverity(NamedTuple):
    """The fitted severities. ``ratings``: number of scores on scale criteria; if more than ``MOST_FITTED`` or
    0, nothing is fitted and ``reason`` says why.

    ``reviewer_groups`` and ``candidate_groups``: displayed names, grouped by who can be compared with whom;
    ideally one group each. ``note``: a caution about the whole. ``unscored``: scale criteria without scores,
    left out; ``unvaried``: criteria whose scores are all equal while others vary, which are undefined and not
    in totals.
    """

    ratings: int
    reason: str
    criteria: list[Criterion]
    candidates: list[AdjustedCandidate]
    reviewers: list[ReviewerSeverity]
    reviewer_groups: list[list[str]]
    candidate_groups: list[list[str]]
    note: str
    unscored: list[Criterion]
    unvaried: list[Criterion]

    @property
    def is_connected(self) -> bool:
        return len(self.reviewer_groups) <= 1 and len(self.candidate_groups) <= 1

    @property
    def span(self) -> float:
        """Half-width of the axis that contains every severity's interval."""
        ends = [
            abs(end)
            for row in self.reviewers
            for end in (row.severity.points.low, row.severity.points.high)
            if end is not None
        ]
        return max([LEAST_SPAN, *ends])


def severity_of(
    scores: CampaignScores, *, names: ReviewerNames, progress: Progress | None = None
) -> CampaignSeverity:
    """Fit all scale criteria together with the rubric's weights; reviewers are displayed by ``names``.

    Takes seconds for some thousand scores: pages fit at most ``MOST_RATINGS`` and leave more to a job.
    ``progress`` is called with the rounds done and the most rounds. Uses the reviewers' own scores, never
    adjudicated values, which have no severity.
    """
    ratings = facet_ratings(scores)
    reason = _why_not(scores, ratings)
    if reason:
        return CampaignSeverity(len(ratings), reason, scores.scales, [], [], [], [], "", [], [])
    fitted = [each for each in scores.scales if each.pk in ratings.criteria]
    weights: dict[Hashable, float] = {each.pk: float(each.weight) for each in fitted}
    scales: dict[Hashable, Scale] = {each.pk: each.rules.range for each in fitted}
    model = severity_model(ratings, scales=scales, weights=weights, progress=progress)
    candidates = {each.pk: each for each in scores.candidates}
    return CampaignSeverity(
        ratings=len(ratings),
        reason="",
        criteria=fitted,
        candidates=[
            AdjustedCandidate(
                each, model.totals[each.pk], [(of, model.scores[each.pk, of.pk]) for of in fitted]
            )
            for each in scores.candidates
            if each.pk in model.totals
        ],
        reviewers=[
            ReviewerSeverity(scores.numbers[pk], names.of(pk), pk == names.reader_id, model.severities[pk])
            for pk in scores.reviewer_ids
            if pk in model.severities
        ],
        reviewer_groups=[sorted(names.of(_id(pk)) for pk in group) for group in model.groups.reviewers],
        candidate_groups=[
            [candidates[_id(pk)].model_version.label for pk in group] for group in model.groups.candidates
        ],
        note="" if model.converged or not model.rounds else NOT_SETTLED,
        unscored=[each for each in scores.scales if each not in fitted],
        unvaried=[each for each in fitted if each.pk in model.unvaried],
    )


def facet_ratings(scores: CampaignScores) -> FacetRatings:
    """Answers to scale criteria, each with its four facets by id, as numbers of the scales."""
    number = {criterion.pk: criterion.rules.number for criterion in scores.scales}
    answers = [answer for answer in scores.answers if answer.criterion_id in number]
    return FacetRatings.from_columns(
        [answer.item_id for answer in answers],
        [answer.candidate_id for answer in answers],
        [answer.reviewer_id for answer in answers],
        [answer.criterion_id for answer in answers],
        [None if answer.value is None else number[answer.criterion_id](answer.value) for answer in answers],
    )


def _why_not(scores: CampaignScores, ratings: FacetRatings) -> str:
    if reason := why_no_means(scores):
        return f"No candidate is scored here: {reason}."
    if scores.names_are_positions:
        return "Reviewer names are positions that different people filled, so nobody’s severity is known."
    if not scores.scales:
        return "The rubric has no scale, and severity needs one."
    if not len(ratings):
        return "Every answer is N/A." if ratings.not_applicable else "Nobody has given a score yet."
    if len(ratings) > MOST_FITTED:
        return (
            f"This campaign has {len(ratings):,} scores; the model is fitted to at most {MOST_FITTED:,}. The"
            " offsets under “Hints about reviewers” have no such limit."
        )
    return ""


def _id(label: Hashable) -> int:
    assert isinstance(label, int)
    return label
