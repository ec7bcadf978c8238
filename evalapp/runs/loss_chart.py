"""The loss curve of a training as coordinates for an SVG; no model, no database."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 10, 28
MOST_POINTS = 400
TICKS = 4


class Tick(NamedTuple):
    position: str
    label: str


class Dot(NamedTuple):
    x: str
    y: str
    label: str


class LossChart(NamedTuple):
    """``training`` is the ``points`` of a polyline; ``validation`` are dots with a line through them."""

    training: str
    validation: str
    dots: list[Dot]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    bottom: int = HEIGHT - BOTTOM
    right: int = WIDTH - RIGHT


def loss_chart(points: Sequence[tuple[int, Mapping[str, Any]]]) -> LossChart | None:
    """The chart of (step, figures); None while there are fewer than two losses."""
    training = [(step, float(figures["loss"])) for step, figures in points if _is_figure(figures, "loss")]
    validation = [
        (step, float(figures["validation_loss"]))
        for step, figures in points
        if _is_figure(figures, "validation_loss")
    ]
    if len(training) + len(validation) < 2:
        return None
    everything = [*training, *validation]
    last_step = max(1, *(step for step, _ in everything))
    top = _nice(max(loss for _, loss in everything))

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
            Tick(x(round(last_step * part / TICKS)), f"{round(last_step * part / TICKS):,}")
            for part in range(TICKS + 1)
        ],
        y_ticks=[Tick(y(top * part / TICKS), f"{top * part / TICKS:.3g}") for part in range(TICKS + 1)],
    )


def _is_figure(figures: Mapping[str, Any], name: str) -> bool:
    value = figures.get(name)
    return isinstance(value, int | float) and math.isfinite(value) and value >= 0


def _thinned(pairs: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most MOST_POINTS, evenly spaced, the last one kept: a browser draws no more than pixels."""
    stride = math.ceil(len(pairs) / MOST_POINTS) or 1
    kept = list(pairs[::stride])
    return kept if not pairs or kept[-1] == pairs[-1] else [*kept, pairs[-1]]


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 5 or 8 times a power of ten, so that quarters have short labels."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 5, 8, 10) if step * power >= value)
