"""Disk space reserved for the embedded PostgreSQL on a full disk.

A running server still answers reads on a full disk. A killed one needs a few megabytes to recover and would
otherwise stay down until somebody frees space.
"""

import contextlib
import os
from pathlib import Path

from evalapp.env import Environment
from run_directory.disk_space import free_bytes

PARTS = 4
PART_BYTES = 16 * 2**20  # a segment of the write-ahead log
_NEEDED_BYTES = 8 * 2**20


def fill(environment: Environment) -> None:
    """Create the missing parts of the reserve if more than twice its size then stays free; best effort."""
    with contextlib.suppress(OSError):
        missing = [part for part in _parts(environment) if not part.exists()]
        left = free_bytes(environment.postgres_folder) - len(missing) * PART_BYTES
        if left > 2 * PARTS * PART_BYTES:
            for part in missing:
                _take(part)


def give(environment: Environment) -> bool:
    """Free one part of the reserve if the disk is full, before the server starts again; returns whether it
    did.
    """
    with contextlib.suppress(OSError):
        if free_bytes(environment.postgres_folder) < _NEEDED_BYTES:
            for part in _parts(environment):
                if part.exists():
                    part.unlink()
                    return True
    return False


def _take(part: Path) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, PART_BYTES)
    except OSError:
        part.unlink()
        raise
    finally:
        os.close(descriptor)


def _parts(environment: Environment) -> list[Path]:
    return [environment.postgres_folder / f"reserve-{number}" for number in range(1, PARTS + 1)]
