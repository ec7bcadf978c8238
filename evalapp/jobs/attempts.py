"""The lock file of a running job, which its worker holds while it lives.

The kernel lets go of the lock however the process ends. So whoever shares the folder and the host's name
knows at once that an attempt's worker is dead, where everyone else waits for its lease; and a worker that
lives is never taken for dead, whatever its name and number are.
"""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction

from evalapp.jobs.models import ACTIVE_STATES, Job
from evalapp.jobs.services import end_lost_attempt


@contextlib.contextmanager
def attempt_shown(job: Job) -> Iterator[None]:
    """Show that this process carries out the attempt. Where no file can be written, only its lease tells."""
    sign = _lock_path(job)
    lock = _lock_file(sign)
    try:
        yield
    finally:
        if lock is not None:
            sign.unlink(missing_ok=True)
            os.close(lock)


def requeue_jobs_of_dead_workers() -> None:
    """Queue again what a dead worker of this machine was carrying out, before anything else
    takes its turn.
    """
    here = Job.objects.filter(state__in=ACTIVE_STATES, worker__startswith=f"{socket.gethostname()}:")
    for job in here.order_by("pk"):
        if _is_dead(_lock_path(job)):
            with transaction.atomic():
                end_lost_attempt(job, why="Its worker ended while it ran")
            _lock_path(job).unlink(missing_ok=True)


def _lock_path(job: Job) -> Path:
    return Path(settings.HOME) / "attempts" / f"{job.pk}-{job.attempt}.lock"


def _lock_file(sign: Path) -> int | None:
    # Under its name only once it is locked: in between it would look like a dead worker's.
    unnamed = sign.with_suffix(f".{os.getpid()}")
    lock = None
    try:
        sign.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(unnamed, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(sign)
    except OSError:
        if lock is not None:
            os.close(lock)
        return None
    return lock


def _is_dead(sign: Path) -> bool:
    """Whether nobody holds the sign any more; False where there is none, as of a machine with a folder of its
    own.
    """
    try:
        lock = os.open(sign, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
