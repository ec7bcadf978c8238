from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion
from evalapp.exports.models import Export
from evalapp.runs.models import Run


class Decision(models.TextChoices):
    OPEN = "open", "Open"
    SHIP = "ship", "Ship"
    DO_NOT_SHIP = "do_not_ship", "Do not ship"
    NOT_YET = "not_yet", "Not yet"


class Cycle(BaseModel):
    """One turn of the loop: dataset version → run → candidates → campaign → decision."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="cycles")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    training_run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    generation_run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    campaign = models.ForeignKey(Campaign, null=True, blank=True, on_delete=models.SET_NULL, related_name="cycles")
    export = models.ForeignKey(Export, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decision = models.CharField(max_length=12, choices=Decision.choices, default=Decision.OPEN)
    decision_note = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    is_recorded = models.BooleanField(default=False)
    is_simulated = models.BooleanField(default=False)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="cycle_number"),
            models.CheckConstraint(
                condition=models.Q(decision=Decision.OPEN, decided_at__isnull=True)
                | (~models.Q(decision=Decision.OPEN) & models.Q(decided_at__isnull=False)),
                name="cycle_decision_has_date",
            ),
        ]

    def __str__(self) -> str:
        return self.name
