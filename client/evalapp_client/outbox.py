"""The send queue and the thread that sends from it. An item stays in the queue until the server has responded
to it.
"""

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from evalapp_client.connection import AwayError, Patience
from evalapp_client.errors import ApiError, ClosedError, NotSentError, QueueFullError, RefusedError
from evalapp_client.taken import Refused

logger = logging.getLogger("evalapp_client")

MOST_IN_A_BATCH = 500
MOST_BYTES_IN_A_BATCH = 8 * 2**20
MOST_REFUSED_KEPT = 1_000
EVENTS: Final = "events"
ASSESSMENTS: Final = "assessments"
Kind = Literal["events", "assessments"]
WhenFull = Literal["raise", "wait", "drop"]


class Item(NamedTuple):
    """A queued event or assessment; ``text`` is its JSON, ``id`` the event's id."""

    id: str
    text: str


Send = Callable[[Kind, Sequence[Item]], list[Refused]]


class Outbox:
    """A queue that a background thread empties. ``send`` posts a batch and returns what the server refused;
    it raises AwayError or ApiError.
    """

    def __init__(
        self,
        send: Send,
        *,
        patience: Patience,
        most_waiting: int,
        when_full: WhenFull,
        every: float,
        on_refused: Callable[[list[Refused]], None] | None,
    ) -> None:
        self._send = send
        self._patience = patience
        self._most_waiting = most_waiting
        self._when_full = when_full
        self._every = every
        self._on_refused = on_refused
        self.dropped = 0
        self.refused_count = 0
        self._reset()
        _ALL.add(self)

    def _reset(self) -> None:
        """Starts with an empty queue. A forked process does so too, because its parent sends what was
        waiting.
        """
        self._changed = threading.Condition()
        self._waiting: dict[Kind, deque[Item]] = {EVENTS: deque(), ASSESSMENTS: deque()}
        self._oldest = 0.0
        self._refused: list[Refused] = []
        self._last_error = ""
        self._is_hurried = False
        self._is_closing = False
        self._has_given_up = False
        self._thread: threading.Thread | None = None

    def put(self, kind: Kind, item: Item) -> bool:
        """Adds an item; False if it was dropped because the queue is full. Raises ClosedError or
        QueueFullError.
        """
        with self._changed:
            self._require_open()
            if self._count() >= self._most_waiting:
                if self._when_full == "drop":
                    self.dropped += 1
                    logger.error(
                        "Dropped one, because %s are already waiting: %s", self._most_waiting, item.id
                    )
                    return False
                if self._when_full == "raise":
                    message = f"{self._most_waiting:,} events and assessments are already waiting to be sent."
                    raise QueueFullError(f"{message} {self._last_error}".strip())
                self._is_hurried = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._count() < self._most_waiting or self._is_closing)
                self._require_open()
            if not self._count():
                self._oldest = time.monotonic()
            self._waiting[kind].append(item)
            self._start()
            if self._is_due():
                self._changed.notify_all()
        return True

    def flush(self, timeout: float) -> None:
        """Waits until the server has responded to everything in the queue. Raises NotSentError after
        ``timeout`` seconds, and RefusedError if something was refused since the last call.
        """
        with self._changed:
            self._is_hurried = self._count() > 0
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._count(), timeout)
            if count := self._count():
                raise NotSentError(count, self._last_error)
            self._tell_refused()

    def close(self, timeout: float) -> None:
        """Like `flush`, then closes; what has not been sent by then is lost and counted in NotSentError."""
        with self._changed:
            if self._has_given_up:
                return
            self._is_closing = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._count(), timeout)
            self._has_given_up = True
            self._changed.notify_all()
            if count := self._count():
                logger.error("Closed with %s events and assessments not sent. %s", count, self._last_error)
                raise NotSentError(count, self._last_error)
            self._tell_refused()

    def _require_open(self) -> None:
        if self._is_closing:
            raise ClosedError("The stream was closed.")

    def _tell_refused(self) -> None:
        refused, self._refused = self._refused, []
        if refused:
            raise RefusedError(refused)

    def _count(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _is_due(self) -> bool:
        if self._is_closing or (self._is_hurried and self._count()):
            return True
        if any(len(items) >= MOST_IN_A_BATCH for items in self._waiting.values()):
            return True
        return bool(self._count()) and time.monotonic() - self._oldest >= self._every

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="evalapp-client", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._is_due():
                    left = self._oldest + self._every - time.monotonic() if self._count() else None
                    self._changed.wait(left)
                kind, batch = self._batch()
                if not batch:
                    return
            if not self._deliver(kind, batch):
                return
            with self._changed:
                for _ in batch:
                    self._waiting[kind].popleft()
                self._oldest = time.monotonic()
                self._is_hurried = self._is_hurried and bool(self._count())
                self._changed.notify_all()

    def _batch(self) -> tuple[Kind, list[Item]]:
        """The next batch; events come before assessments, which may refer to them."""
        kind: Kind = EVENTS if self._waiting[EVENTS] else ASSESSMENTS
        batch: list[Item] = []
        size = 0
        for item in self._waiting[kind]:
            size += len(item.text)
            if len(batch) == MOST_IN_A_BATCH or (batch and size > MOST_BYTES_IN_A_BATCH):
                break
            batch.append(item)
        return kind, batch

    def _deliver(self, kind: Kind, batch: Sequence[Item]) -> bool:
        """Sends a batch until the server has responded to all of it; False if the outbox gave up
        meanwhile.
        """
        attempt = 0
        while True:
            try:
                self._note(self._send(kind, batch))
            except AwayError as away:
                attempt += 1
                if not self._wait(self._patience.wait_of(attempt, away.retry_after), str(away.why)):
                    return False
            except ApiError as error:
                # One unreadable item makes the server reject the whole request, so halve the batch.
                if len(batch) > 1 and error.status in (400, 413):
                    half = len(batch) // 2
                    return self._deliver(kind, batch[:half]) and self._deliver(kind, batch[half:])
                self._note([Refused(1, item.id, [error.message]) for item in batch])
                return True
            except Exception as error:  # The thread must survive any error.
                logger.exception("Sending failed.")
                attempt += 1
                if not self._wait(self._patience.wait_of(attempt, None), str(error)):
                    return False
            else:
                return True

    def _wait(self, seconds: float, error: str) -> bool:
        """Waits before the next attempt; False once the outbox has given up."""
        with self._changed:
            if not self._last_error:
                logger.warning("Waiting for the server: %s", error)
            self._last_error = error
            self._changed.wait_for(lambda: self._has_given_up, seconds)
            return not self._has_given_up

    def _note(self, refused: list[Refused]) -> None:
        with self._changed:
            self._last_error = ""
            self.refused_count += len(refused)
            self._refused += refused[: MOST_REFUSED_KEPT - len(self._refused)]
        for each in refused:
            logger.error("Refused: %s: %s", each.id, " ".join(each.problems))
        if refused and self._on_refused is not None:
            try:
                self._on_refused(refused)
            except Exception:  # An error in the application's callback must not stop the sending.
                logger.exception("on_refused failed.")


_ALL: "weakref.WeakSet[Outbox]" = weakref.WeakSet()


def _begin_anew() -> None:
    for each in _ALL:
        each._reset()


# After a fork, the child has no sender thread and may have inherited a locked lock.
os.register_at_fork(after_in_child=_begin_anew)
