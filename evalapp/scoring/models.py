import hashlib
import json
from typing import cast

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.datasets.models import Dataset
from evalapp.measure import signature
from evalapp.metrics.metric import Direction, MetricDescription
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Output, Run


class RuleCheck(BaseModel):
    """A brand, safety or format rule defined in the browser; ``params`` depend on ``kind`` (see
    evalapp.metrics.rules for the kinds and their validation).
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rule_checks")
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=30)
    params = models.JSONField(default=dict)
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="rule_check_name")]

    def __str__(self) -> str:
        return self.name

    @property
    def metric(self) -> str:
        """Metric name of its results."""
        return f"rule:{self.pk}"

    @property
    def signature(self) -> str:
        """Identifies the definition, to tell its results from those of an earlier one."""
        definition = json.dumps([self.kind, self.params], sort_keys=True)
        return signature(
            "rule", kind=self.kind, definition=hashlib.sha256(definition.encode()).hexdigest()[:12]
        )


class Better(models.TextChoices):
    HIGHER = "higher", "More is better"
    LOWER = "lower", "Less is better"
    NONE = "none", "Neither is better"


class ExternalMetric(BaseModel):
    """A score computed elsewhere. ``smallest`` and ``largest``: the ends of its scale, if any; ``source``:
    how it is computed.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="external_metrics")
    name = models.CharField(max_length=60)
    better = models.CharField(max_length=6, choices=Better.choices, default=Better.HIGHER)
    smallest = models.FloatField(null=True, blank=True)
    largest = models.FloatField(null=True, blank=True)
    source = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="external_metric_name"),
            models.CheckConstraint(
                condition=models.Q(better__in=Better.values), name="external_metric_known_direction"
            ),
            models.CheckConstraint(
                condition=models.Q(smallest__isnull=True)
                | models.Q(largest__isnull=True)
                | models.Q(smallest__lt=models.F("largest")),
                name="external_metric_scale",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def metric(self) -> str:
        """Metric name of its values; never that of a built-in metric."""
        return f"external:{self.pk}"

    @property
    def signature(self) -> str:
        return signature("external", metric=self.name.replace("|", "/").replace(":", "/"))

    @property
    def description(self) -> MetricDescription:
        return MetricDescription(
            name=self.metric,
            label=f"{self.name} (external)",
            better=cast(Direction, self.better),
            smallest=self.smallest,
            largest=self.largest,
            needs="nothing",
            anchor="external-metrics",
        )


class ParserKind(models.TextChoices):
    EXACT = "exact", "The whole answer"
    FIRST_LINE = "first_line", "The first line that is not empty"
    PATTERN = "pattern", "The match of a regular expression"
    JSON_FIELD = "json_field", "A field of a JSON object"


class LabelParser(BaseModel):
    """How a label is read from outputs for a dataset whose examples have true labels.

    ``labels``: the possible ones; if empty, those of the examples. See `evalapp.metrics.labels` for the
    kinds.
    """

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="label_parser")
    kind = models.CharField(max_length=10, choices=ParserKind.choices)
    pattern = models.CharField(max_length=500, blank=True)
    field = models.CharField(max_length=100, blank=True)
    ignore_case = models.BooleanField(default=True)
    labels = ArrayField(models.CharField(max_length=200), default=list)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=ParserKind.values), name="label_parser_known_kind"
            ),
            models.CheckConstraint(
                condition=(models.Q(kind=ParserKind.PATTERN) & ~models.Q(pattern=""))
                | (~models.Q(kind=ParserKind.PATTERN) & models.Q(pattern="")),
                name="label_parser_pattern",
            ),
            models.CheckConstraint(
                condition=(models.Q(kind=ParserKind.JSON_FIELD) & ~models.Q(field=""))
                | (~models.Q(kind=ParserKind.JSON_FIELD) & models.Q(field="")),
                name="label_parser_field",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.dataset.name}"

    @property
    def signature(self) -> str:
        """Identifies the definition, to tell labels from those read by an earlier one."""
        definition = json.dumps([self.kind, self.pattern, self.field, self.ignore_case, self.labels])
        return signature(
            "label", kind=self.kind, definition=hashlib.sha256(definition.encode()).hexdigest()[:12]
        )


class MetricResult(models.Model):
    """One metric of one output: a value, or why it is undefined.

    ``metric`` is a name such as "rougeL", "rule:<id>" for a rule check (1 passed, 0 failed; ``detail`` lists
    what was found), "external:<id>" for a score computed elsewhere, or "label" (1 for the true label, 0 for
    another or none; ``detail`` has the true and the predicted label).
    """

    id = models.BigAutoField(primary_key=True)
    output = models.ForeignKey(Output, on_delete=models.CASCADE, related_name="metric_results")
    metric = models.CharField(max_length=40)
    signature = models.CharField(max_length=200)
    value = models.FloatField(null=True)
    reason = models.CharField(max_length=120, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["output", "metric"], name="metric_result_once"),
            models.CheckConstraint(
                condition=models.Q(value__isnull=False, reason="")
                | (models.Q(value__isnull=True) & ~models.Q(reason="")),
                name="metric_value_or_reason",
            ),
        ]
        indexes = [models.Index(fields=["metric", "value"], name="metric_by_value")]

    def __str__(self) -> str:
        return f"{self.metric} {self.value}"


class CorpusMetric(BaseModel):
    """A metric of a candidate over one split of a run, computed from summed statistics (BLEU, chrF)."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="corpus_metrics")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="corpus_metrics")
    split = models.CharField(max_length=10)
    metric = models.CharField(max_length=40)
    signature = models.CharField(max_length=200)
    value = models.FloatField(null=True)
    reason = models.CharField(max_length=120, blank=True)
    n = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "candidate", "split", "metric"], name="corpus_metric_once")
        ]

    def __str__(self) -> str:
        return f"{self.metric} {self.value}"
