"""Reads of erasures."""

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.data_protection.models import Erasure


def erasures_of(project: Project) -> QuerySet[Erasure]:
    """The latest first, with their jobs and people."""
    erasures = Erasure.objects.filter(project=project).order_by("-pk")
    return erasures.select_related("project", "job__created_by", "created_by", "confirmed_by")
