"""Links a run's base and adapters into its directory.

The spec refers to the links, so it is valid on every machine that continues the run.
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
    """Path of the link to the adapter of the candidate with this key."""
    return f"{INPUTS_FOLDER}/{key}"


def link_inputs(run: Run, folder: Path) -> None:
    """Link what the run reads into its directory, fetching artifacts that this machine lacks.

    Raises NotHereError for a base that is not on this machine, and StoreUnavailableError.
    """
    versions = _versions(run)
    inputs.link_inputs(
        folder, map(_described, versions, versions.values()), lambda one: folder_of(versions[one.place])
    )


def require_bases(run: Run) -> None:
    """Check that the run's bases are on this machine; artifacts are fetched later.

    Raises NotHereError when another machine may have the base, and InvalidError when all machines share one
    folder and it is gone.
    """
    for version in _versions(run).values():
        if version.kind == ModelKind.BASE and not (folder := folder_of(version)).is_dir():
            raise InvalidError(
                f"{socket.gethostname()} has no folder {folder}, where the base “{version.model.name}” was"
                " registered. Put it back or mount it there, or register the base again from its new folder;"
                " then start again."
            )


def write_inputs(run: Run, folder: Path) -> None:
    """Write inputs.json, which describes what the run reads, for a machine without database access."""
    versions = _versions(run)
    described = inputs.Inputs(inputs=tuple(map(_described, versions, versions.values())))
    write_whole(folder / inputs.INPUTS_FILE, described.to_json().encode())


def _versions(run: Run) -> dict[str, ModelVersion]:
    """Versions whose weights the run reads, by location in the run directory."""
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
