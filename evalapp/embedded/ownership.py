"""The process that owns a home's embedded servers, and the processes that use them.

Two locks, both released by the kernel when their holder dies. `services.lock` belongs to the one process that
started the servers. `services.users` is shared by every process that needs them; the owner locks it
exclusively before stopping them, so that a short command that happened to start the servers does not stop
them while another uses them.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from evalapp.embedded.folders import make_private_folder
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Owner:
    """The process that owns the servers: its pid and its command."""

    pid: int
    command: str


class Ownership:
    """The two locks of one home. Not re-entrant; one object per process."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._owner_path = environment.home / "services.lock"
        self._users_path = environment.home / "services.users"
        self._owner_file: IO[str] | None = None

    def current_owner(self) -> Owner | None:
        """The process that owns the servers now, or None."""
        try:
            with self._owner_path.open("r+", encoding="utf-8") as file:
                if _try_lock(file, fcntl.LOCK_SH):
                    return None
                return _read_owner(file)
        except FileNotFoundError:
            return None

    def try_to_own(self, command: str) -> bool:
        """Become the owner unless another process is; keeps the lock until `release`."""
        make_private_folder(self._environment.home)
        file = _open(self._owner_path)
        if not _try_lock(file, fcntl.LOCK_EX):
            file.close()
            return False
        # Only the lock counts: on a full disk the owner's name is not written.
        with contextlib.suppress(OSError):
            os.truncate(file.fileno(), 0)
            os.write(file.fileno(), json.dumps(asdict(Owner(os.getpid(), command))).encode())
        self._owner_file = file
        return True

    def release(self) -> None:
        if self._owner_file is not None:
            self._owner_file.close()
            self._owner_file = None

    @contextlib.contextmanager
    def as_user(self) -> Iterator[None]:
        """Register as a user of the servers; waits while an owner is stopping them."""
        make_private_folder(self._environment.home)
        with _open(self._users_path) as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    @contextlib.contextmanager
    def without_users(self, seconds: float, pause: Callable[[float], None] = time.sleep) -> Iterator[bool]:
        """Keep new users out inside the block; yields whether the present users left in time."""
        with _open(self._users_path) as file:
            deadline = time.monotonic() + seconds
            alone = _try_lock(file, fcntl.LOCK_EX)
            while not alone and time.monotonic() < deadline:
                pause(_POLL_SECONDS)
                alone = _try_lock(file, fcntl.LOCK_EX)
            yield alone


def wait_until(condition: Callable[[], bool], seconds: float, problem: str) -> None:
    """Raise ServiceProblem(problem) unless the condition holds within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceProblem(problem)
        time.sleep(_POLL_SECONDS)


def _open(path: Path) -> IO[str]:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8")


def _try_lock(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_owner(file: IO[str]) -> Owner:
    try:
        return Owner(**json.load(file))
    except (ValueError, TypeError):
        return Owner(0, "another command")  # read between taking the lock and writing the name
