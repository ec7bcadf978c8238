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
    """Which reviewers' reviews count."""

    ALL = "all", "All reviewers"
    HUMAN = "human", "Human only"
    SIMULATED = "simulated", "Simulated only"


class ScoreSource(models.TextChoices):
    ORIGINAL = "original", "Original scores"
    ADJUDICATED = "adjudicated", "With adjudicated values"


class StoredAnalysis(BaseModel):
    """Results of a large campaign's analysis, computed and replaced by a job.

    ``view``: the filter (`evalapp.analysis.scores.filters.ComparisonFilter.view`), empty for the whole
    campaign. ``part``: empty for what every reader of the page sees, else the subject of the part: a
    criterion and a metric, a criterion and a reviewer's number, or a metric. ``changes`` and ``reviews``: the
    campaign's counts when computed (see `evalapp.reviews.models.ReviewCount`), so that a page can tell how
    many reviews came since; ``inputs``: the state of everything else (`evalapp.analysis.stored.inputs`).
    ``result`` is read by `evalapp.analysis.stored.serialisation` if ``format`` is the current one.
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
            # A view's text can be as long as a URL, longer than an index allows.
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
