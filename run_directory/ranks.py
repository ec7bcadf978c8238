"""Rank of this process among a program's processes. Only the first one writes into the run directory."""

import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from run_directory.protocol import LOCK_FILE

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Rank:
    """Rank from torchrun's environment variables; a program not started by torchrun is alone."""

    number: int
    count: int
    on_this_machine: int

    @property
    def is_first(self) -> bool:
        return self.number == 0


ALONE = Rank(0, 1, 0)


def own_rank() -> Rank:
    read = os.environ.get
    return Rank(int(read("RANK") or 0), int(read("WORLD_SIZE") or 1), int(read("LOCAL_RANK") or 0))


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, however it ends, so that no GPU stays
    occupied.
    """
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        # The parent ended before prctl took effect.
        os._exit(128 + signal.SIGKILL)


def first_process(folder: Path, *, parent: int) -> int | None:
    """Process id of the first process that ``parent`` started on a run directory; None before it has locked
    the directory and after it has ended.
    """
    try:
        process_id = int((folder / LOCK_FILE).read_text(encoding="ascii"))
        state, its_parent = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return None
    return process_id if int(its_parent) == parent and state != "Z" else None
