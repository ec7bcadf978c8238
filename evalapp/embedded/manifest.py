"""The manifest of a backup: its files and their places in the home."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT = 1
DATABASE_MEMBER = "database.dump"
MANIFEST_MEMBER = "manifest.json"
HOME_PREFIX = "home"
SECRET_KEY = "secret-key"  # noqa: S105 - the file's name
SECRET_KEY_MEMBER = f"{HOME_PREFIX}/{SECRET_KEY}"

# Everything in the home that cannot be recreated. The small model, logs and static files can, and the
# databases' own folders can from the dump.
FOLDERS = ("files", "artifacts", "runs")
FILES = (SECRET_KEY, "demo-logins.txt")
KEPT = FOLDERS + FILES

_MIGRATION = re.compile(r"(\d{4}_\w+)?", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")


class UnusableBackupError(Exception):
    """The file is no backup, is damaged, or was made by a newer release.

    The text completes "FILE cannot be restored: …" and says how to fix it.
    """


@dataclass(frozen=True)
class Manifest:
    """The manifest; `migration`: the newest migration of the product in the dump."""

    made_at: datetime
    migration: str
    members: Mapping[str, tuple[int, str]]  # name → bytes, SHA-256

    def to_json(self) -> bytes:
        fields = {
            "format": FORMAT,
            "made_at": self.made_at.isoformat(timespec="seconds"),
            "migration": self.migration,
            "members": dict(self.members),
        }
        return json.dumps(fields).encode()


def read_manifest(content: bytes) -> Manifest:
    """The manifest parsed from JSON, with all fields checked. Raises UnusableBackupError."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise UnusableBackupError("its manifest is not readable JSON. Use another copy.") from error
    wanted: dict[str, Callable[[Any], bool]] = {
        "format": lambda value: type(value) is int and value > 0,
        "made_at": _is_time,
        "migration": lambda value: isinstance(value, str) and _MIGRATION.fullmatch(value) is not None,
        "members": _are_members,
    }
    for name, is_right in wanted.items():
        if not isinstance(fields, dict) or not is_right(fields.get(name)):
            raise UnusableBackupError(
                f"its manifest is damaged: “{name}” is missing or invalid. Use another copy."
            )
        # Checked before the later fields, whose format a newer release may have changed.
        if fields["format"] > FORMAT:
            raise UnusableBackupError("a newer release wrote it. Restore it with that release.")
    members = {name: (size, digest) for name, (size, digest) in fields["members"].items()}
    return Manifest(datetime.fromisoformat(fields["made_at"]), fields["migration"], members)


def has_a_place(name: str) -> bool:
    """Whether the member is the database dump or belongs to the home's backed-up files."""
    if name == DATABASE_MEMBER:
        return True
    try:
        is_path = b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False
    prefix, *parts = name.split("/")
    if not is_path or prefix != HOME_PREFIX or {"", ".", ".."} & set(parts):
        return False
    return (len(parts) > 1 and parts[0] in FOLDERS) or (len(parts) == 1 and parts[0] in FILES)


def is_kept(home: Path, path: Path) -> bool:
    """Whether the path lies in a folder that backups contain and restores replace."""
    return any(path.resolve().is_relative_to((home / name).resolve()) for name in FOLDERS)


def _is_time(value: Any) -> bool:
    try:
        datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return False
    return True


def _are_members(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_member, value.values()))


def _is_member(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    size, digest = value
    return type(size) is int and size >= 0 and isinstance(digest, str) and bool(_SHA256.fullmatch(digest))
