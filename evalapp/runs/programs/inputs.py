"""The base and the adapters of a run, linked into its directory.

The spec names the links, so it is the same on every machine that goes on with the run.
"""

import socket
from pathlib import Path

from evalapp.core.errors import InvalidError
from evalapp.registry.folders import folder_of, what_was_registered
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.runs.models import Run
from run_directory import inputs
from run_directory.files import write_whole
from run_directory.protocol import INPUTS_FOLDER

BASE = f"{INPUTS_FOLDER}/base"
CONTINUED_FROM = f"{INPUTS_FOLDER}/continued-from"


def adapter_of(key: str) -> str:
    """Where the adapter of the candidate with this key is linked."""
    return f"{INPUTS_FOLDER}/{key}"


def link_inputs(run: Run, folder: Path) -> None:
    """Link what the run reads into its directory, fetching what this machine lacks.

    Raises NotHereError for a base that this machine does not have, StoreAwayError.
    """
    versions = _versions(run)
    inputs.link_inputs(
        folder, map(_described, versions, versions.values()), lambda one: folder_of(versions[one.place])
    )


def require_bases(run: Run) -> None:
    """Raises NotHereError where this machine lacks a base that the run reads and another may have it,
    InvalidError where there is one folder for all and it is gone. What was trained is fetched later.
    """
    for version in _versions(run).values():
        if version.kind == ModelKind.BASE and not (folder := folder_of(version)).is_dir():
            raise InvalidError(
                f"{socket.gethostname()} has no folder {folder}, where the base “{version.model.name}” was"
                " registered. Put it back or mount it there, or register the base again from its new folder;"
                " then start again."
            )


def write_inputs(run: Run, folder: Path) -> None:
    """Write down what the run reads, for a machine that has no database."""
    versions = _versions(run)
    described = inputs.Inputs(inputs=tuple(map(_described, versions, versions.values())))
    write_whole(folder / inputs.INPUTS_FILE, described.to_json().encode())


def _versions(run: Run) -> dict[str, ModelVersion]:
    """Each version whose weights the run reads, by its place in the run directory."""
    found = {BASE: run.base, CONTINUED_FROM: run.continued_from}
    for entry in run.candidates.select_related("model_version__model"):
        if entry.model_version.kind == ModelKind.LORA:
            found[adapter_of(entry.key)] = entry.model_version
    return {place: version for place, version in found.items() if version is not None}


def _described(place: str, version: ModelVersion) -> inputs.Input:
    name = f"{version.model.name}, {version.label}"
    if version.kind == ModelKind.BASE:
        known = what_was_registered(version)
        return inputs.Input(
            place=place,
            name=name,
            fingerprint=known.fingerprint,
            settings=dict(known.settings),
            folder=version.path,
        )
    return inputs.Input(place=place, name=name, artifact=version.path)
