from django.db import models
from django.db.models import Q

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.jobs.models import Job


class ReportState(models.TextChoices):
    WRITING = "writing", "Writing"
    DONE = "done", "Done"


class Report(BaseModel):
    """A campaign's results as files that never change: an HTML page and a PDF. Later reviews are in the next
    report.

    ``reviewer_type``: whose reviews count, as in `load_scores`. ``view``: its filter as URL parameters, in
    words in ``view_words``; empty: no filter. ``files``: name, SHA-256 and size of each. ``data_digest``
    covers all reviews.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reports")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reports")
    state = models.CharField(max_length=8, choices=ReportState.choices, default=ReportState.WRITING)
    reviewer_type = models.CharField(max_length=9, default="all")
    view = models.TextField(blank=True, default="", db_default="")
    view_words = models.TextField(blank=True, default="", db_default="")
    files = models.JSONField(default=list)
    data_digest = models.CharField(max_length=64, blank=True, default="")
    is_simulated = models.BooleanField(default=False)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["campaign", "-id"], name="report_latest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(reviewer_type__in=["all", "human", "simulated"]),
                name="report_known_reviewer_type",
            ),
            models.CheckConstraint(
                condition=Q(state=ReportState.WRITING, finished_at__isnull=True)
                | (Q(state=ReportState.DONE, finished_at__isnull=False) & ~Q(data_digest="")),
                name="report_done_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"Report {self.pk} of {self.campaign}"
