"""A stream of production events: what an application logs as it runs, and direct calls."""

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
    """Made by `Client.stream`. ``log`` and ``assess`` return at once and may be called from any thread; as a
    context manager it is closed at the end.
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
        """How many were dropped because too many waited."""
        return self._outbox.dropped

    @property
    def refused(self) -> int:
        """How many of what was logged the server has refused for good."""
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
        """Take an output that a user got, to be sent soon; returns the event's id, which is made where none
        is given. One of ``prompt``, ``messages`` (with tool calls, too) and ``conversation`` tells what was
        asked. ``time`` is when, by default now; one without a zone is local.

        Raises TypeError or ValueError for what is no JSON, QueueFullError, ClosedError.
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
        """Take what was learned of an event (a thumb, an edit, a cost), to be sent soon; also before the
        event itself. Raises as `log`.
        """
        told = {"event": event, "name": name, "value": value, "time": _time(time), "source": source or None}
        self._put(ASSESSMENTS, event, told)

    def events(self, events: Sequence[Mapping[str, Any]]) -> TakenEvents:
        """Send events, with the API's fields, and wait for the answer; those that are there already are
        known. Raises ApiError, UnreachableError; what was sent before that stays.
        """
        sums, refused = self._all(EVENTS, events)
        return TakenEvents(sums["stored"], sums["known"], sums["not_reviewed"], refused)

    def assessments(self, assessments: Sequence[Mapping[str, Any]]) -> TakenAssessments:
        """The same of assessments."""
        sums, refused = self._all(ASSESSMENTS, assessments)
        return TakenAssessments(sums["stored"], sums["known"], sums["waiting"], refused)

    def flush(self, timeout: float = 30.0) -> None:
        """Wait until the server has answered for all that was logged. Raises NotSentError after ``timeout``
        seconds, and RefusedError where it has refused something since the last time.
        """
        self._outbox.flush(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """As `flush`; nothing can be logged any more, and what is not sent by then is lost."""
        self._outbox.close(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put(self, kind: Kind, identity: str, told: Mapping[str, Any]) -> None:
        # Written now: what the caller changes later is another event.
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
                # The only one of a request is refused as the whole of it.
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
        # What was lost or refused is in the log.
        with suppress(EvalappError):
            found.close(AT_EXIT_SECONDS)
