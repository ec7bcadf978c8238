"""The store between machines: objects by name, in S3 or in a folder that all machines share.

Accessed through fsspec, which is needed only if a store is used. Keys and endpoint of S3 come from the
environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL, …) or the machine's role and are
never written anywhere.
"""

import functools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

PROTOCOLS = ("s3", "file")
_S3 = {
    "use_listings_cache": False,
    "config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 2}},
}
_LONGEST_REASON = 300


class StoreError(Exception):
    """The store cannot be used; the message says which, why, and where to look."""


def check_url(url: str) -> str:
    """The URL without a trailing slash. Raises ValueError for one that cannot name a store."""
    parts = urlsplit(url)
    if parts.scheme not in PROTOCOLS:
        raise ValueError("write s3://bucket/prefix, or file:///folder for a folder that all machines see")
    if parts.scheme == "s3" and (not parts.hostname or "@" in parts.netloc or parts.query):
        raise ValueError(
            "write s3://bucket/prefix; keys and endpoint go into AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and"
            " AWS_ENDPOINT_URL"
        )
    if parts.scheme == "file" and (parts.netloc or parts.path in ("", "/")):
        raise ValueError("write file:///folder, three slashes and the folder's whole path")
    return url.rstrip("/")


class Store:
    """Objects by name (`runs/7/…`); names are relative to the store's URL and cannot leave it.

    Every method raises StoreError.
    """

    def __init__(self, url: str) -> None:
        self.url = check_url(url)
        self._is_folder = self.url.startswith("file:")
        with self._telling("opened"):
            self._files, self._root = _file_system(self.url, is_folder=self._is_folder)

    def put(self, path: Path, name: str) -> None:
        """Store a file's current content."""
        with self._telling("written to"):
            self._files.put_file(str(path), self._at(name))

    def write(self, name: str, content: bytes) -> None:
        """Store an object atomically: readers see all of it or none."""
        with self._telling("written to"):
            if not self._is_folder:
                self._files.pipe_file(self._at(name), content)
                return
            # In a folder, a file is visible while it is written; in S3 an object appears only when complete.
            part = self._at(f"{name}.{uuid.uuid4().hex}.part")
            self._files.pipe_file(part, content)
            self._files.mv(part, self._at(name))

    def read(self, name: str) -> bytes | None:
        """An object's bytes, or None if it does not exist."""
        with self._telling("read"):
            try:
                return bytes(self._files.cat_file(self._at(name)))
            except FileNotFoundError:
                return None

    def get(self, name: str, path: Path) -> None:
        """Copy an object into a file. Raises FileNotFoundError if it does not exist."""
        with self._telling("read"):
            self._files.get_file(self._at(name), str(path))

    def names(self, folder: str) -> list[str]:
        """Sorted names of the entries directly below a folder."""
        with self._telling("read"):
            try:
                found = self._files.ls(self._at(folder), detail=False, refresh=True)
            except FileNotFoundError:
                return []
        return sorted({PurePosixPath(each).name for each in found} - {PurePosixPath(folder).name})

    def remove(self, name: str) -> None:
        """Remove an object or everything below a name, if it exists."""
        with self._telling("cleaned"):
            try:
                self._files.rm(self._at(name), recursive=True)
            except FileNotFoundError:
                return

    def check(self) -> None:
        """Write, read and remove a test object. Raises StoreError on a mismatch."""
        name, content = f"probe-{uuid.uuid4().hex}", uuid.uuid4().bytes
        self.write(name, content)
        found = self.read(name)
        self.remove(name)
        if found != content:
            raise StoreError(f"The store {self.url} does not return what was written to it.")

    def _at(self, name: str) -> str:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or ".." in parts:
            raise ValueError(f"{name!r} names no object of a store")
        return f"{self._root}/{name}"

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except _failures() as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:_LONGEST_REASON]
            raise StoreError(f"The store {self.url} cannot be {what}: {reason.rstrip('.')}.") from error


@functools.cache
def opened(url: str) -> Store:
    """The store at a URL, opened once per process. Raises StoreError."""
    return Store(url)


def _file_system(url: str, *, is_folder: bool) -> tuple[Any, str]:
    try:
        import fsspec

        # Never reuse instances of another URL or process: a child process cannot use its parent's.
        options = {"auto_mkdir": True} if is_folder else _S3
        files, root = fsspec.url_to_fs(url, skip_instance_cache=True, **options)
    except ImportError as error:
        library = "fsspec" if is_folder else "s3fs"
        raise StoreError(
            f"The store {url} needs the library {library}, which is not installed here: .venv/bin/pip install"
            f" {library}."
        ) from error
    return files, str(root).rstrip("/")


@functools.cache
def _failures() -> tuple[type[Exception], ...]:
    found: list[type[Exception]] = [OSError, TimeoutError]
    try:
        from aiohttp import ClientError as ConnectionFailure
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        return tuple(found)
    return (*found, BotoCoreError, ClientError, ConnectionFailure)
