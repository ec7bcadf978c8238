from django.db import models

from evalapp.accounts.models import User
from evalapp.core.models import BaseModel
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.jobs.models import FINAL_STATES, Job


class HealthCheck(BaseModel):
    """What was looked for in a version, once: a check that is repeated takes the place of the one before.

    ``counts``: findings by kind, once ``checked_at`` is set. ``unchecked``: kinds that could not be looked
    for, or not wholly, with the reason in one sentence.
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
    """A row with what is wrong, why, and what is proposed; ``example`` is null where rows are missing.

    ``other_rows``: numbers of the rows of the version that it was compared with. ``spans``: where in its
    texts, [{"field", "start", "end", "type"}]. ``changes``: what the proposal sets, {field: value}, by the
    names of `evalapp.curation.health.rows`. ``is_kept``: somebody looked and lets the row stay as it is; a
    later check of the dataset remembers it while the row's content is the same.
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
    """Changes to the rows of a version, on their way to becoming the dataset's next one, ``version``.

    It holds differences only: what no edit names stays as it is in ``base``. ``job`` is the latest that
    published it, or tried to.
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
    """What a draft does to a row. ``changes``: new values, {field: value}, by the names of
    `evalapp.curation.health.rows` and ``split``, ``label``. ``into_row``: the number of the row that gets the
    answers of a merged one. ``kind``: of the finding that led to it, or empty. ``revision`` counts its
    writes, so that a second editor is told.
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
