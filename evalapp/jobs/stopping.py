"""Whether this worker is stopping, shared by its processes."""

import os
import signal
import threading
import time
from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery.signals import worker_init, worker_shutting_down

from evalapp.embedded.programs import SUPERVISOR_VARIABLE

ORPHAN_SECONDS = 10.0
"""How long a worker may take to end by itself after its supervisor is gone."""

# Memory that the processes of the pool inherit, and without a lock: one killed while it read would
# keep it for ever.
_is_stopping = RawValue("b", 0)


class WorkerStopping(Exception):
    """The worker is going away: what is done is saved, and the job waits for the next start."""


def worker_is_stopping() -> bool:
    return bool(_is_stopping.value)


@worker_shutting_down.connect
def _set_stopping(**_: Any) -> None:
    _is_stopping.value = 1


@worker_init.connect
def _stop_with_supervisor(**_: Any) -> None:
    # Celery's end can wait for ever for a broker that went with the supervisor, and nobody is left to kill
    # it.
    supervisor = os.environ.get(SUPERVISOR_VARIABLE, "")
    if supervisor.isdecimal() and os.getpgrp() == os.getpid():
        threading.Thread(target=_end_after, args=(int(supervisor),), daemon=True).start()


def _end_after(supervisor: int) -> None:
    # Looked at once a second: the one signal of a parent's death is taken, by Celery's own way to end.
    while os.getppid() == supervisor:
        time.sleep(1)
    time.sleep(ORPHAN_SECONDS)  # that way's time; a daemon thread ends with it
    os.killpg(os.getpid(), signal.SIGKILL)
