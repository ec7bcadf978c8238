"""Files of a version's export: its adapter, full model or merged model, with card and hashes."""

from pathlib import Path
from typing import NamedTuple

from django.utils.text import slugify

from evalapp.accounts.models import User
from evalapp.artifacts.card import card_of
from evalapp.artifacts.models import MergedExport
from evalapp.artifacts.streaming import Entry
from evalapp.audit.services import record
from evalapp.core import artifacts
from evalapp.core.errors import ConflictError, MissingError
from evalapp.registry.folders import folder_of
from evalapp.registry.models import TUNED_KINDS, ModelVersion
from run_directory.model_files import read_object
from run_directory.protocol import MANIFEST_FILE

CARD_FILE = "README.md"


class PackedFile(NamedTuple):
    """A file of an export; ``sha256`` is from the folder's manifest, empty if that lacks the file."""

    name: str
    path: Path
    size_bytes: int
    sha256: str

    @property
    def etag(self) -> str:
        return self.sha256 or f"{self.size_bytes:x}-{self.path.stat().st_mtime_ns:x}"


def why_not_exportable(version: ModelVersion) -> str:
    """Why the version has no weights to export, as a sentence; empty if it has."""
    if version.kind not in TUNED_KINDS:
        return f"“{version.label}” has no trained weights, so only its card can be exported."
    if not version.has_weights_here:
        return f"The weights of “{version.label}” are not on this server, so they cannot be exported."
    return ""


def files_of(version: ModelVersion, merged: MergedExport | None = None) -> list[PackedFile]:
    """The weights' files by name. Raises ConflictError when there are none, and MissingError when they have
    disappeared.
    """
    if merged is not None:
        if not merged.is_there:
            raise ConflictError("This merge has no files: it is not done, or they were removed. Merge again.")
        folder = artifacts.fetched(merged.folder)
    elif reason := why_not_exportable(version):
        raise ConflictError(reason)
    else:
        folder = folder_of(version)
    try:
        sums = _sums_in(folder)
        found = [
            PackedFile(path.name, path, path.stat().st_size, sums.get(path.name, ""))
            for path in sorted(folder.iterdir())
            if path.is_file()
        ]
    except OSError as error:
        raise MissingError(
            "The files are not on this server's disk any more. Restore them from a backup, or train again."
        ) from error
    return [file for file in found if file.name != CARD_FILE]


def _sums_in(folder: Path) -> dict[str, str]:
    if not (folder / MANIFEST_FILE).is_file():
        return {}
    files = read_object(folder / MANIFEST_FILE).get("files")
    return {str(name): str(sha256) for name, sha256 in files.items()} if isinstance(files, dict) else {}


def file_named(version: ModelVersion, name: str, merged: MergedExport | None = None) -> PackedFile:
    """The file with this name. Raises MissingError if there is none."""
    found = next((file for file in files_of(version, merged) if file.name == name), None)
    if found is None:
        raise MissingError(
            f"There is no such file; there is: {', '.join(file.name for file in files_of(version, merged))}."
        )
    return found


def entries_of(
    version: ModelVersion, *, reader: User | None, merged: MergedExport | None = None
) -> list[Entry]:
    """Content of an archive: card and weights. Raises the errors of ``files_of``."""
    weights = [Entry(file.name, file.path) for file in files_of(version, merged)]
    card = card_of(version, reader=reader, merged=merged).encode()
    return [Entry(CARD_FILE, card), *weights]


def stem_of(version: ModelVersion, merged: MergedExport | None = None) -> str:
    """File name of the export, without suffix."""
    name = slugify(version.label)[:60] or f"version-{version.pk}"
    return f"{name}-merged" if merged is not None else name


def note_export(
    version: ModelVersion, *, by: User | None, what: str, merged: MergedExport | None = None
) -> None:
    """Record in the audit log that weights were exported; ``what`` is a file's name, or “archive”."""
    data: dict[str, object] = {"what": what, "content_hash": version.content_hash}
    if merged is not None:
        data["merged"] = merged.pk
    record("model.exported", by=by, obj=version, project=version.project, data=data)
