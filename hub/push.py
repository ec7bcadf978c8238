"""Sends a prepared dataset to a hub as one commit, or makes none if the hub already has it."""

import hashlib
import io
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError
from huggingface_hub.hf_api import DatasetInfo, RepoSibling

from hub.answers import NOT_A_HUB, first_line, status_words, token
from hub.guard import guard
from hub.spec import DATASET_FOLDER, PushReport, PushSpec
from run_directory.files import sha256_of
from run_directory.machine import package_versions
from run_directory.outgoing_policy import policy_of
from run_directory.program import Refusal, RunDirectory, Stopped
from run_directory.protocol import SPEC_FILE

MOST_FILE_BYTES = 50 * 10**9
"""Maximum size of a file on huggingface.co; another hub may allow less, and reports it."""
_BRANCH = "main"
_TOKEN = "the token of EVALAPP_HF_TOKEN"  # noqa: S105  # a description, not the token
_HASH_CHUNK = 2**20
_OWN_WORDS = 200


def push(directory: RunDirectory) -> tuple[str, PushReport]:
    """Make the repository hold exactly these files of a dataset, or leave it unchanged. A repeat sends only
    what is missing and commits nothing twice.
    """
    started = time.monotonic()
    spec = PushSpec.from_json(directory.spec, where=SPEC_FILE)
    if not token():
        raise Refusal(
            f"a push to {spec.hub} needs a token that may write; the operator sets one in EVALAPP_HF_TOKEN"
        )
    guard(policy_of(spec.allowed))
    files = _files_of(directory.folder / DATASET_FOLDER)
    api = HfApi(endpoint=spec.hub, token=token())
    with _told(spec):
        info = _repository(api, spec, directory)
        commit = _commit_of(info.sha, spec)
        change = _change_of(files, info, spec)
        if change.files or change.gone:
            commit = _commit_of(_sent(api, spec, directory, change), spec)
    report = PushReport(
        repository=spec.repository,
        commit=commit,
        url=f"{spec.hub}/datasets/{spec.repository}/tree/{commit}",
        is_private=bool(info.private),
        made_commit=commit != info.sha,
        files={name: sha256_of(path) for name, path in files.items()},
        size_bytes=sum(path.stat().st_size for path in files.values()),
        packages=package_versions("huggingface_hub"),
        seconds=time.monotonic() - started,
    )
    done = "Pushed to" if report.made_commit else "Nothing was new for"
    return f"{done} {spec.repository}, commit {commit[:12]}.", report


class _Change(NamedTuple):
    """Files to add and files to delete (``gone``); ``parent`` is the repository's current commit, or
    empty.
    """

    files: dict[str, Path]
    gone: list[str]
    parent: str


def _change_of(files: dict[str, Path], info: DatasetInfo, spec: PushSpec) -> _Change:
    held = {each.rfilename: each for each in info.siblings or []}
    return _Change(
        files={name: path for name, path in files.items() if not _is_held(path, held.get(name))},
        gone=sorted((set(spec.gone) & set(held)) - set(files)),
        parent=info.sha or "",
    )


def _files_of(folder: Path) -> dict[str, Path]:
    """Files to send by their name in the repository. Raises Refusal without files, or for one that is too
    large.
    """
    found = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    if not found:
        raise Refusal(
            f"there are no files in {DATASET_FOLDER} of the run directory; prepare the dataset again"
        )
    for name, path in found.items():
        if (size := path.stat().st_size) > MOST_FILE_BYTES:
            raise Refusal(
                f"{name} has {size / 10**9:.1f} GB, and a hub takes files of up to"
                f" {MOST_FILE_BYTES / 10**9:.0f} GB; push a version with fewer rows, or fewer splits"
            )
    return found


def _repository(api: HfApi, spec: PushSpec, directory: RunDirectory) -> DatasetInfo:
    """The hub's metadata of the repository, which is created if it is missing."""
    directory.events.write("stage", f"Looking up {spec.repository} on {spec.hub}.", name="asking")
    info = _looked_up(api, spec)
    if info is None:
        directory.interruption.check()
        with _told(spec, creating=True):
            _create(api, spec)
        info = _looked_up(api, spec)
        if info is None:
            raise Refusal(
                f"{spec.hub} has a dataset {spec.repository} that {_TOKEN} may not see: it belongs to others;"
                " choose another name"
            )
    if spec.is_private and not info.private:
        raise Refusal(
            f"the repository {spec.repository} is public on {spec.hub}, and this push was to be private, so"
            " nothing was sent; make it private there, choose another name, or choose a public push"
        )
    return info


def _create(api: HfApi, spec: PushSpec) -> None:
    """Create the repository; an existing one is left unchanged."""
    try:
        api.create_repo(spec.repository, repo_type="dataset", private=spec.is_private)
    except HfHubHTTPError as error:
        if error.response.status_code != 409:
            raise


def _looked_up(api: HfApi, spec: PushSpec) -> DatasetInfo | None:
    try:
        return api.dataset_info(spec.repository, files_metadata=True, timeout=30)
    except RepositoryNotFoundError:
        return None


def _is_held(path: Path, there: RepoSibling | None) -> bool:
    """Whether the hub has this file with this content."""
    if there is None:
        return False
    if there.lfs is not None:
        return there.lfs.sha256 == sha256_of(path)
    return there.blob_id == _git_hash(path)


def _git_hash(path: Path) -> str:
    """Git's blob id of a file."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sent(api: HfApi, spec: PushSpec, directory: RunDirectory, change: _Change) -> str | None:
    """Upload the change; returns the id of the new commit."""
    said = _Said(directory, sum(path.stat().st_size for path in change.files.values()))
    with ExitStack() as open_files:
        additions = []
        for name, path in change.files.items():
            file = open_files.enter_context(_ToldFile(path, said))
            addition = CommitOperationAdd(path_in_repo=name, path_or_fileobj=file)
            file.is_on_its_way = True
            additions.append(addition)
            directory.interruption.check()
            directory.events.write("stage", f"Sending {name}.", name="sending")
            # One file at a time, so that a stop request is noticed between files and a repeat continues after
            # the last one.
            api.preupload_lfs_files(
                spec.repository, [addition], repo_type="dataset", revision=_BRANCH, num_threads=1,
                free_memory=False,
            )  # fmt: skip
            said.finish(path.stat().st_size)
        directory.interruption.check()
        directory.events.write("stage", "Writing the commit.", name="committing")
        operations: list[Any] = [
            *additions,
            *(CommitOperationDelete(name, is_folder=False) for name in change.gone),
        ]
        # With the parent given, the hub rejects this commit if another one was made meanwhile.
        made = api.create_commit(
            spec.repository, operations, commit_message=spec.message, repo_type="dataset", revision=_BRANCH,
            parent_commit=change.parent or None,
        )  # fmt: skip
    return made.oid


class _Said:
    """Reports upload progress."""

    def __init__(self, directory: RunDirectory, total: int) -> None:
        self.directory = directory
        self._total, self._before, self._told_at = total, 0, 0.0

    def at(self, position: int) -> None:
        """Report that ``position`` bytes of the current file are sent."""
        self.directory.interruption.check()
        if time.monotonic() - self._told_at > 0.5:
            self._told_at = time.monotonic()
            self._tell(self._before + position)

    def finish(self, size: int) -> None:
        self._before += size
        self._tell(self._before)

    def _tell(self, done: int) -> None:
        # Rounded up, so that a small dataset shows progress too.
        steps, total = (-(-each // 2**20) for each in (min(done, self._total), self._total))
        self.directory.events.write("progress", f"{steps:,} of {total:,} MiB.", step=steps, total=total)


class _ToldFile(io.BufferedReader):
    """A file that reports how far it has been read once its upload has begun; before, the library only hashes
    it.
    """

    is_on_its_way = False

    def __init__(self, path: Path, said: _Said) -> None:
        super().__init__(io.FileIO(path))
        self._said = said

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if self.is_on_its_way:
            self._said.at(self.tell())
        else:
            self._said.directory.interruption.check()
        return found


def _commit_of(found: str | None, spec: PushSpec) -> str:
    """The commit id, checked for its form; empty for a repository without commits. Raises Refusal if
    malformed.
    """
    name = found or ""
    if name and not (name.isascii() and name.isalnum() and len(name) <= 64):
        raise Refusal(f"{spec.hub} {NOT_A_HUB}")
    return name


@contextmanager
def _told(spec: PushSpec, *, creating: bool = False) -> Iterator[None]:
    """Turn errors of the hub or the network into a Refusal in words, unwrapping the library's upload
    errors.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException = error
        while type(cause) is RuntimeError and cause.__cause__ is not None:
            cause = cause.__cause__
        if isinstance(cause, Refusal | Stopped):
            raise cause from None
        words = _words_of(cause, spec, creating=creating)
        if not words:
            raise
        raise Refusal(words) from error


def _words_of(error: BaseException, spec: PushSpec, *, creating: bool) -> str:
    hub, name = spec.hub, spec.repository
    if isinstance(error, HfHubHTTPError):
        return _refused(error, spec, creating=creating)
    if isinstance(error, httpx2.TransportError | ConnectionError):
        return (
            f"{hub} or its storage cannot be reached ({first_line(error)}); try again, and what has arrived"
            " is not sent again"
        )
    if isinstance(error, ValueError | KeyError | TypeError | AttributeError):
        # Errors of the library itself; the hub's own list of errors follows the first line.
        said = " ".join(str(error).split())
        if said.startswith(("LFS batch API returned errors", "Invalid metadata in README.md")):
            return f"{hub} does not take the files of {name} ({said[:300]})"
        return f"{hub} {NOT_A_HUB}"
    return ""


def _refused(error: HfHubHTTPError, spec: PushSpec, *, creating: bool) -> str:
    hub, name, status = spec.hub, spec.repository, error.response.status_code
    # A full quota has the same status as a missing right; only the hub's message tells them apart.
    own_words = " ".join((error.server_message or "").split())[:_OWN_WORDS]
    told = f"status {status}: {own_words}" if own_words else f"status {status}"
    if status == 401:
        return f"{hub} refuses {_TOKEN} (status 401); check that it is right and not expired"
    if status in (403, 404) and creating:
        return (
            f"{_TOKEN} may not create {name} on {hub} ({told}); give it the right to write datasets"
            f" of {name.partition('/')[0]}, or choose another organisation"
        )
    if status in (403, 404):
        return (
            f"{_TOKEN} may not write to {name} on {hub} ({told}): the repository belongs to others,"
            " or the token may only read; choose another name, or a token that may write"
        )
    if status in (409, 412):
        return f"somebody else wrote to {name} at the same time (status {status}); try again"
    if status in (402, 413):
        return f"{hub} does not take this much ({told}); push fewer splits, or to an organisation with room"
    return status_words(hub, status, _TOKEN)
