"""Looks up the rows of contamination pairs, which are stored by number and hash."""

from collections.abc import Collection
from typing import Any

from django.db.models import Q

from evalapp.datasets.models import DatasetVersion, Example, Split
from evalapp.datasets.queries import evaluation_examples
from evalapp.runs.contamination.contamination_guard import Pair

_EVALUATION_SPLITS = (Split.TEST, Split.FEEDBACK, Split.VALIDATION)
Place = tuple[int, str]
"""Number of a row and hash of its prompt."""


class EvaluationRows:
    """The evaluation rows in a version's contamination pairs, except those of deleted versions."""

    def __init__(self, version: DatasetVersion, pairs: Collection[Pair]) -> None:
        met = Q(prompt_hash__in={pair["evaluation_hash"] for pair in pairs})
        found = Example.objects.filter(
            met, version__dataset__project=version.dataset.project_id, split__in=_EVALUATION_SPLITS
        ).select_related("version__dataset")
        self._named = {(each.version_id, *_place_of(each)): each for each in found} if pairs else {}
        # Pairs stored by an earlier release name no version: take the oldest version that is used for
        # evaluation now.
        self._nameless: dict[Place, Example] = {}
        if any(pair.get("evaluation_version") is None for pair in pairs):
            own = Q(version=version, split=Split.VALIDATION)
            now = {*evaluation_examples(version).filter(met).values_list("pk", flat=True)}
            now |= {*Example.objects.filter(met, own).values_list("pk", flat=True)}
            by_likelihood = sorted(self._named.values(), key=lambda each: (each.pk in now, -each.pk))
            self._nameless = {_place_of(each): each for each in by_likelihood}

    def of(self, pair: Pair) -> Example | None:
        """The pair's evaluation row; None if its version was deleted."""
        place = (pair["evaluation_row"], pair["evaluation_hash"])
        named = pair.get("evaluation_version")
        return self._nameless.get(place) if named is None else self._named.get((named, *place))


def _place_of(row: Example) -> Place:
    return row.row_number, row.prompt_hash


def named_pairs(version: DatasetVersion, pairs: list[Pair]) -> list[dict[str, Any]]:
    """The pairs with ``training_data`` and ``evaluation_data``; the latter is None if its version was
    deleted.
    """
    met = EvaluationRows(version, pairs)
    found = []
    for pair in pairs:
        row = met.of(pair)
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
