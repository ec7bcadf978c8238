"""Loss curve of a training as coordinates for an SVG. Pure functions."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 28
MOST_POINTS = 400
MOST_STEPS = 6
_ROUNDING = 1e-9


class Tick(NamedTuple):
    """A tick; ``anchor`` is the SVG text-anchor of its label."""

    position: str
    label: str
    anchor: str = "middle"


class Dot(NamedTuple):
    x: str
    y: str
    label: str


class LossChart(NamedTuple):
    """Coordinates of a loss chart. ``training`` is the ``points`` attribute of a polyline, ``validation``
    that of the line through ``dots``; ``says`` describes the curves in words.
    """

    training: str
    validation: str
    dots: list[Dot]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    says: str
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM
    right: int = WIDTH - RIGHT


def loss_chart(points: Sequence[tuple[int, Mapping[str, Any]]]) -> LossChart | None:
    """Chart of (step, metrics) pairs; None with fewer than two losses."""
    training = [(step, float(numbers["loss"])) for step, numbers in points if _is_metric(numbers, "loss")]
    validation = [
        (step, float(numbers["validation_loss"]))
        for step, numbers in points
        if _is_metric(numbers, "validation_loss")
    ]
    if len(training) + len(validation) < 2:
        return None
    everything = [*training, *validation]
    last_step = max(1, *(step for step, _ in everything))
    highest = max(loss for _, loss in everything) or 1.0
    loss_step = _round_step(highest)
    step_step = max(1, round(_round_step(last_step)))
    top = loss_step * math.ceil(highest / loss_step - _ROUNDING)

    def x(step: int) -> str:
        return f"{LEFT + (WIDTH - LEFT - RIGHT) * step / last_step:.1f}"

    def y(loss: float) -> str:
        return f"{TOP + (HEIGHT - TOP - BOTTOM) * (1 - loss / top):.1f}"

    def line(pairs: Sequence[tuple[int, float]]) -> str:
        return " ".join(f"{x(step)},{y(loss)}" for step, loss in _thinned(pairs))

    return LossChart(
        training=line(training),
        validation=line(validation),
        dots=[Dot(x(step), y(loss), f"step {step}: {loss:.3f}") for step, loss in _thinned(validation)],
        x_ticks=[
            # A centred label at the right edge would be cut off.
            Tick(x(step), f"{step:,}", "end" if step == last_step else "middle")
            for step in range(0, last_step + 1, step_step)
        ],
        y_ticks=[
            Tick(y(part * loss_step), f"{part * loss_step:.3g}") for part in range(round(top / loss_step) + 1)
        ],
        says=" ".join(filter(None, (_course("Training loss", training), _lowest(validation)))),
    )


def _course(what: str, points: Sequence[tuple[int, float]]) -> str:
    if len(points) < 2:
        return ""
    (first_step, first), (last_step, last) = points[0], points[-1]
    return f"{what} goes from {first:.3f} at step {first_step:,} to {last:.3f} at step {last_step:,}."


def _lowest(points: Sequence[tuple[int, float]]) -> str:
    if not points:
        return ""
    step, least = min(points, key=lambda point: point[1])
    last_step, last = points[-1]
    since = "" if step == last_step else f", and is {last:.3f} at step {last_step:,}"
    return f"Validation loss is lowest, {least:.3f}, at step {step:,}{since}."


def _is_metric(numbers: Mapping[str, Any], name: str) -> bool:
    value = numbers.get(name)
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _thinned(pairs: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most MOST_POINTS evenly spaced pairs, plus the last one: a browser cannot draw more than its
    pixels.
    """
    stride = math.ceil(len(pairs) / MOST_POINTS) or 1
    kept = list(pairs[::stride])
    return kept if not pairs or kept[-1] == pairs[-1] else [*kept, pairs[-1]]


def _round_step(span: float) -> float:
    """The smallest step of 1, 2 or 5 times a power of ten that divides the span into at most MOST_STEPS."""
    power = 10.0 ** math.floor(math.log10(span / MOST_STEPS))
    return next(size * power for size in (1, 2, 5, 10) if span / (size * power) <= MOST_STEPS + _ROUNDING)
