from django.db import models

from evalapp.accounts.models import User
from evalapp.core.models import BaseModel
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.jobs.models import FINAL_STATES, Job


class HealthCheck(BaseModel):
    """The health check of a version; repeating it replaces the earlier one.

    ``counts``: findings by kind, once ``checked_at`` is set. ``unchecked``: kinds that could not be checked,
    or only in part, each with the reason in one sentence.
    """

    version = models.OneToOneField(DatasetVersion, on_delete=models.CASCADE, related_name="health_check")
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    checked_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict)
    unchecked = models.JSONField(default=dict, blank=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"health of {self.version}"


class Finding(models.Model):
    """A problem of a row: what is wrong, why, and what is proposed; ``example`` is null where rows are
    missing.

    ``other_rows``: numbers of the rows of the version that it was compared with. ``spans``: positions in its
    texts, [{"field", "start", "end", "type"}]. ``changes``: values set by the proposal, {field: value}, by
    the names of `evalapp.curation.health.rows`. ``is_kept``: a person decided to leave the row as it is;
    later checks of the dataset remember that while the row's content is the same.
    """

    id = models.BigAutoField(primary_key=True)
    health_check = models.ForeignKey(HealthCheck, on_delete=models.CASCADE, related_name="findings")
    kind = models.CharField(max_length=20, choices=FindingKind.choices)
    example = models.ForeignKey(Example, null=True, on_delete=models.CASCADE, related_name="findings")
    other_rows = models.JSONField(default=list)
    score = models.FloatField(null=True)
    spans = models.JSONField(default=list)
    evidence = models.TextField()
    proposal = models.CharField(max_length=10, choices=Proposal.choices)
    changes = models.JSONField(default=dict)
    is_kept = models.BooleanField(default=False)
    kept_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["health_check", "kind", "example"], name="finding_once_per_row"),
            models.CheckConstraint(
                condition=models.Q(kind__in=FindingKind.values) & models.Q(proposal__in=Proposal.values),
                name="finding_known_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.evidence


class DraftState(models.TextChoices):
    OPEN = "open", "Open"
    PUBLISHED = "published", "Published"
    DISCARDED = "discarded", "Discarded"


class DatasetDraft(BaseModel):
    """Changes to the rows of a version that are to become the dataset's next version, ``version``.

    Only differences are stored: rows without an edit stay as they are in ``base``. ``job`` is the latest that
    published the draft, or tried to.
    """

    base = models.ForeignKey(DatasetVersion, on_delete=models.CASCADE, related_name="drafts")
    state = models.CharField(max_length=10, choices=DraftState.choices, default=DraftState.OPEN)
    note = models.TextField(blank=True)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    version = models.OneToOneField(
        DatasetVersion, null=True, blank=True, on_delete=models.CASCADE, related_name="published_draft"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["base"], condition=models.Q(state=DraftState.OPEN), name="dataset_draft_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"draft of {self.base}"

    @property
    def is_being_published(self) -> bool:
        return self.state == DraftState.OPEN and self.job is not None and self.job.state not in FINAL_STATES


class Operation(models.TextChoices):
    CHANGE = "change", "Changed"
    DROP = "drop", "Dropped"
    MERGE = "merge", "Merged"


class RowEdit(BaseModel):
    """A draft's edit of one row. ``changes``: new values, {field: value}, by the names of
    `evalapp.curation.health.rows` and ``split``, ``label``. ``into_row``: the number of the row that receives
    the answers of a merged one. ``kind``: of the finding that led to it, or empty. ``revision`` counts its
    writes, to detect concurrent edits.
    """

    draft = models.ForeignKey(DatasetDraft, on_delete=models.CASCADE, related_name="edits")
    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="edits")
    operation = models.CharField(max_length=10, choices=Operation.choices)
    changes = models.JSONField(default=dict)
    into_row = models.PositiveIntegerField(null=True, blank=True)
    reason = models.TextField(blank=True)
    kind = models.CharField(max_length=20, choices=FindingKind.choices, blank=True)
    revision = models.PositiveIntegerField(default=1)
    edited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    edited_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["draft", "example"], name="row_edit_once"),
            models.CheckConstraint(
                condition=models.Q(operation="merge", into_row__isnull=False)
                | (~models.Q(operation="merge") & models.Q(into_row__isnull=True)),
                name="row_edit_merge_has_target",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} of {self.example}"
