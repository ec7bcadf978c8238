"""Which base and adapters a run directory reads, so that any machine can link them where it has them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from run_directory.bases import check_base
from run_directory.model_files import UnusableModelError
from run_directory.protocol import INPUTS_FOLDER
from run_directory.records import Record, require

INPUTS_FILE = "inputs.json"
"""Written by the caller where another machine may run the program."""


@dataclass(frozen=True, kw_only=True)
class Input(Record):
    """A base, by its fingerprint, or what was trained, by its name among the artifacts."""

    place: str
    """In the run directory, as the spec names it."""
    name: str
    """What people call it."""
    fingerprint: str | None = None
    folder: str | None = None
    """Where the base lies on the machine that registered it."""
    artifact: str | None = None

    def check(self, where: str) -> None:
        parts = Path(self.place).parts
        require(len(parts) == 2 and parts[0] == INPUTS_FOLDER and parts[1] != "..", where, "place is none")
        require((self.fingerprint is None) != (self.artifact is None), where, "is neither base nor artifact")


@dataclass(frozen=True, kw_only=True)
class Inputs(Record):
    """inputs.json."""

    format: Literal[1] = 1
    inputs: tuple[Input, ...]


def link_inputs(run: Path, inputs: Iterable[Input], find: Callable[[Input], Path]) -> None:
    """Link every input to where ``find`` has it on this machine."""
    for each in inputs:
        link, target = run / each.place, find(each).absolute()
        link.parent.mkdir(exist_ok=True)
        if link.is_symlink() and link.readlink() == target:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(target, target_is_directory=True)


def base_with(fingerprint: str, folders: Iterable[Path]) -> Path | None:
    """The first folder with a base of this fingerprint."""
    return next((folder for folder in folders if fingerprint_of(folder) == fingerprint), None)


def fingerprint_of(folder: Path) -> str:
    """The fingerprint of the base in a folder; empty when there is none that could be used."""
    try:
        return check_base(folder).fingerprint
    except UnusableModelError:
        return ""
