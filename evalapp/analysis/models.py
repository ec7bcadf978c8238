from django.db import models
from django.db.models.functions import MD5

from evalapp.accounts.models import ResultsApplyTo
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel


class AnalysisKind(models.TextChoices):
    COMPARISON = "comparison", "Comparison"
    SEVERITY = "severity", "Severity"
    AGREEMENT = "agreement", "Agreement"
    METRICS = "metrics", "Metrics and reviewer scores"


class ReviewerType(models.TextChoices):
    """Whose reviews count."""

    ALL = "all", "All reviewers"
    HUMAN = "human", "Human only"
    SIMULATED = "simulated", "Simulated only"


class ScoreSource(models.TextChoices):
    ORIGINAL = "original", "Original scores"
    ADJUDICATED = "adjudicated", "With adjudicated values"


class StoredAnalysis(BaseModel):
    """Numbers of a large campaign as a job computed them, kept until it computes them anew.

    ``view`` is the filter (`evalapp.analysis.scores.filters.ComparisonFilter.view`), empty for the
    whole. ``part`` is empty for what every reader of the page sees, else what a part is of: a criterion and a
    metric, a criterion and a reviewer by their number, a metric.
    ``changes`` and ``reviews`` are those of the campaign that the numbers rest on (see
    `evalapp.reviews.models.ReviewCount`), so that a page can say how many reviews ago that was; ``inputs``
    is the state of all else (`evalapp.analysis.stored.inputs`). ``result`` is read by
    `evalapp.analysis.stored.serialisation`, if ``format`` is its own.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="stored_analyses")
    kind = models.CharField(max_length=10, choices=AnalysisKind.choices)
    reviewer_type = models.CharField(max_length=9, choices=ReviewerType.choices)
    score_source = models.CharField(max_length=11, choices=ScoreSource.choices)
    population = models.CharField(max_length=9, choices=ResultsApplyTo.choices)
    view = models.TextField(blank=True, default="")
    part = models.CharField(max_length=120, blank=True, default="")
    format = models.PositiveSmallIntegerField()
    changes = models.BigIntegerField()
    reviews = models.BigIntegerField()
    inputs = models.JSONField(default=dict)
    result = models.JSONField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            # A view's text is as long as a URL; an index takes less.
            models.UniqueConstraint(
                *("campaign", "kind", "reviewer_type", "score_source", "population", "part", MD5("view")),
                name="stored_analysis_once",
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=AnalysisKind.values), name="stored_analysis_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.computed_at}"
