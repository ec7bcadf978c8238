from django.db import models

from evalapp.accounts.models import User
from evalapp.core.models import BaseModel
from evalapp.decisions.models import Decision
from evalapp.monitoring.models import Stream
from evalapp.registry.models import ModelVersion

LONGEST_SERVED_AS = 120


class DeploymentOrigin(models.TextChoices):
    PROMOTION = "promotion", "Promotion"
    RECORDED = "recorded", "Recorded"
    ROLL_BACK = "roll_back", "Rolled back"


class Deployment(BaseModel):
    """A model version that serves a stream's users, from ``started_at`` to before ``ended_at`` (None: still).

    It gets ``share`` of the traffic (above 0, at most 1); the running deployments of a stream have 1 together
    at most. ``served_as``: the model's name in the stream's events. ``note``: the reason, if given.
    ``decision``: the decision that promoted it.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="deployments")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    served_as = models.CharField(max_length=LONGEST_SERVED_AS)
    share = models.FloatField(default=1.0)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    origin = models.CharField(max_length=9, choices=DeploymentOrigin.choices)
    note = models.CharField(max_length=500, blank=True)
    decision = models.ForeignKey(
        Decision, null=True, blank=True, on_delete=models.SET_NULL, related_name="deployments"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(share__gt=0, share__lte=1), name="deployment_share_of_traffic"
            ),
            models.CheckConstraint(
                condition=models.Q(ended_at__isnull=True) | models.Q(ended_at__gte=models.F("started_at")),
                name="deployment_ends_after_it_starts",
            ),
            models.UniqueConstraint(
                fields=["stream", "version"],
                condition=models.Q(ended_at__isnull=True),
                name="deployment_once_at_a_time",
            ),
        ]
        indexes = [models.Index(fields=["stream", "-started_at"], name="deployment_latest")]

    def __str__(self) -> str:
        return f"{self.version.label} in {self.stream}"
