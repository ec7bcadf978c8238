"""Settings that a sweep may vary, with parsing and formatting of their values."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple, get_args

from evalapp.core.errors import InvalidError
from evalapp.runs.methods import METHODS
from training.spec import Method, TrainingSpec

Combination = dict[str, Any]
"""A value for each varied setting."""

SEED, SHARE, VERSION = "seed", "data_share", "dataset_version"
MOST_RUNS = 20


class Axis(NamedTuple):
    """A setting that a sweep may vary. ``read`` parses a value and raises ValueError; ``write`` formats it
    for people.

    ``changes_loss``: losses of trainings that differ in this setting are not comparable.
    """

    label: str
    read: Callable[[str], Any]
    write: Callable[[Any], str]
    changes_loss: bool = False


def _number(value: float) -> str:
    return f"{value:g}"


def _read_share(text: str) -> float:
    """25, 25% and 0.25 all give 0.25."""
    number = float(text.removesuffix("%"))
    return number / 100 if text.endswith("%") or number > 1 else number


def _read_version(text: str) -> int:
    """The number in “v3” or “3”."""
    number = int(text.lower().removeprefix("v"))
    if number < 1:
        raise ValueError(f"{text} is not a version")
    return number


def _read_choice(choices: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        by_lower = {choice.lower(): choice for choice in choices}
        if text.lower() not in by_lower:
            raise ValueError(f"one of {', '.join(choices)}")
        return by_lower[text.lower()]

    return read


def _method_name(value: Any) -> str:
    return METHODS[value].name if value in METHODS else str(value)


_SCHEDULES = ("cosine", "linear", "constant")

AXES: dict[str, Axis] = {
    "learning_rate": Axis("Learning rate", float, _number),
    "lora.rank": Axis("LoRA rank", int, str),
    "lora.alpha": Axis("LoRA alpha", int, str),
    "lora.dropout": Axis("LoRA dropout", float, _number),
    "method": Axis("Method", _read_choice(get_args(Method)), _method_name),
    "epochs": Axis("Epochs", float, _number),
    "batch_size": Axis("Rows in a batch", int, str),
    "accumulation_steps": Axis("Batches in a step", int, str),
    "schedule": Axis("Learning-rate schedule", _read_choice(_SCHEDULES), str),
    "warmup_share": Axis("Warm-up share", float, _number),
    "weight_decay": Axis("Weight decay", float, _number),
    "max_length": Axis("Longest row in tokens", int, str, changes_loss=True),
    "beta": Axis("Beta", float, _number, changes_loss=True),
    VERSION: Axis("Dataset version", _read_version, lambda value: f"v{value}"),
    SHARE: Axis("Share of the data", _read_share, lambda value: f"{100 * value:g}%"),
    SEED: Axis("Seed", int, str),
}
"""In the order of names and columns; the seed is last, so that comparable trainings are adjacent."""


def read_values(name: str, text: str) -> list[Any]:
    """Parse the distinct values in a text such as "1e-4, 2e-4". Raises InvalidError naming an invalid
    word.
    """
    axis = AXES[name]
    values: list[Any] = []
    for word in text.replace(";", ",").replace("\n", ",").replace(" ", ",").split(","):
        if not word:
            continue
        try:
            value = axis.read(word)
        except ValueError:
            raise InvalidError(
                f"“{word}” is not a value of “{axis.label}”. Write values with commas between them."
            ) from None
        if value not in values:
            values.append(value)
    return values


def combinations_of(axes: Mapping[str, Sequence[Any]]) -> list[Combination]:
    """Every combination of the values, with settings in the order of `AXES`, the last changing fastest.

    Raises InvalidError for an unknown setting, and for fewer than two or too many combinations.
    """
    if unknown := [name for name in axes if name not in AXES]:
        _refuse(f"Trainings of a sweep cannot differ in {unknown[0]!r}. Choose from {', '.join(AXES)}.")
    for name, values in axes.items():
        if not isinstance(values, list | tuple) or not values:
            _refuse(f"“{AXES[name].label}” needs a list of values.")
    # Counted before they are created, because there could be more than fit into memory.
    trainings = prod(len(values) for values in axes.values())
    if trainings < 2:
        _refuse("Give a setting at least two values; otherwise start one training.")
    if trainings > MOST_RUNS:
        counts = " × ".join(str(len(values)) for values in axes.values())
        told = f"{counts} = {trainings}" if len(axes) > 1 else str(trainings)
        _refuse(f"That would be {told} trainings; a sweep has {MOST_RUNS} at most.")
    for name, values in axes.items():
        if wrong := [value for value in values if not _is_value(name, value)]:
            _refuse(f"{str(wrong[0])[:60]!r} is not a value of “{AXES[name].label}”.")
        if len(set(values)) < len(values):
            _refuse(f"A value of “{AXES[name].label}” is given twice.")
    names = ordered(axes)
    return [dict(zip(names, values, strict=True)) for values in product(*names.values())]


def _is_value(name: str, value: Any) -> bool:
    """Whether the value has the setting's type; the program's specification checks its range."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        AXES[name].read(AXES[name].write(value))
    except ValueError:
        return False
    return True


def ordered(axes: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
    """The settings in the order of `AXES`, which the database's JSON does not preserve."""
    return {name: list(axes[name]) for name in AXES if name in axes}


def applied(hyperparameters: Mapping[str, Any], combination: Combination) -> dict[str, Any]:
    """The settings with the combination's values inserted, except the dataset version, which is no setting of
    the program.
    """
    found = dict(hyperparameters)
    for name, value in combination.items():
        if name == VERSION:
            continue
        outer, _, inner = name.partition(".")
        found[outer] = {**found.get(outer, {}), inner: value} if inner else value
    return found


def value_in(spec: Mapping[str, Any], name: str) -> Any:
    """Value of a setting in a stored specification, else its default; None if it has neither."""
    value: Any = spec
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return getattr(TrainingSpec, name, None) if value is None and "." not in name else value


def written(name: str, value: Any) -> str:
    """A value formatted for people, such as "25%"."""
    return "–" if value is None else AXES[name].write(value)


def label_within(name: str) -> str:
    """A setting's label for use within a sentence."""
    label = AXES[name].label
    return label if label.startswith("LoRA") else label[:1].lower() + label[1:]


def in_words(combination: Combination) -> str:
    """A combination as part of a name, such as "seed 1, 25% of the data"."""
    parts = []
    for name, value in combination.items():
        if name == SHARE:
            parts.append(f"{written(name, value)} of the data")
        elif name in ("method", VERSION):
            parts.append(written(name, value))
        else:
            parts.append(f"{label_within(name)} {written(name, value)}")
    return ", ".join(parts)


def _refuse(message: str) -> None:
    raise InvalidError(message, field="axes")
