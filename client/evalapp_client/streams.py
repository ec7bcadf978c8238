"""A stream of production events: background logging from an application, and direct calls."""

import atexit
import datetime as dt
import json
import uuid
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from evalapp_client.connection import Connection
from evalapp_client.errors import ApiError, EvalappError
from evalapp_client.outbox import ASSESSMENTS, EVENTS, MOST_IN_A_BATCH, Item, Kind, Outbox, WhenFull
from evalapp_client.taken import Refused, TakenAssessments, TakenEvents, id_of, refused_in

AT_EXIT_SECONDS = 5.0
Value = bool | float | str


class Stream:
    """A stream of production events, created by `Client.stream`. ``log`` and ``assess`` return at once and
    may be called from any thread. As a context manager, the stream is closed at the end of the block.
    """

    def __init__(
        self,
        connection: Connection,
        number: int,
        *,
        most_waiting: int,
        when_full: WhenFull,
        every: float,
        on_refused: Callable[[list[Refused]], None] | None,
    ) -> None:
        self._connection = connection
        self._path = f"streams/{number}/"
        self._outbox = Outbox(
            self._post,
            patience=connection.patience,
            most_waiting=most_waiting,
            when_full=when_full,
            every=every,
            on_refused=on_refused,
        )
        atexit.register(_close_at_exit, weakref.ref(self))

    @property
    def dropped(self) -> int:
        """Number of events and assessments dropped because the queue was full."""
        return self._outbox.dropped

    @property
    def refused(self) -> int:
        """Number of events and assessments that the server refused for good."""
        return self._outbox.refused_count

    def log(
        self,
        *,
        output: str,
        prompt: str | None = None,
        messages: Sequence[Mapping[str, Any]] | None = None,
        conversation: Mapping[str, Any] | None = None,
        id: str | None = None,  # noqa: A002 - the API's name
        context: str | None = None,
        model: str | None = None,
        time: dt.datetime | str | None = None,
        fields: Mapping[str, Any] | None = None,
        assessments: Mapping[str, Value] | None = None,
    ) -> str:
        """Logs an output that a user got; it is sent in the background. Returns the event's id, which is
        generated if you give none. Give the request as one of ``prompt``, ``messages`` (may contain tool
        calls) and ``conversation``. ``time`` defaults to now; a time without a zone is local.

        Raises TypeError or ValueError for a value that is not JSON, QueueFullError, ClosedError.
        """
        identity = id or uuid.uuid4().hex
        event = {
            "id": identity,
            "output": output,
            "prompt": prompt,
            "messages": messages,
            "conversation": conversation,
            "context": context,
            "model": model,
            "time": _time(time),
            "fields": fields,
            "assessments": assessments,
        }
        self._put(EVENTS, identity, event)
        return identity

    def assess(
        self, event: str, name: str, value: Value, *, time: dt.datetime | str | None = None, source: str = ""
    ) -> None:
        """Adds feedback on an event (a thumb, an edit, a cost), to be sent in the background; it may come
        before the event itself. Raises the same errors as `log`.
        """
        told = {"event": event, "name": name, "value": value, "time": _time(time), "source": source or None}
        self._put(ASSESSMENTS, event, told)

    def events(self, events: Sequence[Mapping[str, Any]]) -> TakenEvents:
        """Sends events, with the API's fields, and waits for the response; events that are already stored
        count as known. Raises ApiError or UnreachableError; what was sent before the error stays stored.
        """
        sums, refused = self._all(EVENTS, events)
        return TakenEvents(sums["stored"], sums["known"], sums["not_reviewed"], refused)

    def assessments(self, assessments: Sequence[Mapping[str, Any]]) -> TakenAssessments:
        """Like `events`, for assessments."""
        sums, refused = self._all(ASSESSMENTS, assessments)
        return TakenAssessments(sums["stored"], sums["known"], sums["waiting"], refused)

    def flush(self, timeout: float = 30.0) -> None:
        """Waits until the server has responded to everything that was logged. Raises NotSentError after
        ``timeout`` seconds, and RefusedError if the server refused something since the last call.
        """
        self._outbox.flush(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """Like `flush`, then closes: nothing more can be logged, and what has not been sent is lost."""
        self._outbox.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, kind: Kind, identity: str, told: Mapping[str, Any]) -> None:
        # Serialised now, so that later changes by the caller have no effect.
        text = json.dumps({name: each for name, each in told.items() if each is not None}, allow_nan=False)
        self._outbox.put(kind, Item(identity, text))

    def _post(self, kind: Kind, items: Sequence[Item]) -> list[Refused]:
        content = f'{{"{kind}": [{", ".join(item.text for item in items)}]}}'.encode()
        answer = self._connection.ask_once("POST", f"{self._path}{kind}/", content)
        return refused_in(answer, [{"id": item.id} for item in items])

    def _all(self, kind: Kind, rows: Sequence[Mapping[str, Any]]) -> tuple[dict[str, int], list[Refused]]:
        sums = dict.fromkeys(("stored", "known", "not_reviewed", "waiting"), 0)
        refused: list[Refused] = []
        for start, batch in _batches(rows):
            try:
                answer = self._connection.ask("POST", f"{self._path}{kind}/", {kind: batch})
            except ApiError as error:
                # A rejected request with a single item: report the item as refused, unless it was the only
                # one given.
                if len(rows) == 1 or len(batch) > 1 or error.status not in (400, 409):
                    raise
                refused.append(Refused(start + 1, id_of(batch[0]), [error.message]))
                continue
            for name in sums:
                sums[name] += int(answer.get(name, 0))
            refused += refused_in(answer, batch, start)
        return sums, refused


def _batches(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, list[Mapping[str, Any]]]]:
    for start in range(0, len(rows), MOST_IN_A_BATCH):
        yield start, list(rows[start : start + MOST_IN_A_BATCH])


def _time(time: dt.datetime | str | None) -> str:
    if isinstance(time, str):
        return time
    return (time or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).isoformat()


def _close_at_exit(stream: "weakref.ref[Stream]") -> None:
    found = stream()
    if found is not None:
        # Lost and refused items are in the log.
        with suppress(EvalappError):
            found.close(AT_EXIT_SECONDS)
