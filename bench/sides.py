"""Two servers measured alternately, each in a process of its own.

A side is a module that calls `serve_measurements`. It reads "go SECONDS" from standard input and answers with
one line of numbers. Both servers run all the time, but only one is under load.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from bench.review_flow import Values


def serve_measurements(measure: Callable[[float], Values], facts: dict[str, Any] | None = None) -> None:
    """Report readiness with ``facts``, then measure at every request until the input ends."""
    _send({"ready": True, **(facts or {})})
    for line in sys.stdin:
        word, _, seconds = line.strip().partition(" ")
        if word != "go":
            return
        numbers = measure(float(seconds))
        kinds = ("next", "submit")
        _send(
            {
                "rate": numbers.rate,
                "reviews": numbers.reviews,
                **{f"{kind}_median": numbers.median(kind) for kind in kinds},
                **{f"{kind}_p95": numbers.p95(kind) for kind in kinds},
            }
        )


def _send(what: dict[str, Any]) -> None:
    # Marked, because programs started by a side write to standard output too.
    print(f"@side {json.dumps(what)}", flush=True)


class Medians:
    """Medians over rounds, by the name of a number."""

    def __init__(self, rounds: list[dict[str, float]]) -> None:
        self._rounds = list(rounds)

    def __call__(self, name: str) -> float:
        return statistics.median(numbers[name] for numbers in self._rounds)


@dataclass
class Side:
    """One of the two servers; ``rounds`` are its results so far."""

    name: str
    command: list[str]
    rounds: list[dict[str, float]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *self.command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(120)

    def wait_until_ready(self) -> dict[str, Any]:
        self.facts = self._receive()
        return self.facts

    def measure(self, seconds: float) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"go {seconds}\n")
        self._process.stdin.flush()
        numbers = self._receive()
        self.rounds.append(numbers)
        shown = ", ".join(f"{name} {value:.1f}" for name, value in numbers.items())
        print(f"  {self.name}: {shown}", flush=True)
        return numbers

    def median(self, name: str) -> float:
        return Medians(self.rounds)(name)

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("@side "):
                return dict(json.loads(line.removeprefix("@side ")))
            print(f"  [{self.name}] {line.rstrip()}", flush=True)
        raise SystemExit(f"{self.name} ended before it answered.")


def in_turn(sides: list[Side], *, rounds: int, seconds: float) -> None:
    """Measure the sides alternately, swapping the order in each round."""
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", flush=True)
        for side in sides if number % 2 == 0 else reversed(sides):
            side.measure(seconds)
