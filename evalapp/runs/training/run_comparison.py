"""Comparison of trainings: overlaid losses, and the settings in which they differ."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef

from evalapp.accounts.models import Project
from evalapp.charts.chart import Chart, distinct_names, joined_clauses
from evalapp.charts.curves import Curve, overlaid_curves
from evalapp.core.errors import InvalidError
from evalapp.runs.models import Run, RunKind, TrainingPoint
from evalapp.runs.queries import runs_of
from evalapp.runs.training.axes import AXES, written
from evalapp.templatetags.durations import duration

FEWEST, MOST = 2, 8
MOST_OFFERED = 40
"""Number of latest trainings offered for selection on the page."""
_OWN_FIELDS = (
    "format",
    "base_folder",
    "continue_from",
    "rows",
    "data_sha256",
    "threads",
    "device",
    "lora",
)


class Abscissa(NamedTuple):
    """Horizontal axis of the loss charts; ``field`` is the key in a point's values, divided by ``unit``."""

    label: str
    field: str
    unit: float = 1.0


ABSCISSAE = {
    "step": Abscissa("Optimiser step", "step"),
    "epoch": Abscissa("Passes through the rows", "epoch"),
    "tokens": Abscissa("Tokens trained on, thousands", "tokens", 1_000),
    "time": Abscissa("Minutes since the start", "seconds", 60),
}
LOSSES = {"validation_loss": "Validation loss", "loss": "Training loss"}


class Difference(NamedTuple):
    """A setting or result with its value in each training, in their order."""

    name: str
    values: list[str]


class RunComparison(NamedTuple):
    """Compared trainings. ``lacking`` names those without the chosen abscissa, which earlier versions of the
    product did not record.
    """

    runs: list[Run]
    labels: list[str]
    charts: list[tuple[str, Chart]]
    lacking: list[str]
    settings: list[Difference]
    results: list[Difference]


def chosen_runs(project: Project, ids: Sequence[str]) -> list[Run]:
    """The project's trainings with the ids, in that order. Raises InvalidError for invalid ids, and for fewer
    than two or more than eight.
    """
    numbers = list(dict.fromkeys(int(each) for each in ids if each.isdecimal() and len(each) < 19))
    found = {run.pk: run for run in runs_of(project, kind=RunKind.TRAINING).filter(pk__in=numbers)}
    if len(found) < len(set(ids)):
        raise InvalidError("The URL has a training that is not in this project. Choose from those below.")
    if not FEWEST <= len(found) <= MOST:
        raise InvalidError(f"Choose {FEWEST} to {MOST} trainings; more lines cannot be distinguished.")
    return [found[number] for number in numbers]


def compare_runs(runs: Sequence[Run], *, x: str) -> RunComparison:
    """Compare the trainings; ``x`` is a key of `ABSCISSAE`."""
    abscissa = ABSCISSAE[x]
    labels = distinct_names([run.name for run in runs])
    points = _points_of(runs)
    charts = []
    for name, title in LOSSES.items():
        curves = [
            Curve(label, found)
            for run, label in zip(runs, labels, strict=True)
            if (found := _curve(points.get(run.pk, []), abscissa, name))
        ]
        if curves:
            says = _description(title, curves)
            marks = name == "validation_loss"
            charts.append((name, overlaid_curves(curves, x=abscissa.label, y=title, says=says, marks=marks)))
    lacking = [
        label
        for run, label in zip(runs, labels, strict=True)
        if points.get(run.pk) and not _curve(points[run.pk], abscissa, "loss")
    ]
    return RunComparison(list(runs), labels, charts, lacking, _settings(runs), _results(runs, points))


def _points_of(runs: Sequence[Run]) -> dict[int, list[TrainingPoint]]:
    found: dict[int, list[TrainingPoint]] = {}
    for point in TrainingPoint.objects.filter(run__in=runs).order_by("run_id", "step"):
        found.setdefault(point.run_id, []).append(point)
    return found


def _curve(points: Sequence[TrainingPoint], abscissa: Abscissa, name: str) -> list[tuple[float, float]]:
    found = []
    for point in points:
        at = point.step if abscissa.field == "step" else point.values.get(abscissa.field)
        value = point.values.get(name)
        if isinstance(at, int | float) and isinstance(value, int | float):
            found.append((at / abscissa.unit, float(value)))
    return found


def _description(title: str, curves: Sequence[Curve]) -> str:
    ranked = sorted(curves, key=lambda curve: min(y for _, y in curve.points))
    parts = [f"{curve.label}: lowest {min(y for _, y in curve.points):.3f}" for curve in ranked]
    return f"{title}, the lowest first: {joined_clauses(parts)}"


def _settings(runs: Sequence[Run]) -> list[Difference]:
    """Settings that are not the same in all trainings: data, base and adapter first, then specification
    fields.
    """
    found = [
        Difference("Data", [str(run.dataset_version) for run in runs]),
        Difference("Base", [run.base.model.name if run.base else "–" for run in runs]),
        Difference("Continued from", [str(run.continued_from or "–") for run in runs]),
    ]
    specs = [_flat_settings(run) for run in runs]
    found += [
        Difference(_label(name), [_value_in_words(name, spec.get(name)) for spec in specs])
        for name in dict.fromkeys(name for spec in specs for name in spec)
    ]
    return [each for each in found if len(set(each.values)) > 1]


def _flat_settings(run: Run) -> dict[str, Any]:
    own = {name: value for name, value in run.spec.items() if name not in _OWN_FIELDS}
    own["learning_rate"] = own.get("learning_rate") or run.result.get("learning_rate") or _default_rate(run)
    return {**own, **{f"lora.{name}": value for name, value in run.spec.get("lora", {}).items()}}


def _default_rate(run: Run) -> float | None:
    """Default learning rate of a training that set none and has no result yet."""
    if run.objective is None or "method" not in run.spec:
        return None
    lora = run.continued_from.config if run.continued_from else run.spec.get("lora", {})
    parameters = run.base.config.get("parameters") if run.base else None
    return run.objective.learning_rate(
        run.spec["method"],
        rank=int(lora.get("rank") or 0),
        parameters=int(parameters or 0),
    )


def _label(name: str) -> str:
    if name in AXES:
        return AXES[name].label
    words = name.rpartition(".")[2].replace("_", " ")
    return words[:1].upper() + words[1:]


def _value_in_words(name: str, value: Any) -> str:
    if value is None:
        return "–"
    if name in AXES:
        return written(name, value)
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def _results(runs: Sequence[Run], points: Mapping[int, Sequence[TrainingPoint]]) -> list[Difference]:
    def lowest(run: Run) -> str:
        losses = [
            each.values["validation_loss"]
            for each in points.get(run.pk, ())
            if "validation_loss" in each.values
        ]
        return f"{min(losses):.4f}" if losses else "–"

    # A training that did not finish has no result, but its points show how far it came.
    far = [_progress_of(run, points.get(run.pk, ())) for run in runs]

    def counted(name: str) -> list[str]:
        return [f"{each[name]:,}" if each.get(name) is not None else "–" for each in far]

    return [
        Difference("State", [run.job.get_state_display() for run in runs]),
        Difference("Lowest validation loss", [lowest(run) for run in runs]),
        Difference(
            "Rows to train on", [f"{run.rows['train']:,}" if "train" in run.rows else "–" for run in runs]
        ),
        Difference("Rows read", counted("rows")),
        Difference("Steps", counted("steps")),
        Difference("Tokens", counted("tokens")),
        Difference("Time", [duration(each.get("seconds")) for each in far]),
        Difference("Device", [run.device or "–" for run in runs]),
    ]


def _progress_of(run: Run, points: Sequence[TrainingPoint]) -> dict[str, Any]:
    latest: dict[str, Any] = {}
    for point in points:
        latest |= point.values
    progress = {
        "steps": points[-1].step if points else None,
        "tokens": latest.get("tokens"),
        "seconds": latest.get("seconds"),
    }
    found = {name: run.result.get(name, value) for name, value in progress.items()}
    passes = run.passes if run.passes is not None else latest.get("epoch")
    found["rows"] = run.rows_read_in(passes) if passes is not None and "train" in run.rows else None
    return found


def offered_runs(project: Project) -> list[Run]:
    """The latest trainings with at least one step; others have nothing to compare."""
    made = TrainingPoint.objects.filter(run=OuterRef("pk"))
    trainings = runs_of(project, kind=RunKind.TRAINING).filter(Exists(made))
    return list(trainings.order_by("-pk")[:MOST_OFFERED])
