import datetime as dt

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import RubricVersion
from evalapp.runs.models import Output

WEEK = dt.timedelta(days=7)


class Stream(BaseModel):
    """Answers of a system in production, of which people review some every week.

    ``next_draw_at`` ends the running week: then ``outputs_a_week`` of its outputs are drawn by ``seed``, in
    proportion by ``strata_field`` where there is one, and go to the people of ``reviewers``, ``overlap`` to each.
    ``thresholds``: criterion's key → the mean (the rate, for ``error_criterion``) past which it alerts. ``error_criterion`` is the key of the question that
    finds material errors; empty: none. ``dataset`` and ``candidate`` hold what was drawn, so that it is reviewed,
    exported and walked through like any other. ``site``: scheme and host as the manager sees it, for links.
    One that has ended is paused for good.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="streams")
    name = models.CharField(max_length=80)
    description = models.TextField(blank=True)
    dataset = models.OneToOneField(Dataset, on_delete=models.PROTECT, related_name="stream")
    candidate = models.OneToOneField(ModelVersion, on_delete=models.PROTECT, related_name="stream")
    rubric_version = models.ForeignKey(RubricVersion, on_delete=models.PROTECT, related_name="+")
    reviewers = models.ManyToManyField(User, through="StreamReviewer", related_name="+")
    outputs_a_week = models.PositiveIntegerField()
    overlap = models.PositiveSmallIntegerField(default=1)
    strata_field = models.CharField(max_length=100, blank=True)
    seed = models.BigIntegerField()
    error_criterion = models.CharField(max_length=40, blank=True)
    thresholds = models.JSONField(default=dict, blank=True)
    baseline_weeks = models.PositiveSmallIntegerField(default=12)
    next_draw_at = models.DateTimeField()
    paused_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    site = models.CharField(max_length=300)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="stream_name_in_project"),
            models.CheckConstraint(
                condition=models.Q(outputs_a_week__gte=1, overlap__gte=1), name="stream_draws_something"
            ),
            models.CheckConstraint(condition=models.Q(baseline_weeks__range=(8, 52)), name="stream_baseline"),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(paused_at__isnull=False),
                name="stream_ended_is_paused",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_draw_at"], name="stream_due", condition=models.Q(paused_at__isnull=True)
            )
        ]

    def __str__(self) -> str:
        return self.name


class StreamReviewer(models.Model):
    """Who reviews a stream's weeks, as long as their role in the project lets them."""

    id = models.BigAutoField(primary_key=True)
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="stream_reviewers")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stream", "user"], name="stream_reviewer_once")]

    def __str__(self) -> str:
        return str(self.user)


class ProductionOutput(BaseModel):
    """An answer that users got. ``external_id`` is what its own system calls it: imported twice, it is there once.

    ``messages`` as in Example. ``model_version`` is what production calls the model. ``strata``: fields by which
    a draw can be in proportion. ``content_hash`` tells a repetition from another answer under the same id.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="outputs")
    external_id = models.CharField(max_length=200)
    messages = models.JSONField()
    context = models.TextField(blank=True)
    text = models.TextField()
    model_version = models.CharField(max_length=120, blank=True)
    happened_at = models.DateTimeField()
    strata = models.JSONField(default=dict, blank=True)
    content_hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "external_id"], name="production_output_once")
        ]
        indexes = [models.Index(fields=["stream", "happened_at"], name="production_output_week")]

    def __str__(self) -> str:
        return self.external_id


class DrawState(models.TextChoices):
    DUE = "due", "Being drawn"
    EMPTY = "empty", "Nothing to draw"
    OPEN = "open", "In review"
    JUDGED = "judged", "Judged"


class Draw(BaseModel):
    """A stream's week, from ``begins_at`` to before ``ends_at``: there once, whoever's clock struck first.

    ``population`` outputs had come in when it was drawn, of which ``drawn`` are reviewed in ``campaign``.
    ``note`` says what differs from the plan.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="draws")
    number = models.PositiveIntegerField()
    begins_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    state = models.CharField(max_length=6, choices=DrawState.choices, default=DrawState.DUE)
    population = models.PositiveIntegerField(default=0)
    drawn = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    campaign = models.OneToOneField(
        Campaign, null=True, blank=True, on_delete=models.PROTECT, related_name="draw"
    )
    judged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["stream", "number"], name="draw_number"),
            models.UniqueConstraint(fields=["stream", "ends_at"], name="draw_once_a_week"),
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("begins_at")), name="draw_order"),
            models.CheckConstraint(
                condition=models.Q(drawn__lte=models.F("population")), name="draw_within_population"
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[DrawState.OPEN, DrawState.JUDGED], campaign__isnull=False)
                | models.Q(state__in=[DrawState.DUE, DrawState.EMPTY], campaign__isnull=True),
                name="draw_open_has_campaign",
            ),
            models.CheckConstraint(
                condition=models.Q(state=DrawState.JUDGED, judged_at__isnull=False)
                | (~models.Q(state=DrawState.JUDGED) & models.Q(judged_at__isnull=True)),
                name="draw_judged_has_date",
            ),
        ]
        indexes = [
            models.Index(fields=["state"], name="draw_going", condition=~models.Q(state=DrawState.JUDGED))
        ]

    def __str__(self) -> str:
        return f"week {self.number}"


class SampledOutput(BaseModel):
    """An output that a week's draw took, with how likely that was; its weight in the week is one over it."""

    draw = models.ForeignKey(Draw, on_delete=models.CASCADE, related_name="samples")
    production_output = models.OneToOneField(
        ProductionOutput, on_delete=models.PROTECT, related_name="sample"
    )
    output = models.OneToOneField(Output, on_delete=models.PROTECT, related_name="sample")
    inclusion_probability = models.FloatField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(inclusion_probability__gt=0, inclusion_probability__lte=1),
                name="sampled_with_probability",
            )
        ]

    def __str__(self) -> str:
        return f"{self.production_output_id} in {self.draw_id}"


class Kpi(BaseModel):
    """A criterion's figure of one week, as it was when the week was judged.

    ``is_rate``: the share with a material error; else a mean. ``lower_is_better``: as of a Criterion.
    ``reviews`` it rests on, over ``items`` outputs. ``error``: standard error of ``value``. Without a value,
    ``reason`` says why.
    """

    draw = models.ForeignKey(Draw, on_delete=models.CASCADE, related_name="kpis")
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

    class Meta:
        ordering = ["draw_id", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["draw", "criterion_key"], name="kpi_once_a_week"),
            models.CheckConstraint(
                condition=models.Q(
                    value__isnull=True, low__isnull=True, high__isnull=True, error__isnull=True
                )
                & ~models.Q(reason="")
                | models.Q(value__isnull=False, reason=""),
                name="kpi_value_or_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion_name} of {self.draw}"

    @property
    def more_is_worse(self) -> bool:
        return self.is_rate or self.lower_is_better


class Cause(models.TextChoices):
    DRIFT = "drift", "Drift"
    THRESHOLD = "threshold", "Threshold"


class MailState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    SENDING = "sending", "Sending"
    SENT = "sent", "Sent"
    FAILED = "failed", "Not sent"
    OFF = "off", "Not set up"


class Alert(BaseModel):
    """A criterion that turned to the worse in a week. While it waits for somebody, no other of its kind is raised.

    ``value`` is the smoothed mean or rate, ``limit`` what it went past. ``mail_state``: what became of the e-mail
    to those who decide; ``mail_note`` to how many, or why not.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="alerts")
    draw = models.ForeignKey(Draw, on_delete=models.CASCADE, related_name="alerts")
    criterion_key = models.CharField(max_length=40)
    criterion_name = models.CharField(max_length=80)
    cause = models.CharField(max_length=9, choices=Cause.choices)
    value = models.FloatField()
    limit = models.FloatField()
    words = models.CharField(max_length=400)
    mail_state = models.CharField(max_length=7, choices=MailState.choices, default=MailState.WAITING)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_note = models.CharField(max_length=300, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draw", "criterion_key", "cause"], name="alert_once_a_week"),
            models.UniqueConstraint(
                fields=["stream", "criterion_key", "cause"],
                condition=models.Q(acknowledged_at__isnull=True),
                name="alert_one_unanswered",
            ),
        ]
        indexes = [
            models.Index(
                fields=["mail_state"],
                name="alert_mail_due",
                condition=models.Q(mail_state=MailState.WAITING),
            )
        ]

    def __str__(self) -> str:
        return self.words


class ProposalState(models.TextChoices):
    PROPOSED = "proposed", "To decide"
    ACCEPTED = "accepted", "Accepted"
    DISMISSED = "dismissed", "Dismissed"


class RetrainProposal(BaseModel):
    """What an alert proposes: to train again on what reviewers said. A person accepts it, or says why not.

    ``dataset_version``: the feedback it was accepted for; ``weeks``: [{"week": number, "rows": int}], the weeks of the
    stream in which its training rows were reviewed. A stream has one to decide at a time.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="proposals")
    alert = models.OneToOneField(Alert, on_delete=models.CASCADE, related_name="proposal")
    state = models.CharField(max_length=9, choices=ProposalState.choices, default=ProposalState.PROPOSED)
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    weeks = models.JSONField(default=list, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream"],
                condition=models.Q(state=ProposalState.PROPOSED),
                name="proposal_one_to_decide",
            ),
            models.CheckConstraint(
                condition=models.Q(state=ProposalState.PROPOSED, decided_at__isnull=True)
                | (~models.Q(state=ProposalState.PROPOSED) & models.Q(decided_at__isnull=False)),
                name="proposal_decided_has_date",
            ),
            models.CheckConstraint(
                condition=~models.Q(state=ProposalState.DISMISSED) | ~models.Q(reason=""),
                name="proposal_dismissed_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"retrain because of {self.alert_id}"
