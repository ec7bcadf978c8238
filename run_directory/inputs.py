"""The base and adapters that a run directory reads, so that each machine can link its own copies."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from run_directory.bases import SETTINGS, check_base
from run_directory.model_files import UnusableModelError
from run_directory.protocol import INPUTS_FOLDER
from run_directory.records import Record, require

INPUTS_FILE = "inputs.json"
"""Written by the caller if another machine may run the program."""


@dataclass(frozen=True, kw_only=True)
class Input(Record):
    """A base, identified by its fingerprint, or a training's result, identified by its artifact name."""

    place: str
    """Path in the run directory, as named by the spec."""
    name: str
    """Name shown to people."""
    fingerprint: str | None = None
    settings: dict[str, str] | None = None
    """Hashes of the base's other settings; see `BaseDescription`."""
    folder: str | None = None
    """Folder of the base on the machine that registered it."""
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
    """Link every input to the folder that ``find`` returns for it on this machine."""
    for each in inputs:
        link, target = run / each.place, find(each).absolute()
        link.parent.mkdir(exist_ok=True)
        if link.is_symlink() and link.readlink() == target:
            continue
        link.unlink(missing_ok=True)
        link.symlink_to(target, target_is_directory=True)


class BaseDescription(NamedTuple):
    """Identity of a base in a folder."""

    fingerprint: str
    """Empty if the folder has no usable base."""
    settings: Mapping[str, str]
    """As in `Base.settings`; settings that were not recorded yet when the base was registered are absent."""


class BaseChoice(NamedTuple):
    """The folder of a base on this machine; if there is none, the nearest mismatch."""

    folder: Path | None
    unlike: str = ""
    """A sentence about a folder with the same weights but other settings."""


def chosen_base(
    wanted: BaseDescription, folders: Iterable[Path], look: Callable[[Path], BaseDescription] | None = None
) -> BaseChoice:
    """The first folder with this base: the same weights and the same recorded settings (config, tokenizer,
    template).
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
    """Identity of the base in a folder; the fingerprint is empty if it is unusable."""
    try:
        base = check_base(folder)
    except UnusableModelError:
        return BaseDescription("", {})
    return BaseDescription(base.fingerprint, base.settings)
