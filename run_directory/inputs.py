"""Which base and adapters a run directory reads, so that any machine can link them where it has them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from run_directory.bases import SETTINGS, check_base
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
    settings: dict[str, str] | None = None
    """What else the base is; see `BaseDescription`."""
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


class BaseDescription(NamedTuple):
    """What a base in a folder is."""

    fingerprint: str
    """Empty where no base there could be used."""
    settings: Mapping[str, str]
    """As `Base.settings` has them; of a base that was registered before one of them was kept, only the
    others.
    """


class BaseChoice(NamedTuple):
    """The folder of a base on this machine, and where there is none, what came nearest."""

    folder: Path | None
    unlike: str = ""
    """A sentence on a folder that has its weights and is another model."""


def chosen_base(
    wanted: BaseDescription, folders: Iterable[Path], look: Callable[[Path], BaseDescription] | None = None
) -> BaseChoice:
    """The first folder with this base: its weights, and the settings, tokenizer and template that were kept
    of it.
    """
    unlike = ""
    for folder in folders:
        found = (look or describe_base)(folder)
        if not found.fingerprint or found.fingerprint != wanted.fingerprint:
            continue
        others = [
            name
            for key, name in SETTINGS.items()
            if key in wanted.settings and wanted.settings[key] != found.settings[key]
        ]
        if not others:
            return BaseChoice(folder)
        unlike = unlike or f"{folder} has the same weights, but another {' and another '.join(others)}."
    return BaseChoice(None, unlike)


def describe_base(folder: Path) -> BaseDescription:
    """What the base in a folder is."""
    try:
        base = check_base(folder)
    except UnusableModelError:
        return BaseDescription("", {})
    return BaseDescription(base.fingerprint, base.settings)
