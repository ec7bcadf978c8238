"""Waiting that a signal ends early."""

import contextlib
import os
import select
import signal
from collections.abc import Iterator
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopRequested(BaseException):
    """Raised from a wait after a stop signal; no `except Exception` catches it."""


class Interrupts:
    """Ends waits early at stop signals and when a child dies.

    Handlers are installed explicitly: a background process of a script inherits "ignore" for SIGINT, and
    Python then installs no handler of its own.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Install the handlers, from the main thread only; afterwards restore the earlier ones."""
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
        """Wait; return early when a child died. Raises StopRequested after a stop signal."""
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
    # The kernel's signal reaches the wake-up descriptor only if a handler is installed.
    return
