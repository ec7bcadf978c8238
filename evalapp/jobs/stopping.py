"""Whether this worker was told to stop: known to its main process, and through it to those that do jobs."""

from multiprocessing.sharedctypes import RawValue
from typing import Any

from celery.signals import worker_shutting_down

# Memory that the processes of the pool inherit, and without a lock: one killed while it read would
# keep it for ever.
_is_stopping = RawValue("b", 0)


class WorkerStopping(Exception):  # noqa: N818 - a wish that was obeyed
    """The worker is going away: what is done is saved, and the job waits for the next start."""


def worker_is_stopping() -> bool:
    return bool(_is_stopping.value)


@worker_shutting_down.connect
def _tell_the_pool(**_: Any) -> None:
    _is_stopping.value = 1
