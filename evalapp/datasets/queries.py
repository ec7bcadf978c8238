"""Reads of datasets."""

from collections.abc import Iterable

from django.db.models import QuerySet

from evalapp.datasets.models import DatasetVersion, Example


def examples_of(version: DatasetVersion, splits: Iterable[str] | None = None) -> QuerySet[Example]:
    """The version's examples of these splits (None: all), in the order of their row numbers."""
    examples = Example.objects.filter(version=version)
    if splits is not None:
        examples = examples.filter(split__in=list(splits))
    return examples.order_by("row_number")
