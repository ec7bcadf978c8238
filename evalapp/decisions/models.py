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
    """What was decided on a campaign's candidate, by whom, on which numbers. Never changed: a later
    decision is a new row, and the newest one stands.

    ``evidence`` holds the measures as they were shown when it was made; of a large campaign with their
    ``freshness``, since a job had computed them earlier. With an ``evaluation`` it signs a
    gate's verdict; ``seal`` is then the hash that ends its dossier.
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
        """When a job had computed its measures; None where they were of its own moment."""
        computed_at = self.evidence.get("freshness", {}).get("computed_at")
        return datetime.fromisoformat(computed_at) if computed_at else None


class SavedView(BaseModel):
    """A comparison as somebody filtered it, by name. ``query`` is the URL's part behind "?".

    A private one (not ``is_shared``) is its owner's alone.
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
    """The files of a deleted project, until they are removed; nothing else knows of them any more.

    ``files`` lists paths by the root that they lie under (see `evalapp.decisions.left_files`).
    """

    files = models.JSONField()

    def __str__(self) -> str:
        return f"files {self.pk}"
