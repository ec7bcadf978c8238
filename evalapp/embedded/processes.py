"""Child processes that can be stopped in steps and never outlive their parent."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class StopStep:
    """Send `signal`, then give the process `seconds` to end."""

    signal: signal.Signals
    seconds: float


@dataclass(frozen=True)
class RunAs:
    """An unprivileged user, by number."""

    user: int
    group: int


@dataclass(frozen=True)
class Program:
    """The command of a child process and how to stop it."""

    name: str
    command: Sequence[str | Path]
    stop: tuple[StopStep, ...]
    # Sent to the child when its parent dies.
    orphan_signal: signal.Signals = signal.SIGTERM
    niceness: int = 0
    variables: Mapping[str, str] | None = None
    run_as: RunAs | None = None
    folder: Path | None = None


class Child:
    """A started program, in its own session so that Ctrl-C reaches only its parent.

    The parent must start it from its main thread: the kernel takes the death of the starting thread for the
    death of the parent.
    """

    def __init__(self, program: Program, output: IO[bytes] | int) -> None:
        self.program = program
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(_LAUNCHER)),
                *(str(os.getpid()), str(int(program.orphan_signal)), str(program.niceness)),
                *(str(word) for word in program.command),
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=None if program.variables is None else {**os.environ, **program.variables},
            cwd=program.folder,
            user=program.run_as.user if program.run_as else None,
            group=program.run_as.group if program.run_as else None,
            extra_groups=[] if program.run_as else None,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative: minus the number of the signal that ended it."""
        return self.process.poll()

    def wait(self, seconds: float) -> bool:
        """Wait for the process; returns whether it ended within the time."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Follow the program's stop steps, then kill what is left in its process group."""
        stop_together([self])

    def send(self, wanted: signal.Signals) -> None:
        """Send the signal unless the program has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(wanted)

    def kill_leftovers(self) -> None:
        """Kill what the program left in its process group (a killed server's workers)."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)


def stop_together(children: Sequence[Child], hurry: Callable[[], bool] = lambda: False) -> None:
    """Stop several children at once, each by its own steps; returns when all have ended.

    Once `hurry()` is true, the steps follow without waiting.
    """
    running = {child: _Stopping(child) for child in children}
    while running:
        for child, stopping in list(running.items()):
            if stopping.has_ended(hurry=hurry()):
                del running[child]
        if running:
            time.sleep(_POLL_SECONDS)


class _Stopping:
    """The progress of one child through its stop steps."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._steps = iter(child.program.stop)
        self._deadline = 0.0

    def has_ended(self, *, hurry: bool) -> bool:
        if self._child.exit_status is not None:
            self._child.kill_leftovers()
            return True
        if hurry or time.monotonic() >= self._deadline:
            self._next_step()
        return False

    def _next_step(self) -> None:
        step = next(self._steps, StopStep(signal.SIGKILL, 5))
        self._child.send(step.signal)
        self._deadline = time.monotonic() + step.seconds


def wait_for_exit(pid: int, seconds: float) -> bool:
    """Wait for a process that is not our child; returns whether it ended within the time."""
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def is_alive(pid: int) -> bool:
    """Whether the process runs; False for a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"
