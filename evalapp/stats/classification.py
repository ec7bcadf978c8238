"""Precision, recall and F1 of predicted labels, equal to scikit-learn's, with bootstrap intervals."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evalapp.measure import Measure, signature
from evalapp.stats.resampling import (
    DEFAULT_REPLICATES,
    Array,
    Interval,
    percentile_interval,
    require_level,
    unit_weights,
)

UNPARSED = None
"""Prediction of an unparsed output: always wrong, and not a label of its own."""
KINDS = ("macro", "weighted", "micro")
NO_OUTPUTS = "no output of an example with a label"
ONE_ITEM = Interval(None, None, "no interval: one item")


_Codes = npt.NDArray[np.int64]


class ClassScore(NamedTuple):
    """Scores of one label. ``support``: outputs with this true label; ``predicted``: outputs with this
    prediction.
    """

    label: str | None
    precision: float
    recall: float
    f1: float
    support: int
    predicted: int


@dataclass(frozen=True)
class Classification:
    """``labels``: the declared ones in their order, without unused ones, then None for unparsed outputs.
    ``matrix``: counts, true label by row and predicted label by column.
    """

    labels: list[str | None]
    matrix: list[list[int]]
    classes: list[ClassScore]
    macro: Measure
    weighted: Measure
    micro: Measure

    @property
    def parsed(self) -> float | None:
        """Share of outputs with a predicted label; None without outputs."""
        outputs = self.macro.n
        unparsed = sum(row[-1] for row in self.matrix) if UNPARSED in self.labels else 0
        return 1 - unparsed / outputs if outputs else None

    @property
    def rows(self) -> list[tuple[ClassScore, list[int]]]:
        """Each label with its counts of predictions, in the order of ``labels``."""
        return list(zip(self.classes, self.matrix, strict=False))


def classify(
    items: Sequence[Hashable],
    truth: Sequence[str],
    predictions: Sequence[str | None],
    *,
    labels: Sequence[str] = (),
    seed: int = 0,
    replicates: int = DEFAULT_REPLICATES,
    level: float = 0.95,
) -> Classification:
    """Scores of the predictions, with one entry per output.

    F1 as in scikit-learn with zero_division=0: macro is the plain mean over the labels that are the true
    label of some output, weighted the mean by support, micro the share of right predictions (accuracy). An
    unparsed output is a miss of its true label. Intervals resample whole items; ``n`` counts outputs.
    """
    require_level(level)
    if not len(items) == len(truth) == len(predictions):
        raise ValueError(f"columns differ in length: {len(items)}, {len(truth)}, {len(predictions)}")
    present: set[str | None] = {*truth, *predictions}
    order = [*dict.fromkeys([*labels, *sorted(each for each in present if each is not None)]), UNPARSED]
    names = [label for label in order if label in present]
    codes = {label: code for code, label in enumerate(names)}
    true = np.array([codes[label] for label in truth], dtype=np.int64)
    predicted = np.array([codes[label] for label in predictions], dtype=np.int64)
    size = len(names)
    matrix = np.zeros((size, size), dtype=np.int64)
    np.add.at(matrix, (true, predicted), 1)
    item_codes = {item: code for code, item in enumerate(dict.fromkeys(items))}
    item = np.array([item_codes[each] for each in items], dtype=np.int64)
    counts = _counts(item, len(item_codes), true, predicted, size)

    found = _intervals(counts, len(item_codes), replicates=replicates, seed=seed, level=level)

    def measure(kind: str) -> Measure:
        name = signature(
            f"{kind}-f1",
            2,
            zero_division=0,
            interval="bootstrap",
            replicates=replicates,
            seed=seed,
            level=level,
        )
        if not len(truth):
            return Measure.undefined(NO_OUTPUTS, signature=name)
        value = float(_scores(np.ones((1, len(item_codes))), counts)[kind][0])
        low, high, note = found[kind]
        return Measure(value=value, n=len(truth), low=low, high=high, note=note, signature=name)

    return Classification(
        labels=names,
        matrix=matrix.tolist(),
        classes=[_class_score(label, code, matrix) for label, code in codes.items() if label is not None],
        macro=measure("macro"),
        weighted=measure("weighted"),
        micro=measure("micro"),
    )


class _Counts(NamedTuple):
    """Items × labels: outputs with that true label, with that predicted label, and with both."""

    true: Array
    predicted: Array
    right: Array


def _counts(item: _Codes, items: int, true: _Codes, predicted: _Codes, size: int) -> _Counts:
    tables = [np.zeros((items, size)) for _ in range(3)]
    np.add.at(tables[0], (item, true), 1)
    np.add.at(tables[1], (item, predicted), 1)
    right = true == predicted
    np.add.at(tables[2], (item[right], true[right]), 1)
    return _Counts(*tables)


def _scores(weights: Array, counts: _Counts) -> dict[str, Array]:
    """Each mean F1 if item j occurs ``weights[b, j]`` times."""
    true, predicted, right = (weights @ table for table in counts)
    both = true + predicted
    f1 = np.divide(2 * right, both, out=np.zeros_like(both), where=both > 0)
    total = true.sum(axis=1)
    return {
        "macro": (f1 * (true > 0)).sum(axis=1) / np.maximum((true > 0).sum(axis=1), 1),
        "weighted": (f1 * true).sum(axis=1) / np.maximum(total, 1),
        "micro": right.sum(axis=1) / np.maximum(total, 1),
    }


def _intervals(
    counts: _Counts, items: int, *, replicates: int, seed: int, level: float
) -> dict[str, Interval]:
    """Intervals of each mean F1, all from the same resamples of items."""
    if items < 2:
        return dict.fromkeys(KINDS, ONE_ITEM)
    drawn = [_scores(weights, counts) for weights in unit_weights(items, replicates=replicates, seed=seed)]
    return {
        kind: percentile_interval(np.concatenate([scores[kind] for scores in drawn]), level=level)
        for kind in KINDS
    }


def _class_score(label: str | None, code: int, matrix: _Codes) -> ClassScore:
    right, support, predicted = (
        int(matrix[code, code]),
        int(matrix[code].sum()),
        int(matrix[:, code].sum()),
    )
    precision = right / predicted if predicted else 0.0
    recall = right / support if support else 0.0
    both = support + predicted
    return ClassScore(label, precision, recall, 2 * right / both if both else 0.0, support, predicted)
