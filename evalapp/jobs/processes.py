"""Process groups as the kernel shows them, so that what a killed worker left behind can be ended."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_SAME_START_SECONDS = 2.0
_POLL_SECONDS = 0.05


class ProcessState(NamedTuple):
    process_id: int
    group: int
    started: float
    """Seconds since the epoch, within a second or two."""
    is_zombie: bool


def process_state(process_id: int) -> ProcessState | None:
    """What the kernel says of a process, or None when there is none of this number."""
    try:
        text = Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The name in brackets may hold anything, brackets included.
    fields = text.rpartition(")")[2].split()
    started = _boot_time() + int(fields[19]) / _TICKS_PER_SECOND
    return ProcessState(process_id, int(fields[2]), started, fields[0] == "Z")


def kill_group(leader: int, started: float, *, seconds: float, patience: float = 0.0) -> bool:
    """Kill the process group that ``leader`` began at ``started``; whether it is gone in time.

    ``patience`` are the seconds in which it may first end by itself. The group is ended even when its leader
    is gone already. A number that now belongs to a process of another start is left alone: it is somebody
    else's.
    """
    until = time.monotonic() + patience
    # Its parent is dead, and nobody else is told when a process ends: so it is looked at.
    while time.monotonic() < until and _members(leader, started):
        time.sleep(_POLL_SECONDS)
    deadline = time.monotonic() + seconds
    while members := _members(leader, started):
        for member in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _members(leader: int, started: float) -> list[int]:
    first = process_state(leader)
    if first is not None and abs(first.started - started) > _SAME_START_SECONDS:
        return []
    found = []
    for entry in os.scandir("/proc"):
        state = process_state(int(entry.name)) if entry.name.isdecimal() else None
        if state is None or state.is_zombie or state.group != leader:
            continue
        if state.started >= started - _SAME_START_SECONDS:
            found.append(state.process_id)
    return found


def _boot_time() -> float:
    for line in Path("/proc/stat").read_text(encoding="ascii").splitlines():
        if line.startswith("btime"):
            return float(line.split()[1])
    return 0.0
