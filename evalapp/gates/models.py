from django.db import models
from django.db.models import Q

from evalapp.accounts.models import Project, ResultsApplyTo, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.gates.conditions import Condition, conditions_in
from evalapp.registry.models import ModelVersion
from evalapp.rubrics.models import Rubric


class GateVerdict(models.TextChoices):
    RELEASE = "release", "Release"
    DO_NOT_RELEASE = "do_not_release", "Do not release"
    NOT_YET = "not_yet", "Not yet"


class Gate(BaseModel):
    """Conditions that a candidate must all meet. Frozen by the first campaign that applies it: a later edit
    makes the next version of its name.

    ``conditions``: as from `conditions.Condition.as_dict`. ``alpha``: the one-sided level for all evaluations
    of all candidates on one test version. A standard gate, without ``challengers``, is evaluated once for
    each candidate of its campaign, when ``planned_reviews`` of each are in (None: as many as the campaign
    plans). A sequential gate is evaluated for ``challengers`` candidates as reviews come in, and spends the
    level on the way to that number. ``population``: whose scores its conditions are about. ``body_hash``
    covers all of these with name and version. ``rubric``: the source of its criteria.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="gates")
    rubric = models.ForeignKey(Rubric, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    version = models.PositiveIntegerField(default=1)
    alpha = models.FloatField(default=0.05)
    planned_reviews = models.PositiveIntegerField(null=True, blank=True)
    challengers = models.PositiveSmallIntegerField(null=True, blank=True)
    population = models.CharField(max_length=9, choices=ResultsApplyTo.choices)
    conditions = models.JSONField()
    body_hash = models.CharField(max_length=64)
    frozen_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name", "version"], name="gate_version"),
            models.CheckConstraint(condition=Q(alpha__gt=0, alpha__lt=0.5), name="gate_alpha"),
            models.CheckConstraint(condition=Q(challengers__gte=1), name="gate_plan"),
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def is_sequential(self) -> bool:
        """Whether it may be evaluated before all reviews are in."""
        return self.challengers is not None

    @property
    def parsed_conditions(self) -> list[Condition]:
        return conditions_in(self.conditions)


class CampaignGate(BaseModel):
    """A gate applied to a campaign, permanently. ``is_exploratory``: applied after the first review.

    ``champion``: the candidate that others are compared with, named at the same time. The database refuses a
    gate that is not exploratory once there is a review.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="applied_gates")
    gate = models.ForeignKey(Gate, on_delete=models.PROTECT, related_name="applications")
    champion = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_exploratory = models.BooleanField()
    applied_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "gate"], name="campaign_gate_once"),
            models.UniqueConstraint(
                fields=["campaign"], condition=Q(is_exploratory=False), name="campaign_one_frozen_gate"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.gate} in {self.campaign}"


class TrainingDataAttestation(BaseModel):
    """A person's attestation that none of a campaign's prompts is in the training data of a candidate trained
    elsewhere. Never changed.
    """

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="attestations")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    statement = models.TextField()
    attested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "candidate"], name="training_data_attested_once")
        ]

    def __str__(self) -> str:
        return f"{self.candidate.label} in {self.campaign}"


class Ledger(BaseModel):
    """How the false-release budget is spent on the examples of one dataset version and split, over all
    campaigns and gates.

    The first gate evaluated on them sets the plan. ``spent_at``: when more candidates than planned were
    evaluated; from then on the split is development data.
    """

    dataset_version = models.ForeignKey(DatasetVersion, on_delete=models.PROTECT, related_name="ledgers")
    split = models.CharField(max_length=10, choices=Split.choices)
    alpha = models.FloatField()
    challengers = models.PositiveSmallIntegerField()
    spent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "false-release budget"
        constraints = [models.UniqueConstraint(fields=["dataset_version", "split"], name="ledger_of_split")]

    def __str__(self) -> str:
        return f"{self.dataset_version}, {self.get_split_display().lower()}"


class GateEvaluation(BaseModel):
    """A recorded evaluation: the verdict of a gate on a candidate, from the reviews at that time. Never
    changed.

    ``record`` is all of it, as ``body_hash`` covers it and the dossier contains it; the other columns repeat
    parts of it for queries. ``reviews``: the canonical text of each review's revisions, one line each, as
    ``reviews_digest`` covers them. An evaluation on the ledger has its ``challenger`` and evaluation
    ``number`` there, and ``share``: the share of the candidate's ``planned`` reviews that were in. An
    exploratory or simulated evaluation has none of these, and uses the plain level.
    """

    campaign_gate = models.ForeignKey(CampaignGate, on_delete=models.CASCADE, related_name="evaluations")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=14, choices=GateVerdict.choices)
    ledger = models.ForeignKey(Ledger, null=True, on_delete=models.PROTECT, related_name="evaluations")
    challenger = models.PositiveSmallIntegerField(null=True)
    number = models.PositiveSmallIntegerField(null=True)
    planned = models.PositiveIntegerField(null=True)
    share = models.FloatField(null=True)
    level = models.FloatField()
    is_exploratory = models.BooleanField(default=False)
    is_simulated = models.BooleanField(default=False)
    more_reviews = models.PositiveIntegerField(null=True)
    record = models.JSONField()
    body_hash = models.CharField(max_length=64)
    reviews = models.TextField()
    reviews_digest = models.CharField(max_length=64)
    evaluated_at = models.DateTimeField()
    evaluated_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["campaign_gate", "candidate", "-id"], name="gate_evaluation_latest")]
        constraints = [
            models.UniqueConstraint(fields=["ledger", "challenger", "number"], name="gate_evaluation_once"),
            models.CheckConstraint(
                condition=Q(
                    ledger__isnull=True, challenger__isnull=True, number__isnull=True, share__isnull=True
                )
                | Q(
                    ledger__isnull=False,
                    challenger__gte=1,
                    number__gte=1,
                    planned__gte=1,
                    share__gt=0,
                    is_exploratory=False,
                    is_simulated=False,
                ),
                name="gate_evaluation_is_whole",
            ),
            # Neither exploratory nor simulated evaluations are on a ledger.
            models.CheckConstraint(
                condition=Q(ledger__isnull=False) | Q(is_exploratory=True) | Q(is_simulated=True),
                name="gate_evaluation_or_not_signed",
            ),
            models.CheckConstraint(condition=Q(verdict__in=GateVerdict.values), name="gate_known_verdict"),
        ]

    def __str__(self) -> str:
        return f"{self.candidate.label}: {self.get_verdict_display().lower()}"

    @property
    def results(self) -> list[dict[str, object]]:
        """The result of each condition, as from `measuring.Result.as_dict`."""
        return list(self.record["results"])

    @property
    def may_be_signed(self) -> bool:
        return not self.is_exploratory and not self.is_simulated

    @property
    def verdict_for_delivery(self) -> str:
        """The verdict that continuous delivery may act on: not yet, whatever the numbers say, if nobody can
        sign it.
        """
        return self.verdict if self.may_be_signed else GateVerdict.NOT_YET.value

    @property
    def why_not_signed(self) -> str:
        """Why the numbers decide nothing, as a sentence; empty if they may be signed."""
        if self.is_simulated:
            return "Only simulated reviewers have rated here, and their reviews decide nothing."
        if self.is_exploratory:
            return (
                f"This evaluation is exploratory, because {self.record['why_beside_ledger']}; it is not"
                " signed. Test on fresh examples, with the gate applied before the first review."
            )
        return ""
