"""Where the rows of contamination pairs stand: pairs are stored by number and hash, people and programs ask of which data."""

from collections.abc import Iterable
from typing import Any

from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.runs.contamination_guard import Pair

_EVALUATING = (Split.TEST, Split.FEEDBACK, Split.VALIDATION)


def evaluating_rows(version: DatasetVersion, pairs: Iterable[Pair]) -> dict[tuple[str, int], Example]:
    """The evaluation rows that the comparison met, by hash and number; those of deleted versions are not there."""
    found = Example.objects.filter(
        version__dataset__project=version.dataset.project_id,
        split__in=_EVALUATING,
        prompt_hash__in={pair["evaluation_hash"] for pair in pairs},
    ).select_related("version__dataset")
    # The same prompt may stand in several versions, under other numbers; of one number the oldest counts.
    return {(each.prompt_hash, each.row_number): each for each in found.order_by("-version_id", "pk")}


def named_pairs(version: DatasetVersion, pairs: list[Pair]) -> list[dict[str, Any]]:
    """The pairs with the data of both sides: ``training_data`` and ``evaluation_data``, the latter None where its
    version was deleted.
    """
    met = evaluating_rows(version, pairs) if pairs else {}
    found = []
    for pair in pairs:
        row = met.get((pair["evaluation_hash"], pair["evaluation_row"]))
        found.append(
            {
                **pair,
                "training_data": _data_of(version, Split.TRAIN),
                "evaluation_data": _data_of(row.version, row.split) if row is not None else None,
            }
        )
    return found


def _data_of(version: DatasetVersion, split: str) -> dict[str, Any]:
    return {
        "dataset": version.dataset_id,
        "name": version.dataset.name,
        "number": version.number,
        "dataset_version": version.pk,
        "split": str(split),
    }
