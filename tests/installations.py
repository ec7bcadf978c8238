"""The product as a person runs it: with its own home, command line and processes.

Separate from the servers of the test run; tests observe only exit codes, URLs and rows.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from evalapp.embedded import programs
from evalapp.embedded.addresses import health
from evalapp.env import REPOSITORY, Environment, read_environment

READY_SECONDS = 600
_FROM_THE_TEST_RUN = ("DATABASE_URL", "REDIS_URL", "EVALAPP_")


Outcome = TypeVar("Outcome")


def eventually(look: Callable[[], Outcome | None], seconds: float, what: str) -> Outcome:
    """Wait until another process reaches a truthy outcome, and return it."""
    deadline = time.monotonic() + seconds
    while not (outcome := look()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return outcome


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Installation:
    """An own home and the command line for it, separate from the servers of the test run."""

    def __init__(self, home: Path) -> None:
        self.variables = {"EVALAPP_HOME": str(home), "EVALAPP_BIND": f"127.0.0.1:{free_port()}"}
        self.environment: Environment = read_environment(self.variables)

    def popen(self, *arguments: str) -> subprocess.Popen[str]:
        return self._start("manage.py", *arguments, errors=subprocess.STDOUT)

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command; returns the exit code and everything printed."""
        process = self.popen(*arguments)
        output, _ = process.communicate(timeout=600)
        return process.returncode, output

    def run_module(self, name: str, *arguments: str) -> str:
        """The output of a test module that runs against this installation."""
        process = self._start("-m", name, *arguments, errors=subprocess.PIPE)
        output, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        return output

    def _start(self, *arguments: str, errors: int) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=self._process_environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )

    def _process_environment(self) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(_FROM_THE_TEST_RUN)
        }
        return {**inherited, **self.variables}


@contextlib.contextmanager
def temporary_installation(*, fetches_model: bool = False) -> Iterator[Installation]:
    """An empty home; the small model is downloaded and converted, which takes long, only if a test needs
    it.
    """
    # Directly under /tmp, because a socket's path must be short.
    home = Path(tempfile.mkdtemp(prefix="evalapp-", dir="/tmp"))
    try:
        installation = Installation(home / "home")
        if not fetches_model:
            # An existing folder is taken to contain the model.
            installation.environment.bundled_model_folder.mkdir(parents=True)
        yield installation
    finally:
        shutil.rmtree(home, ignore_errors=True)


class Running:
    """An installation served by `manage.py up`."""

    def __init__(self, installation: Installation, *options: str) -> None:
        self.installation = installation
        self.home = installation.environment
        self.process = installation.popen("up", *options)
        eventually(self.is_up, READY_SECONDS, "the web answers")

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.output()
        answer = health(self.home)
        return answer is not None and answer[0] == 200 and bool(self.services().get(programs.BEAT))

    def services(self) -> dict[str, dict[str, Any]]:
        try:
            entries = json.loads((self.home.home / "supervisor.json").read_text())
        except FileNotFoundError:
            return {}
        return {entry["name"]: entry for entry in entries}

    def pid(self, name: str) -> int:
        return int(self.services()[name]["pid"])

    def stop(self) -> tuple[int, str]:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        output, _ = self.process.communicate(timeout=300)
        return self.process.returncode, output

    def output(self) -> str:
        return self.process.communicate(timeout=120)[0]
