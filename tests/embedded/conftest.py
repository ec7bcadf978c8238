import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from evalapp.env import REPOSITORY, Environment, read_environment

_FROM_THE_TEST_RUN = ("DATABASE_URL", "REDIS_URL", "EVALAPP_")


def eventually(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for an outcome of another process."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """A home of its own and the command line on it, away from the servers of the test run."""

    def __init__(self, home: Path) -> None:
        self.variables = {"EVALAPP_HOME": str(home), "EVALAPP_BIND": f"127.0.0.1:{free_port()}"}
        self.environment: Environment = read_environment(self.variables)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=REPOSITORY,
            env=self._process_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        process = self.popen(*arguments)
        output, _ = process.communicate(timeout=120)
        return process.returncode, output

    def _process_environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(_FROM_THE_TEST_RUN)
        }
        return {**inherited, **self.variables}


@contextlib.contextmanager
def temporary_installation() -> Iterator[Installation]:
    # Directly under /tmp: a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="evalapp-", dir="/tmp"))
    try:
        yield Installation(home / "home")
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def installation() -> Iterator[Installation]:
    with temporary_installation() as made:
        yield made


@pytest.fixture
def home(installation: Installation) -> Environment:
    return installation.environment
