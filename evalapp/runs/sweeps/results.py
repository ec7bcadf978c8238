"""Table of a sweep's trainings: settings, losses, cost and the best one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

from evalapp.datasets.models import Example, Split
from evalapp.jobs.models import JobState
from evalapp.runs.models import Run, RunKind, Sweep, TrainingPoint
from evalapp.runs.queries import runs_of
from evalapp.runs.training.axes import (
    AXES,
    SEED,
    SHARE,
    VERSION,
    Combination,
    in_words,
    ordered,
    value_in,
    written,
)

LAST_PART_DIVISOR = 10
"""The training loss is the mean of the last tenth of the steps, because a single step's loss depends mostly
on its rows.
"""


class SweepRun(NamedTuple):
    """A training of a sweep. ``values`` are its varied settings in words. ``examples`` (rows read) and
    ``steps`` are None before the end; losses, tokens and seconds are those so far. ``validation_loss`` is the
    lowest, whose weights are kept; ``is_improving`` if it was the last one.
    """

    run: Run
    combination: Combination
    values: list[str]
    share: float
    examples: int | None
    validation_loss: float | None
    training_loss: float | None
    tokens: int | None
    seconds: float | None
    is_best: bool = False
    steps: int | None = None
    is_improving: bool = False

    @property
    def cells(self) -> list[tuple[str, str]]:
        """Labels and values of the varied settings."""
        return [(AXES[name].label, value) for name, value in zip(self.combination, self.values, strict=True)]

    @property
    def is_done(self) -> bool:
        return self.run.job.state == JobState.SUCCEEDED


class SettingsRow(NamedTuple):
    """Trainings that differ only in the seed, with the mean and standard deviation of their validation
    losses.
    """

    words: str
    trainings: int
    mean: float
    deviation: float | None
    is_best: bool


class SweepTable(NamedTuple):
    """Results of a sweep. ``why_no_best`` is the permanent reason why no training is marked as best, or
    "".
    """

    columns: list[str]
    rows: list[SweepRun]
    over_seeds: list[SettingsRow]
    why_no_best: str

    @property
    def best(self) -> SweepRun | None:
        return next((row for row in self.rows if row.is_best), None)

    @property
    def done(self) -> int:
        return sum(row.is_done for row in self.rows)

    @property
    def unfinished(self) -> int:
        return sum(not row.run.job.is_over for row in self.rows)

    @property
    def failed(self) -> list[SweepRun]:
        return [row for row in self.rows if row.run.job.is_over and not row.is_done]


def sweep_table(sweep: Sweep) -> SweepTable:
    """The trainings in the order of their combinations. The number of queries does not depend on theirs."""
    runs = list(runs_of(sweep.project, kind=RunKind.TRAINING).filter(sweep=sweep).order_by("pk"))
    numbers = _run_metrics_of(runs)
    rows = [_row(sweep, run, numbers[run.pk]) for run in runs]
    incomparable = [AXES[name].label for name in sweep.axes if AXES[name].changes_loss]
    why = ""
    if not has_one_validation(sweep):
        incomparable = [AXES[VERSION].label]
        why = (
            "No training is marked as best: these versions are not validated on the same rows, so their"
            " losses cannot be compared. Compare their outputs for the same test rows."
        )
    elif incomparable:
        why = (
            "No training is marked as best: losses are not comparable between trainings that differ in"
            f" “{incomparable[0]}”. Compare their answers."
        )
    else:
        rows = _with_best(rows)
    columns = [AXES[name].label for name in ordered(sweep.axes)]
    return SweepTable(columns, rows, [] if incomparable else _over_seeds(sweep, rows), why)


def has_one_validation(sweep: Sweep) -> bool:
    """Whether all trainings are validated on the same rows: one version, or versions with equal validation
    splits.
    """
    numbers = sweep.axes.get(VERSION, ())
    if len(numbers) < 2:
        return True
    rows = Example.objects.filter(
        version__dataset=sweep.dataset_version.dataset_id,
        version__number__in=numbers,
        split=Split.VALIDATION,
    )
    by_version: dict[int, set[str]] = {number: set() for number in numbers}
    for number, content in rows.values_list("version__number", "content_hash"):
        by_version[number].add(content)
    first, *others = by_version.values()
    return bool(first) and all(each == first for each in others)


class _RunMetrics(NamedTuple):
    losses: list[float]
    validation: list[float]
    tokens: int | None
    seconds: float | None


def _run_metrics_of(runs: Sequence[Run]) -> Mapping[int, _RunMetrics]:
    fields = ("loss", "validation_loss", "tokens", "seconds")
    points = TrainingPoint.objects.filter(run__in=runs).order_by("run_id", "step")
    columns: dict[int, dict[str, list[Any]]] = defaultdict(lambda: {name: [] for name in fields})
    for run_id, *values in points.values_list("run_id", *(f"values__{name}" for name in fields)):
        for name, value in zip(fields, values, strict=True):
            if value is not None:
                columns[run_id][name].append(value)
    return {
        run.pk: _RunMetrics(
            columns[run.pk]["loss"],
            columns[run.pk]["validation_loss"],
            run.result.get("tokens") or (columns[run.pk]["tokens"] or [None])[-1],
            run.result.get("seconds") or (columns[run.pk]["seconds"] or [None])[-1],
        )
        for run in runs
    }


def _row(sweep: Sweep, run: Run, numbers: _RunMetrics) -> SweepRun:
    combination = {
        name: run.dataset_version.number if name == VERSION else value_in(run.spec, name)
        for name in ordered(sweep.axes)
    }
    last = numbers.losses[-max(1, len(numbers.losses) // LAST_PART_DIVISOR) :]
    return SweepRun(
        run=run,
        combination=combination,
        values=[written(name, value) for name, value in combination.items()],
        share=float(run.spec.get(SHARE, 1.0)),
        examples=run.rows_read,
        validation_loss=min(numbers.validation, default=None),
        training_loss=fmean(last) if last else None,
        tokens=numbers.tokens,
        seconds=numbers.seconds,
        steps=run.result.get("steps"),
        # Of equal losses, the first is kept.
        is_improving=bool(numbers.validation)
        and numbers.validation.index(min(numbers.validation)) == len(numbers.validation) - 1,
    )


def _with_best(rows: list[SweepRun]) -> list[SweepRun]:
    done = [row for row in rows if row.is_done and row.validation_loss is not None]
    if len(done) < 2:
        return rows
    best = min(done, key=lambda row: row.validation_loss or 0.0)
    return [row._replace(is_best=row is best) for row in rows]


def _over_seeds(sweep: Sweep, rows: Sequence[SweepRun]) -> list[SettingsRow]:
    """Summaries over seeds; empty if the seeds do not vary, or only they do."""
    if len(sweep.axes.get(SEED, ())) < 2 or len(sweep.axes) < 2:
        return []
    losses: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.is_done and row.validation_loss is not None:
            losses[words_without(row.combination, SEED)].append(row.validation_loss)
    lowest = min((fmean(found) for found in losses.values()), default=None)
    return [
        SettingsRow(
            words,
            len(found),
            fmean(found),
            stdev(found) if len(found) > 1 else None,
            fmean(found) == lowest and len(losses) > 1,
        )
        for words, found in losses.items()
    ]


def words_without(combination: Combination, *names: str) -> str:
    """A combination in words without some settings; empty if none is left."""
    return in_words({name: value for name, value in combination.items() if name not in names})
