"""From a rating to the adapter it trained, and back: one query each way."""

from typing import NamedTuple

from evalapp.accounts.models import Project
from evalapp.core.errors import MissingError
from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.exports.models import Export, ExportRow
from evalapp.registry.models import ModelVersion
from evalapp.reviews.models import Review
from evalapp.runs.models import Run, RunKind


class ReviewLineage(NamedTuple):
    """Lineage of a review: its rows in exports, the versions they made, the runs and adapters."""

    review: Review
    rows: list[ExportRow]
    runs: list[Run]


class ModelLineage(NamedTuple):
    """Where an adapter came from: its chain of adapters and runs, newest first, with the exports and
    first rows behind each run's data.
    """

    version: ModelVersion
    steps: list["LineageStep"]


class LineageStep(NamedTuple):
    version: ModelVersion
    run: Run | None
    exports: list[Export]
    rows: list[ExportRow]


ROWS_SHOWN = 20


def review_lineage(project: Project, review_id: int) -> ReviewLineage:
    review = (
        Review.objects.select_related(
            "campaign", "item_output__item__example", "item_output__candidate__model_version", "correction"
        )
        .filter(pk=review_id, campaign__project=project, item_output__isnull=False)
        .first()
    )
    if review is None:
        raise MissingError("There is no such review in this project.")
    rows = list(
        review.export_rows.select_related(
            "export__dataset_version__dataset", "training_example", "decided_by"
        )
    )
    runs = (
        Run.objects.filter(kind=RunKind.TRAINING, dataset_version__in=_versions_with(rows))
        .select_related("produced", "dataset_version__dataset", "job")
        .order_by("id")
    )
    return ReviewLineage(review, rows, list(runs))


def _versions_with(rows: list[ExportRow]) -> set[int]:
    """Every dataset version that holds one of the rows: the one it was made for, and later ones that
    kept it.
    """
    exported = [row for row in rows if row.training_example is not None]
    kept = Example.objects.filter(
        prompt_hash__in={row.training_example.prompt_hash for row in exported if row.training_example},
        provenance__export_row__in=[row.pk for row in exported],
    )
    return set(kept.values_list("version_id", flat=True))


def model_lineage(project: Project, version_id: int) -> ModelLineage:
    version = ModelVersion.objects.filter(pk=version_id, project=project).select_related("base").first()
    if version is None:
        raise MissingError("There is no such model in this project.")
    steps: list[LineageStep] = []
    current: ModelVersion | None = version
    while current is not None:
        run = Run.objects.filter(produced=current).select_related("dataset_version__dataset", "job").first()
        exports, rows = _feedback_behind(run.dataset_version) if run else ([], [])
        steps.append(LineageStep(current, run, exports, rows))
        # A prompt has no parent; below the first adapter stands the base.
        current = current.parent or (current.base if current.base_id != current.pk else None)
    return ModelLineage(version, steps)


def _feedback_behind(dataset_version: DatasetVersion) -> tuple[list[Export], list[ExportRow]]:
    """The exports whose rows a version trains on, kept ones of earlier exports included, and the first
    of those rows.
    """
    from_feedback = dataset_version.examples.filter(split=Split.TRAIN, provenance__has_key="export_row")
    exports = Export.objects.filter(
        pk__in=set(from_feedback.values_list("provenance__export", flat=True))
    ).select_related("campaign")
    shown = from_feedback.order_by("row_number").values_list("provenance__export_row", flat=True)
    rows = (
        ExportRow.objects.filter(pk__in=list(shown[:ROWS_SHOWN]))
        .select_related("review__item_output__candidate__model_version", "example", "export__campaign")
        .order_by("id")
    )
    return list(exports.order_by("id")), list(rows)
