"""Read queries on datasets."""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet

from evalapp.accounts.models import Project
from evalapp.core.errors import MissingError
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example, Split, VersionState

TRAINING_SPLITS = (Split.TRAIN, Split.VALIDATION)
DOWNLOADABLE_SPLITS = (Split.TRAIN, Split.VALIDATION, Split.FEEDBACK)


def examples_of(version: DatasetVersion, splits: Iterable[str] | None = None) -> QuerySet[Example]:
    """The version's examples of these splits (None: all), ordered by row number."""
    examples = Example.objects.filter(version=version)
    if splits is not None:
        examples = examples.filter(split__in=list(splits))
    return examples.order_by("row_number")


def datasets_of(project: Project) -> QuerySet[Dataset]:
    """The project's datasets, with ``versions.all()`` prefetched: ready versions only, latest first."""
    ready = DatasetVersion.objects.filter(state=VersionState.READY).order_by("-number")
    return project.datasets.order_by("name").prefetch_related(Prefetch("versions", queryset=ready))


def versions_of(dataset: Dataset) -> QuerySet[DatasetVersion]:
    return dataset.versions.filter(state=VersionState.READY).select_related("dataset", "parent", "created_by")


def other_versions(version: DatasetVersion) -> list[DatasetVersion]:
    """The dataset's other versions, latest first."""
    return list(versions_of(version.dataset).exclude(pk=version.pk).order_by("-number"))


def version_to_compare_with(
    version: DatasetVersion, others: list[DatasetVersion], number: str
) -> DatasetVersion | None:
    """The version to compare with: the one of this number; without a number the version that it was created
    from, else the one before it, else the latest, and None where there is no other. Raises MissingError for
    an unknown number.
    """
    if number:
        found = next((each for each in others if str(each.number) == number), None)
        if found is None:
            raise MissingError(f"The dataset has no other version {number[:20]}.")
        return found
    parent = next((each for each in others if each.pk == version.parent_id), None)
    earlier = [each for each in others if each.number < version.number]
    return parent or next(iter(earlier or others), None)


def version_of(project: Project, **lookup: Any) -> QuerySet[DatasetVersion]:
    """The ready versions of this project that match the lookup."""
    return DatasetVersion.objects.filter(
        dataset__project=project, state=VersionState.READY, **lookup
    ).select_related("dataset", "parent__dataset", "created_by")


def open_imports(dataset: Dataset) -> QuerySet[DatasetImport]:
    """Uploads that have not become a version: waiting for their mapping, running, or failed."""
    return dataset.imports.filter(version=None).select_related("job", "created_by").order_by("-id")


def evaluation_examples(version: DatasetVersion) -> QuerySet[Example]:
    """Rows that must not be trained on with this version: its own test and feedback rows, the test rows of
    every version of the project (held-out test rows stay so in later versions), and the validation and
    feedback rows of the newest version of each other dataset.
    """
    same_project = Q(
        version__dataset__project_id=version.dataset.project_id, version__state=VersionState.READY
    )
    # A prompt in the test splits of several versions is compared once.
    repeated = Example.objects.filter(
        same_project, prompt_hash=OuterRef("prompt_hash"), split=Split.TEST, id__lt=OuterRef("id")
    )
    tests_elsewhere = same_project & Q(split=Split.TEST) & ~Exists(repeated) & ~Q(version=version)
    newest = (
        DatasetVersion.objects.filter(
            dataset__project_id=version.dataset.project_id, state=VersionState.READY
        )
        .exclude(dataset=version.dataset_id)
        .order_by("dataset_id", "-number")
        .distinct("dataset_id")
        .values_list("pk", flat=True)
    )
    open_elsewhere = Q(version__in=list(newest), split__in=[Split.VALIDATION, Split.FEEDBACK])
    own = Q(version=version, split__in=[Split.TEST, Split.FEEDBACK])
    return Example.objects.filter(own | tests_elsewhere | open_elsewhere)
