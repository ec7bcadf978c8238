"""Waiting that a signal cuts short."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(BaseException):
    """Raised from a wait once a stop signal came; passes every `except Exception`."""


class Interrupts:
    """The stop signals and the deaths of children, turned into an end of waiting.

    Handlers are installed explicitly: a process started in the background of a script inherits
    "ignore" for SIGINT, and Python then installs none of its own.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Only in the main thread; puts the earlier handlers back."""
        earlier = {number: signal.signal(number, self._stop) for number in _STOP_SIGNALS}
        earlier[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake_up_only)
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def pause(self, seconds: float) -> None:
        """Wait; ends early when a child died. Raises StopRequested once a stop signal came."""
        self._raise_if_stopped()
        select.select([self._reader], [], [], seconds)
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 4096)
        self._raise_if_stopped()

    def _raise_if_stopped(self) -> None:
        if self.stops:
            raise StopRequested

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stops += 1


def _wake_up_only(number: int, frame: FrameType | None) -> None:
    # Its being installed makes the kernel's signal reach the wake-up descriptor.
    return
