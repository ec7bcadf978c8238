"""Figures that a long proof finds, with their targets: printed, and kept for `docs/proofs.md`."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_VARIABLE = "PROOF_FIGURES"
MISSED = 3
"""Exit code of a benchmark that came to its end and missed a target."""


@dataclass(frozen=True)
class Figure:
    """A value in ``unit``; ``at_least`` or ``at_most``: its target; ``error``: the standard error of a
    simulated share, in the same unit; ``cases``: of how many cases this is the one nearest to its target, or
    farthest past it.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    error: float | None = None
    cases: int = 1

    @property
    def is_reached(self) -> bool:
        return (self.at_least is None or self.value >= self.at_least) and (
            self.at_most is None or self.value <= self.at_most
        )

    @property
    def room(self) -> float:
        """How far the value is inside its target; negative outside."""
        rooms = []
        if self.at_least is not None:
            rooms.append(self.value - self.at_least)
        if self.at_most is not None:
            rooms.append(self.at_most - self.value)
        return min(rooms, default=0.0)

    def __str__(self) -> str:
        unit = self.unit if self.unit in ("", "%") else f" {self.unit}"
        text = f"{self.name} {in_digits(self.value)}{unit}"
        if self.error is not None:
            text += f" ± {in_digits(self.error)}{unit}"
        targets = [
            f"{word} {in_digits(target)}{unit}"
            for word, target in (("at least", self.at_least), ("at most", self.at_most))
            if target is not None
        ]
        if targets:
            text += f" ({', '.join(targets)})"
        if self.cases > 1:
            text += f", closest of {self.cases}"
        return text if self.is_reached else f"{text}, missed"


def report_figure(
    name: str,
    value: float,
    unit: str = "",
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    error: float | None = None,
) -> bool:
    """Print the figure, and keep it where a runner of proofs asks for it; returns whether the target is
    reached.
    """
    figure = Figure(name, float(value), unit, at_least, at_most, error)
    print(f"Figure: {figure}", flush=True)
    if path := os.environ.get(FILE_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(figure)) + "\n")
    return figure.is_reached


def read_figures(path: Path) -> list[Figure]:
    """The figures of a file in the order of their names' first appearance; of several with one name, that of
    the least room.
    """
    if not path.exists():
        return []
    read = [Figure(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return list(_closest(read))


def _closest(figures: Iterable[Figure]) -> Iterable[Figure]:
    by_name: dict[str, list[Figure]] = {}
    for figure in figures:
        by_name.setdefault(figure.name, []).append(figure)
    for same in by_name.values():
        closest = min(same, key=lambda figure: figure.room)
        yield Figure(**{**asdict(closest), "cases": len(same)})


def in_digits(value: float) -> str:
    """Three digits, or all digits before the point: 0.168, 4.45, 26.2, 6,704."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
