from typing import ClassVar

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.jobs.models import Job


class FileImport(BaseModel):
    """An uploaded file on its way to becoming what ``became`` names, a foreign key of the model.

    Waits for its options while ``job`` is null. ``stored_name`` is the server's own name for the file in
    the upload folder. ``options`` is what a person chose, beginning with what the file looks like.
    """

    became: ClassVar[str]
    audited_as: ClassVar[str]
    """What its entries in the audit begin with."""

    file_name = models.CharField(max_length=200)
    stored_name = models.CharField(max_length=80, unique=True)
    size_bytes = models.BigIntegerField()
    options = models.JSONField(default=dict)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="%(class)s"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.file_name

    @property
    def is_done(self) -> bool:
        return getattr(self, f"{self.became}_id") is not None

    @property
    def is_open(self) -> bool:
        """Whether somebody may choose its options: it waits, or its job ended without an outcome."""
        return not self.is_done and (self.job is None or self.job.is_over)

    @property
    def of_project(self) -> Project:
        raise NotImplementedError
