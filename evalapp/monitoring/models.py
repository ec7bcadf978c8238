import datetime as dt

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import Dataset
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.models import Output

WEEK = dt.timedelta(days=7)
LATE_PERIOD = 4 * WEEK
"""How long after its week an output can still be sampled."""


class Sampling(models.TextChoices):
    """How sampling probabilities depend on the stratum."""

    PROPORTIONAL = "proportional", "All outputs equally likely"
    RISK = "risk", "Strata with more material errors up to three times as likely"


class Stream(BaseModel):
    """Outputs of a system in production, of which people review a sample every week.

    ``next_sample_at`` ends the running week: then ``outputs_per_week`` of its outputs are sampled by
    ``seed``, stratified by ``stratify_by`` if set, in proportion or by risk (``sampling``), and each goes to
    ``overlap`` people of ``reviewers``. ``thresholds``: criterion's key → the mean (the rate, for
    ``error_criterion``) past which it alerts; ``daily_thresholds``: the same for daily metrics (see
    `evalapp.monitoring.daily.thresholds`). ``error_criterion``: key of the criterion that finds material
    errors; empty: none. ``dataset`` and ``candidate`` contain the sampled outputs, so that these are reviewed
    and exported like any others. ``key_figures``: role → {"criterion": key, "metric": name of a daily
    metric}. ``follows_champion``: a new champion of the project is deployed here. ``unmatched_assessments``:
    number of assessments whose event did not arrive. ``counted_events`` and ``counted_assessments``: keys up
    to which the daily metrics count. ``site``: scheme and host as the manager sees them, for links. A stream
    that has ended is paused for good.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="streams")
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    dataset = models.OneToOneField(Dataset, on_delete=models.PROTECT, related_name="stream")
    candidate = models.OneToOneField(ModelVersion, on_delete=models.PROTECT, related_name="stream")
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="+")
    reviewers = models.ManyToManyField(User, through="StreamReviewer", related_name="+")
    outputs_per_week = models.PositiveIntegerField()
    overlap = models.PositiveSmallIntegerField(default=1)
    stratify_by = models.CharField(max_length=100, blank=True)
    sampling = models.CharField(max_length=12, choices=Sampling.choices, default=Sampling.PROPORTIONAL)
    seed = models.BigIntegerField()
    error_criterion = models.CharField(max_length=40, blank=True)
    thresholds = models.JSONField(default=dict, blank=True)
    daily_thresholds = models.JSONField(default=dict, blank=True)
    baseline_weeks = models.PositiveSmallIntegerField(default=12)
    next_sample_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    site = models.CharField(max_length=300)
    key_figures = models.JSONField(default=dict, blank=True)
    follows_champion = models.BooleanField(default=True, db_default=True)
    unmatched_assessments = models.PositiveIntegerField(default=0)
    counted_events = models.BigIntegerField(default=0)
    counted_assessments = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="stream_name_in_project"),
            models.CheckConstraint(
                condition=models.Q(outputs_per_week__gte=1, overlap__gte=1), name="stream_sample_size"
            ),
            models.CheckConstraint(condition=models.Q(baseline_weeks__range=(8, 52)), name="stream_baseline"),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(paused_at__isnull=False),
                name="stream_ended_is_paused",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_sample_at"], name="stream_due", condition=models.Q(paused_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class KeyFigureRole(models.TextChoices):
    SATISFACTION = "satisfaction", "Satisfaction"
    RELEVANCE = "relevance", "Relevance"
    HALLUCINATION = "hallucination", "Hallucination"


class StreamReviewer(models.Model):
    """A reviewer of a stream's weeks, as long as their role in the project permits it."""

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="stream_reviewers")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "user"], name="stream_reviewer_once")]

    def __str__(self) -> str:
        return str(self.user)


class WeeklySampleState(models.TextChoices):
    DUE = "due", "Sampling"
    EMPTY = "empty", "Empty"
    OPEN = "open", "In review"
    EVALUATED = "evaluated", "Evaluated"


class WeeklySample(BaseModel):
    """A stream's week, from ``begins_at`` to before ``ends_at``; unique, even with several schedulers.

    ``population``: the number of outputs that had arrived when it was sampled; ``size`` of them are reviewed
    in ``campaign``, beside ``anchors`` outputs of earlier weeks. ``strata``: stratum → outputs of the
    population. ``last_key``: the key of the stream's newest event then; later ones of this week are late, and
    ``late`` of the population are such outputs of earlier weeks. None if the application drew the sample.
    ``note``: differences from the plan.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="weekly_samples")
    number = models.PositiveIntegerField()
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=WeeklySampleState.choices, default=WeeklySampleState.DUE)
    population = models.PositiveIntegerField(default=0)
    size = models.PositiveIntegerField(default=0)
    anchors = models.PositiveIntegerField(default=0)
    late = models.PositiveIntegerField(default=0)
    last_key = models.BigIntegerField(null=True, blank=True)
    strata = models.JSONField(default=dict, blank=True)
    note = models.CharField(max_length=300, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    campaign = models.OneToOneField(
        Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="weekly_sample"
    )
    evaluated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "number"], name="weekly_sample_number"),
            models.UniqueConstraint(fields=["stream", "ends_at"], name="weekly_sample_once_a_week"),
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("begins_at")), name="weekly_sample_order"
            ),
            models.CheckConstraint(
                condition=models.Q(size__lte=models.F("population")), name="weekly_sample_within_population"
            ),
            models.CheckConstraint(
                condition=models.Q(late__lte=models.F("population")), name="weekly_sample_late_in_population"
            ),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[WeeklySampleState.OPEN, WeeklySampleState.EVALUATED], campaign__isnull=False
                )
                | models.Q(state__in=[WeeklySampleState.DUE, WeeklySampleState.EMPTY], campaign__isnull=True),
                name="weekly_sample_open_has_campaign",
            ),
            models.CheckConstraint(
                condition=models.Q(state=WeeklySampleState.EVALUATED, evaluated_at__isnull=False)
                | (~models.Q(state=WeeklySampleState.EVALUATED) & models.Q(evaluated_at__isnull=True)),
                name="weekly_sample_evaluated_has_date",
            ),
        ]
        indexes = [
            models.Index(
                fields=["state"],
                name="weekly_sample_going",
                condition=~models.Q(state=WeeklySampleState.EVALUATED),
            )
        ]

    def __str__(self) -> str:
        return f"week {self.number}"


class SampleRole(models.TextChoices):
    NEW = "new", "New"
    ANCHOR = "anchor", "Anchor"


class SampledOutput(BaseModel):
    """An output in a weekly sample. A new one has its ``stratum`` and inclusion probability, whose reciprocal
    is its weight in the week. An *anchor* was reviewed in an earlier week, and is reviewed again blind to
    tell whether reviewers have changed; it has no weight.
    """

    weekly_sample = models.ForeignKey(WeeklySample, on_delete=models.CASCADE, related_name="samples")
    key = models.ForeignKey("EventKey", on_delete=models.PROTECT, related_name="samples")
    output = models.OneToOneField(Output, on_delete=models.PROTECT, related_name="sample")
    model_version = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=6, choices=SampleRole.choices, default=SampleRole.NEW)
    stratum = models.CharField(max_length=100, blank=True)
    inclusion_probability = models.FloatField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(role=SampleRole.NEW, inclusion_probability__isnull=False)
                | models.Q(role=SampleRole.ANCHOR, inclusion_probability__isnull=True),
                name="sampled_output_new_has_probability",
            ),
            models.UniqueConstraint(fields=["weekly_sample", "key"], name="sampled_output_once"),
            models.CheckConstraint(
                condition=models.Q(inclusion_probability__gt=0, inclusion_probability__lte=1),
                name="sampled_with_probability",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key_id} in {self.weekly_sample_id}"


class WeeklyMetric(BaseModel):
    """A criterion's metric of one week, as evaluated then.

    ``is_rate``: the share with a material error; else a mean. ``lower_is_better``: as in Criterion.
    ``reviews`` and ``items``: the numbers of reviews and outputs behind it. ``error``: standard error of
    ``value``. Without a value, ``reason`` says why. ``narrowed_*``: the same estimate, made more precise
    by the daily metric ``narrowed_by``; empty if none does.
    """

    weekly_sample = models.ForeignKey(WeeklySample, on_delete=models.CASCADE, related_name="metrics")
    criterion_key = models.CharField(max_length=40)
    criterion_name = models.CharField(max_length=80)
    is_rate = models.BooleanField(default=False)
    lower_is_better = models.BooleanField(default=False)
    value = models.FloatField(null=True, blank=True)
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    error = models.FloatField(null=True, blank=True)
    reviews = models.PositiveIntegerField(default=0)
    items = models.PositiveIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    note = models.CharField(max_length=200, blank=True)
    signature = models.CharField(max_length=200)
    narrowed_by = models.CharField(max_length=80, blank=True)
    narrowed_value = models.FloatField(null=True, blank=True)
    narrowed_low = models.FloatField(null=True, blank=True)
    narrowed_high = models.FloatField(null=True, blank=True)

    class Meta:
        ordering = ["weekly_sample_id", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["weekly_sample", "criterion_key"], name="weekly_metric_once"),
            models.CheckConstraint(
                condition=models.Q(
                    value__isnull=True, low__isnull=True, high__isnull=True, error__isnull=True
                )
                & ~models.Q(reason="")
                | models.Q(value__isnull=False, reason=""),
                name="weekly_metric_value_or_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion_name} of {self.weekly_sample}"

    @property
    def more_is_worse(self) -> bool:
        return self.is_rate or self.lower_is_better


class AlertKind(models.TextChoices):
    DRIFT = "drift", "Drift"
    THRESHOLD = "threshold", "Threshold"


class Cause(models.TextChoices):
    """Why a criterion got worse, as far as anchors and the mix of inputs show."""

    MODEL = "model", "Model"
    ONE_REVIEWER = "one_reviewer", "One reviewer"
    ALL_REVIEWERS = "all_reviewers", "All reviewers"
    INPUT_MIX = "input_mix", "Input mix"
    CANNOT_TELL = "cannot_tell", "Cannot tell"


class Alert(BaseModel):
    """A criterion that got worse in a week; one of each kind in an incident.

    ``cause`` with its ``cause_reason``, and, if it is one reviewer, which. ``evidence``: [{"name", "value",
    "low", "high", "n"}], changes in points of score (see `evalapp.monitoring.causes`), with "reviewer" for
    those who moved or may have. Each later week the cause is determined again until one is found;
    ``told_week``: the number of the last week tried. ``value``: the smoothed mean or rate; ``limit``: the
    limit that it is past.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="alerts")
    weekly_sample = models.ForeignKey(WeeklySample, on_delete=models.CASCADE, related_name="alerts")
    incident = models.ForeignKey("Incident", on_delete=models.CASCADE, related_name="alerts")
    criterion_key = models.CharField(max_length=40)
    criterion_name = models.CharField(max_length=80)
    kind = models.CharField(max_length=9, choices=AlertKind.choices)
    cause = models.CharField(max_length=13, choices=Cause.choices, default=Cause.CANNOT_TELL)
    cause_reason = models.CharField(max_length=300, blank=True)
    cause_reviewer = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    evidence = models.JSONField(default=list, blank=True)
    told_week = models.PositiveIntegerField(null=True, blank=True)
    value = models.FloatField()
    limit = models.FloatField()
    message = models.CharField(max_length=400)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "criterion_key", "kind"], name="alert_once_an_incident"
            ),
        ]

    def __str__(self) -> str:
        return self.message

    @property
    def statement(self) -> str:
        """The message without stream and week, for places that show these anyway."""
        _, _, words = self.message.rpartition(f", {self.weekly_sample}: ")
        return f"{words[:1].upper()}{words[1:]}"
