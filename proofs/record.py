"""`docs/proofs.md`: the last pass of each part, in a table that people read and commit."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from proofs.parts import PARTS, Kind, Part

REPOSITORY = Path(__file__).parent.parent
FILE = REPOSITORY / "docs" / "proofs.md"
_NEVER = "not yet"
_HEAD = """# Proofs

What the long proofs found when they last passed, written by `make verify`, `make chaos` and `make bench`.
Each line is one part with its figures, their targets and the commit that it ran on. `make verify LIST=1` says
which lines are older than the code. A figure that ends in “missed” did not reach its target.
"""
_TITLES = {
    Kind.VERIFY: "Verification (`make verify PART=…`)",
    Kind.CHAOS: "Faults (`make chaos PART=…`)",
    Kind.BENCH: "Benchmarks (`make bench PART=…`)",
}
_COLUMNS = ("part", "proves", "figures", "commit", "date", "took", "machine")


@dataclass(frozen=True)
class Pass:
    """One pass of a part. ``date``: ISO; ``took``: minutes:seconds; ``machine``: its kind."""

    figures: tuple[str, ...]
    commit: str
    date: str
    took: str
    machine: str


def read_record(path: Path = FILE) -> dict[str, Pass]:
    """The passes of the file by the name of their part."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" | ")]
        if len(cells) == len(_COLUMNS) and re.fullmatch(r"[0-9a-f]{8,40}", cells[3]):
            found[cells[0]] = Pass(tuple(cells[2].split("<br>")), *cells[3:])
    return found


def write_record(passes: Mapping[str, Pass], path: Path = FILE) -> None:
    """Write every part with its last pass; passes of parts that are no longer declared are left out."""
    path.write_text("\n".join((_HEAD, *(_section(kind, passes) for kind in Kind))), encoding="utf-8")


def _section(kind: Kind, passes: Mapping[str, Pass]) -> str:
    lines = [f"## {_TITLES[kind]}", "", _row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
    for part in PARTS:
        if part.kind is kind:
            last = passes.get(part.name, Pass((), _NEVER, "", "", ""))
            figures = "<br>".join(each.replace("|", "/") for each in last.figures)
            lines.append(
                _row((part.name, part.proves, figures, last.commit, last.date, last.took, last.machine))
            )
    return "\n".join((*lines, ""))


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def has_changed(part: Part, commit: str) -> bool:
    """Whether the working tree's code of the part differs from that of the commit, or the commit is not in
    this clone.
    """
    return bool(_git("diff", "--quiet", commit, "--", *part.paths).returncode)


def head() -> str:
    return _git("rev-parse", "--short=10", "HEAD").stdout.strip()


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
