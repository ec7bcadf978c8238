from django.db import models

from evalapp.accounts.models import Project
from evalapp.core.models import BaseModel
from evalapp.jobs.models import Job


class Track(models.TextChoices):
    RECORDED = "recorded", "Recorded"
    LIVE = "live", "Live"


class Demonstration(BaseModel):
    """Progress of one track of the demonstration.

    ``position`` counts the finished steps of ``story.STEPS``; ``job`` is the job that the current step waits
    for; ``objects_made`` has the ids of the objects that the steps created, by name.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="demonstrations")
    track = models.CharField(max_length=10, choices=Track.choices)
    position = models.PositiveSmallIntegerField(default=0)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    objects_made = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "track"], name="demonstration_track_once")]

    def __str__(self) -> str:
        return f"{self.project.name}, {self.track}"
