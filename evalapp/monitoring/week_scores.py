"""Reviews of a week's outputs, as numbers."""

from django.db.models import Exists, OuterRef

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import Purpose
from evalapp.monitoring.models import WeeklySample
from evalapp.reviews.models import Review, SpanAnswer
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.models import Criterion
from evalapp.stats.ratings import Ratings


def ratings_of(week: WeeklySample, scores: CampaignScores, criterion: Criterion) -> Ratings:
    """Scores by item of the week's campaign and reviewer; for a criterion that finds errors, 1 for an
    undesired answer or mark, else 0.
    """
    if criterion.rules.has_mean:
        return scores.numbers_given(criterion, scores.candidates[0])
    if criterion.rules.answered_by == "marks":
        return _error_ratings(week, criterion)
    return scores.ratings(criterion, scores.candidates[0], counted=criterion.failing_levels)


def _error_ratings(week: WeeklySample, criterion: Criterion) -> Ratings:
    """For each review, 1 if it marks something with an undesired label of a span criterion, else 0."""
    labels = [number for number, option in enumerate(criterion.options, start=1) if option["is_undesired"]]
    reviews = Review.objects.filter(
        of_reviewer_type(week.stream.project), campaign=week.campaign, purpose=Purpose.REVIEW
    )
    marks = SpanAnswer.objects.filter(review=OuterRef("pk"), criterion=criterion, label__in=labels)
    rows = list(
        reviews.annotate(is_marked=Exists(marks))
        .order_by("pk")
        .values_list("item_output__item", "reviewer", "is_marked")
    )
    return Ratings.from_columns(
        [item for item, _, _ in rows],
        [reviewer for _, reviewer, _ in rows],
        [float(is_marked) for _, _, is_marked in rows],
    )
