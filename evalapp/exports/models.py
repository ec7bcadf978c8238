from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.core.models import BaseModel
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.jobs.models import Job
from evalapp.reviews.models import Review
from evalapp.runs.models import Output


class ExportState(models.TextChoices):
    OPEN = "open", "Open"
    WRITING = "writing", "Writing"
    DONE = "done", "Done"


class Export(BaseModel):
    """Feedback that is to be written into files and a new dataset version. While it is open, rows are
    accepted, edited or rejected; once done it does not change. If the writing job ends without success, it is
    open again (see ``queries.open_for_decisions``). ``files`` lists name, rows, SHA-256. ``settings`` holds
    the selection rules and, where only some outputs were taken, which and why.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="exports")
    campaign = models.ForeignKey(Campaign, on_delete=models.PROTECT, related_name="exports")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=8, choices=ExportState.choices, default=ExportState.OPEN)
    settings = models.JSONField(default=dict)
    files = models.JSONField(default=list)
    dataset_version = models.ForeignKey(
        DatasetVersion, null=True, blank=True, on_delete=models.SET_NULL, related_name="exports"
    )
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    is_simulated = models.BooleanField(default=False)
    is_recorded = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="export_name_in_project")]

    @property
    def picked_outputs(self) -> list[int] | None:
        """Ids of the ItemOutputs that it covers; None for all of its campaign."""
        picked = self.settings.get("picked")
        return picked["outputs"] if picked else None

    @property
    def picked_because(self) -> str:
        return str(self.settings.get("picked", {}).get("because", ""))

    def __str__(self) -> str:
        return self.name


class RowKind(models.TextChoices):
    ANSWER = "answer", "Training answer"
    PREFERENCE = "preference", "Preference pair"
    RATED = "rated", "Rated answer"


class RowDecision(models.TextChoices):
    PENDING = "pending", "To decide"
    ACCEPTED = "accepted", "Accepted"
    EDITED = "edited", "Accepted with edits"
    REJECTED = "rejected", "Rejected"


class ExportRow(BaseModel):
    """A proposed row, in or out with its reason.

    ``chosen_text`` is the correction (or a well-rated output); ``rejected_output`` the output that it
    corrects. ``review`` is the correction's, so that a rating can be traced to the adapter trained on it. A
    rated answer is an output judged good or bad by its ratings alone, as ``is_good`` says.
    """

    export = models.ForeignKey(Export, on_delete=models.CASCADE, related_name="rows")
    kind = models.CharField(max_length=10, choices=RowKind.choices)
    example = models.ForeignKey(Example, on_delete=models.PROTECT, related_name="+")
    review = models.ForeignKey(
        Review, null=True, blank=True, on_delete=models.PROTECT, related_name="export_rows"
    )
    chosen_output = models.ForeignKey(
        Output, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    rejected_output = models.ForeignKey(
        Output, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    chosen_text = models.TextField()
    edited_text = models.TextField(blank=True)
    is_included = models.BooleanField()
    is_good = models.BooleanField(null=True, blank=True)
    reason = models.CharField(max_length=200)
    decision = models.CharField(max_length=10, choices=RowDecision.choices, default=RowDecision.PENDING)
    decided_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    training_example = models.ForeignKey(
        Example, null=True, blank=True, on_delete=models.SET_NULL, related_name="export_rows"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(decision=RowDecision.PENDING, decided_at__isnull=True)
                | (~models.Q(decision=RowDecision.PENDING) & models.Q(decided_at__isnull=False)),
                name="export_row_decision_has_date",
            ),
            models.CheckConstraint(
                condition=models.Q(kind=RowKind.RATED)
                & (models.Q(is_included=False) | models.Q(is_good__isnull=False))
                | ~models.Q(kind=RowKind.RATED) & models.Q(is_good__isnull=True),
                name="export_row_rated_is_judged",
            ),
        ]
        indexes = [models.Index(fields=["export", "id"], name="export_row_order")]

    def __str__(self) -> str:
        return self.chosen_text[:60]
