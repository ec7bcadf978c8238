"""Reads of erasures."""

from typing import NamedTuple

from django.db.models import QuerySet

from evalapp.accounts.models import Project
from evalapp.data_protection.models import Erasure
from evalapp.datasets.models import DatasetVersion, VersionState
from evalapp.registry.models import ModelVersion


def erasures_of(project: Project) -> QuerySet[Erasure]:
    """Erasures of the project, latest first, with their jobs and users."""
    erasures = Erasure.objects.filter(project=project).order_by("-pk")
    return erasures.select_related("project", "job__created_by", "created_by", "confirmed_by")


class Named(NamedTuple):
    """Something that a receipt refers to by ``id``, with its current name; "" if it was deleted."""

    id: int
    name: str


def named_versions(erasure: Erasure) -> list[Named]:
    """The dataset versions that contained the person."""
    ids = erasure.remaining.get("versions", [])
    return _named(
        ids, DatasetVersion.objects.filter(pk__in=ids, state=VersionState.READY).select_related("dataset")
    )


def named_models(erasure: Erasure) -> list[Named]:
    """The models that were trained on those versions."""
    ids = erasure.remaining.get("models", [])
    return _named(ids, ModelVersion.objects.filter(pk__in=ids))


def _named(ids: list[int], found: QuerySet[DatasetVersion] | QuerySet[ModelVersion]) -> list[Named]:
    names = {each.pk: each.label if isinstance(each, ModelVersion) else str(each) for each in found}
    return [Named(pk, names.get(pk, "")) for pk in ids]
