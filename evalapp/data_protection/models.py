from typing import NamedTuple

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.data_protection.places import ROWS_BY_MODEL
from evalapp.jobs.models import Job


class ErasureState(models.TextChoices):
    SEARCHING = "searching", "Searching"
    FOUND = "found", "To confirm"
    ERASING = "erasing", "Erasing"
    DONE = "done", "Erased"
    DISCARDED = "discarded", "Discarded"


class PlaceCount(NamedTuple):
    """Number of ``rows`` in a ``place``, under its name for people."""

    place: str
    rows: int


class Erasure(BaseModel):
    """A search for a person's data in a project, which is erased once somebody has confirmed it; then its
    receipt.

    ``sealed_texts``: the texts that identify the person, encrypted; emptied when the erasure is over.
    ``text_hashes``: to check whether a text was among them (`evalapp.data_protection.services.hash_of`).
    ``counts``: rows by place (`evalapp.data_protection.places`), of the search and then of the erasure.
    ``remaining``: what people still have to do (`evalapp.data_protection.remaining`).
    ``job``: the latest one.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="erasures")
    state = models.CharField(max_length=10, choices=ErasureState.choices, default=ErasureState.SEARCHING)
    reason = models.TextField()
    text_hashes = models.JSONField(default=list)
    sealed_texts = models.TextField(blank=True)
    counts = models.JSONField(default=dict)
    remaining = models.JSONField(default=dict)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    erased_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=["done", "discarded"], sealed_texts="")
                | (~models.Q(state__in=["done", "discarded"]) & ~models.Q(sealed_texts="")),
                name="erasure_keeps_texts_while_pending",
            ),
            models.CheckConstraint(
                condition=models.Q(state="done", erased_at__isnull=False)
                | (~models.Q(state="done") & models.Q(erased_at__isnull=True)),
                name="erasure_done_has_date",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="erasure_project_latest")]

    def __str__(self) -> str:
        return f"erasure {self.pk}"

    @property
    def rows(self) -> int:
        """Number of rows in all places together."""
        return sum(self.counts.values())

    @property
    def counts_by_place(self) -> list[PlaceCount]:
        """Places with their numbers of rows, the largest first."""
        counts = sorted(self.counts.items(), key=lambda each: (-each[1], each[0]))
        return [PlaceCount(ROWS_BY_MODEL.get(model, model), rows) for model, rows in counts]

    @property
    def is_over(self) -> bool:
        return self.state in (ErasureState.DONE, ErasureState.DISCARDED)

    @property
    def is_going(self) -> bool:
        """Whether its job is queued or running."""
        return not self.is_over and self.job is not None and not self.job.is_over
