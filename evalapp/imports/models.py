from typing import ClassVar

from django.db import models

from evalapp.accounts.models import Project, User
from evalapp.core.models import BaseModel
from evalapp.jobs.models import Job


class FileImport(BaseModel):
    """An uploaded file that will become the object in its foreign key named ``became``.

    It waits for its options while ``job`` is null. ``stored_name``: the file's name in the upload folder.
    ``options`` are first guessed from the file and then chosen by a person.
    """

    became: ClassVar[str]
    audited_as: ClassVar[str]
    """Prefix of its actions in the audit log."""

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
        """Whether its options can still be chosen: it waits, or its job ended without a result."""
        return not self.is_done and (self.job is None or self.job.is_over)

    @property
    def of_project(self) -> Project:
        raise NotImplementedError
