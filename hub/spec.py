"""spec.json and result.json of `python -m hub`. Standard library only.

A spec without a ``kind`` downloads a model; one with the kind `PUSH` sends a dataset.
"""

import re
from dataclasses import dataclass
from typing import Literal

from run_directory.protocol import Outcome
from run_directory.records import Record, RecordError, parse_json, require

PARTS_FOLDER = "download"
"""Folder in the run directory for downloads in progress."""
TOKEN_VARIABLE = "HF_TOKEN"  # noqa: S105  # the variable's name
"""Environment variable with the hub's token, if there is one; no file of the run directory contains it."""
DATASET_FOLDER = "dataset"
"""Folder in the run directory with the files to push, laid out as in the repository."""
PUSH: Literal["push"] = "push"
DEFAULT_HUB = "https://huggingface.co"
MOST_TEMPLATE_CHARACTERS = 200_000
MOST_REPOSITORY_CHARACTERS = 96

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPOSITORY = re.compile(rf"(?:{_PART}/)?{_PART}")
_OWNED = re.compile(rf"{_PART}/{_PART}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class HubSpec(Record):
    """spec.json: one commit of a model on a hub."""

    format: Literal[1] = 1
    repository: str
    """organisation/name, as on the hub."""
    revision: str = "main"
    """A branch, tag or commit. It is resolved to a commit at the first start; the report names that
    commit.
    """
    hub: str = DEFAULT_HUB
    allowed: tuple[str, ...] = ()
    """Hosts and networks that may be reached, as `run_directory.outgoing_policy` reads them."""
    chat_template: str | None = None
    """Replaces the model's chat template, or provides a missing one."""

    def check(self, where: str) -> None:
        require(
            _REPOSITORY.fullmatch(self.repository) and ".." not in self.repository,
            where,
            "repository: write the model's name as the hub does, organisation/name",
        )
        require(
            _REVISION.fullmatch(self.revision) and ".." not in self.revision,
            where,
            "revision: write a branch, a tag or a commit, for instance main",
        )
        require(
            self.hub.startswith(("https://", "http://")),
            where,
            "hub: write a URL with https:// or http://",
        )
        require(
            self.chat_template is None or 0 < len(self.chat_template) <= MOST_TEMPLATE_CHARACTERS,
            where,
            f"chat_template: give 1 to {MOST_TEMPLATE_CHARACTERS:,} characters",
        )


@dataclass(frozen=True, kw_only=True)
class HubReport(Record):
    """What was downloaded."""

    repository: str
    commit: str
    license: str | None
    """As named by the model's card."""
    files: dict[str, str]
    """SHA-256 by file name, without manifest.json."""
    size_bytes: int
    fingerprint: str
    gave_template: bool
    """Whether the chat template is the spec's, not the hub's."""
    packages: dict[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class HubResult(Record):
    """result.json."""

    program: Literal["hub"] = "hub"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    spec_sha256: str | None
    report: HubReport | None = None


@dataclass(frozen=True, kw_only=True)
class HubManifest(Record):
    """manifest.json of the model folder."""

    format: Literal[1] = 1
    hub: str
    repository: str
    commit: str
    files: dict[str, str]
    fingerprint: str
    gave_template: bool


@dataclass(frozen=True, kw_only=True)
class PushSpec(Record):
    """spec.json: the files of `DATASET_FOLDER` become one commit of a dataset on a hub."""

    format: Literal[1] = 1
    kind: Literal["push"]
    repository: str
    """organisation/name; created if it is missing."""
    hub: str = DEFAULT_HUB
    allowed: tuple[str, ...] = ()
    """Hosts and networks that may be reached, as `run_directory.outgoing_policy` reads them."""
    is_private: bool = True
    """If true, nothing is sent to a public repository."""
    message: str
    """Commit message."""
    gone: tuple[str, ...] = ()
    """Files that an earlier push may have left and that this push deletes."""

    def check(self, where: str) -> None:
        require(
            # Git and the hub's own client reject these, too.
            _OWNED.fullmatch(self.repository)
            and not any(each in self.repository for each in ("..", "--"))
            and not self.repository.endswith((".git", ".", "-"))
            and "./" not in self.repository
            and "-/" not in self.repository
            and len(self.repository) <= MOST_REPOSITORY_CHARACTERS,
            where,
            "repository: write organisation/name (or your user name/name), in letters, digits, and"
            f" single -, _ and . between them, at most {MOST_REPOSITORY_CHARACTERS} characters",
        )
        require(
            self.hub.startswith(("https://", "http://")),
            where,
            "hub: write a URL with https:// or http://",
        )
        require(self.message.strip(), where, "message: say in a line what the commit is")


@dataclass(frozen=True, kw_only=True)
class PushReport(Record):
    """State of the repository after the push."""

    repository: str
    commit: str
    url: str
    """URL of the commit's files, for people."""
    is_private: bool
    """As reported by the hub."""
    made_commit: bool
    """False if the repository already had everything."""
    files: dict[str, str]
    """SHA-256 by file name."""
    size_bytes: int
    packages: dict[str, str]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class PushResult(Record):
    """result.json of a push."""

    program: Literal["hub"] = "hub"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    spec_sha256: str | None
    report: PushReport | None = None


def is_push(spec: bytes) -> bool:
    """Whether a spec.json asks for a push. False for an unreadable spec; the error is reported when it is
    parsed in full.
    """
    try:
        found = parse_json(spec, where="spec.json")
    except RecordError:
        return False
    return isinstance(found, dict) and found.get("kind") == PUSH
