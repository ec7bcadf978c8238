"""One part, run to its end, with what it printed."""

import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from proofs.figures import FILE_VARIABLE, MISSED, read_figures
from proofs.parts import Part
from proofs.record import REPOSITORY

_FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/\S+?\.py(?:::.+?)?)(?: - .*)?$", re.MULTILINE)
_COUNTS = re.compile(r"^=+ (.*(?:passed|failed|error|skipped|deselected).*?) in [\d.:]+", re.MULTILINE)
_PASSED, _SKIPPED = re.compile(r"(\d+) passed"), re.compile(r"\d+ skipped")


@dataclass(frozen=True)
class Outcome:
    """``is_passed``: it came to its end and nothing failed (a benchmark may have missed a target);
    ``is_empty``: every test was skipped, or a benchmark has nothing to compare with here; ``alone``: commands
    that run each failing test again.
    """

    seconds: float
    is_passed: bool
    is_empty: bool
    figures: tuple[str, ...]
    alone: tuple[str, ...]

    @property
    def has_missed(self) -> bool:
        return any(figure.endswith(", missed") for figure in self.figures)


def command_of(part: Part) -> list[str]:
    if part.benchmark:
        return [sys.executable, "-m", f"bench.{part.benchmark}", *part.arguments]
    side_by_side = ["--numprocesses", str(part.processes), "--dist", "worksteal"] if part.processes else []
    return [sys.executable, "-m", "pytest", "-raP", "-m", part.marks, *side_by_side, *part.tests]


def run_part(part: Part) -> Outcome:
    """Run the part, showing what it prints as it comes."""
    with tempfile.TemporaryDirectory(prefix="evalapp-proof-") as folder:
        figures_file = Path(folder, "figures")
        command = command_of(part)
        environment = os.environ | {FILE_VARIABLE: str(figures_file), "PYTHONUNBUFFERED": "1"}
        began = time.monotonic()
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
        code = process.wait()
        seconds = time.monotonic() - began
        figures = tuple(str(figure) for figure in read_figures(figures_file))
    if part.benchmark:
        is_complete = code in (0, MISSED)
        return Outcome(
            seconds,
            is_passed=is_complete and bool(figures),
            is_empty=is_complete and not figures,
            figures=figures,
            alone=() if is_complete else (" ".join(command),),
        )
    return _outcome_of_tests("".join(lines), code, seconds, figures)


def _outcome_of_tests(output: str, code: int, seconds: float, figures: tuple[str, ...]) -> Outcome:
    counts = _COUNTS.findall(output)
    told = counts[-1] if counts else ""
    alone = tuple(
        f".venv/bin/python -m pytest -m '' '{test}'" for test in dict.fromkeys(_FAILED.findall(output))
    )
    passed = _PASSED.search(told)
    kept = [passed[0], *_SKIPPED.findall(told)] if passed else []
    return Outcome(
        seconds,
        is_passed=code == 0 and passed is not None,
        is_empty=code in (0, 5) and passed is None,
        figures=(*([", ".join(kept)] if kept else []), *figures),
        alone=alone,
    )
