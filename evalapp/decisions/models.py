from datetime import datetime

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.gates.models import GateEvaluation
from evalapp.registry.models import ModelVersion


class DecisionVerdict(models.TextChoices):
    RELEASE = "release", "Release"
    DO_NOT_RELEASE = "do_not_release", "Do not release"
    NOT_YET = "not_yet", "Not yet"


class Decision(BaseModel):
    """A decision on a campaign's candidate, with its author and figures. Never changed: a later decision is
    a new row, and the newest one applies.

    ``evidence``: the measures as shown at the time; for a large campaign with their ``freshness``, because a
    job had computed them earlier. With an ``evaluation`` it signs a gate's verdict; ``seal`` is then the hash
    at the end of its dossier.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="decisions")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="decisions")
    candidate = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="decisions")
    verdict = models.CharField(max_length=14, choices=DecisionVerdict.choices)
    note = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    is_simulated = models.BooleanField(default=False)
    evaluation = models.ForeignKey(
        GateEvaluation, null=True, blank=True, on_delete=models.PROTECT, related_name="decisions"
    )
    seal = models.CharField(max_length=64, blank=True, default="", db_default="")
    decided_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["campaign", "-id"], name="decision_latest")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(verdict__in=DecisionVerdict.values), name="decision_known_verdict"
            )
        ]

    def __str__(self) -> str:
        return f"{self.candidate.label}: {self.get_verdict_display().lower()}"

    @property
    def computed_at(self) -> datetime | None:
        """When a job computed its measures; None if they were computed for the decision."""
        computed_at = self.evidence.get("freshness", {}).get("computed_at")
        return datetime.fromisoformat(computed_at) if computed_at else None


class SavedView(BaseModel):
    """A named filter of a comparison. ``query``: the part of the URL after "?".

    Only its owner sees a private one (not ``is_shared``).
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.TextField()
    is_shared = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "name"], condition=models.Q(is_shared=True), name="saved_view_shared_name"
            ),
            models.UniqueConstraint(
                fields=["campaign", "owner", "name"],
                condition=models.Q(is_shared=False),
                name="saved_view_own_name",
            ),
            models.CheckConstraint(condition=~models.Q(query=""), name="saved_view_filters"),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="saved_view_latest")]

    def __str__(self) -> str:
        return self.name


class LeftFiles(BaseModel):
    """The files of a deleted project that are still to be removed; nothing else refers to them any more.

    ``files``: lists of paths, by the root that they are under (see `evalapp.decisions.left_files`).
    """

    files = models.JSONField()

    def __str__(self) -> str:
        return f"files {self.pk}"
