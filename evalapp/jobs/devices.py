"""Devices for runs: each GPU or group of GPUs, or the CPU, runs one model program at a time.

What holds is the kernel's lock on a file, which the program inherits: however its worker ends, the device is
free when the program is gone, and not before.
"""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings

from evalapp.embedded.gpus import gpus_for_runs

QUEUE = "models"
"""The queue whose jobs need a device."""
_POLL_SECONDS = 0.2
_CPU = "cpu"
_VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


class Device(NamedTuple):
    """A place for one model program."""

    name: str
    variables: dict[str, str]
    """What tells the program to use this device and no other."""
    lock: int
    """The descriptor that holds it; hand it on to the program."""
    gpus: tuple[str, ...] = ()
    """Those that it consists of."""

    def with_one_gpu(self) -> "Device":
        """For a program of one process: one that sees several would spread every batch over them."""
        return self._replace(variables={_VISIBLE_DEVICES: self.gpus[0]}) if self.gpus else self


def names_of_devices() -> tuple[str, ...]:
    """The GPUs as CUDA_VISIBLE_DEVICES names them, those of one run joined by “+”; or “cpu”."""
    return gpus_for_runs(settings.ENVIRONMENT) or (_CPU,)


def is_any_free() -> bool:
    with held_device(seconds=0) as device:
        return device is not None


@contextlib.contextmanager
def held_device(*, seconds: float) -> Iterator[Device | None]:
    """Hold the first free device, waiting so long for one; None where all are in use."""
    deadline = time.monotonic() + seconds
    while (device := _take_device()) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    try:
        yield device
    finally:
        if device is not None:
            # A program that still lives keeps its own copy, and with it the device.
            os.close(device.lock)


def _take_device() -> Device | None:
    folder = settings.HOME / "devices"
    folder.mkdir(parents=True, exist_ok=True)
    for name in names_of_devices():
        # Machines may share the home, and each has a GPU 0.
        own = f"{socket.gethostname()}-{name}".replace("/", "-")
        lock = os.open(folder / f"{own}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        if name == _CPU:
            # Only where GPUs were set aside on purpose must a program be kept from them.
            hidden = {_VISIBLE_DEVICES: ""} if settings.ENVIRONMENT.gpus == () else {}
            return Device("CPU", hidden, lock)
        gpus = tuple(name.split("+"))
        return Device(f"GPU {name}", {_VISIBLE_DEVICES: ",".join(gpus)}, lock, gpus)
    return None
