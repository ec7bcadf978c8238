"""Stores spans in a stream: an event for each model call, and sentences on the spans passed over."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from evalapp.conversations.form import Conversation
from evalapp.conversations.formats import otel
from evalapp.conversations.text import text_form
from evalapp.imports.problems import RowProblemError
from evalapp.monitoring.events.reading import events_of_request
from evalapp.monitoring.events.storage import store_new_events
from evalapp.monitoring.models import Stream
from evalapp.monitoring.otlp.calls import FoundCalls, ModelCall, calls_in
from evalapp.monitoring.otlp.repeats import CallWithConversation, repeated_calls

_MOST_LISTED = 5
_MICROSECOND = 1_000
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NO_MESSAGES = (
    "of a model call without its messages: switch on the recording of content in the instrumentation"
)


class TakenSpans(NamedTuple):
    """``rejected``: number of model-call spans that became no event. ``message``: why, and what else was
    passed over; empty if nothing was.
    """

    stored: int
    known: int
    rejected: int
    message: str


@dataclass
class _Read:
    rows: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    repeats: int = 0


def take_spans(*, stream: Stream, request: ExportTraceServiceRequest) -> TakenSpans:
    """Store the model calls of a request as events, once each. Raises ConflictError once the stream has
    ended.
    """
    found = calls_in(request)
    read = _read(found.calls)
    stored = known = 0
    if read.rows:
        taken = store_new_events(stream=stream, rows=events_of_request(read.rows))
        stored, known = taken.stored, taken.known
        for each in taken.refused:
            name = each.external_id or read.rows[each.number - 1]["id"]
            read.refused.append(f"{name}: {each.problems[0]}")
    rejected = len(read.refused) + len(found.empty) + found.nameless
    return TakenSpans(stored, known, rejected, " ".join(_message_sentences(found, read)))


def _read(calls: list[ModelCall]) -> _Read:
    read = _Read()
    sound: list[tuple[ModelCall, Conversation]] = []
    for call in calls:
        try:
            sound.append((call, otel.read(_first_choice(call.messages))))
        except RowProblemError as error:
            read.refused.append(f"{call.external_id}: {error.problems[0]}")
    again = repeated_calls([_with_conversation(call, conversation) for call, conversation in sound])
    read.repeats = len(again)
    for place, (call, conversation) in enumerate(sound):
        if place not in again:
            read.rows.append(_row(call, conversation))
    return read


def _first_choice(messages: dict[str, Any]) -> dict[str, Any]:
    """The messages with the first of several outputs, which users got."""
    outputs = messages[otel.OUTPUT]
    return {**messages, otel.OUTPUT: outputs[:1]} if isinstance(outputs, list) else messages


def _with_conversation(call: ModelCall, conversation: Conversation) -> CallWithConversation:
    # The output is a single message.
    *inputs, output = conversation["messages"]
    has_words = any(part["type"] == "text" and part["text"].strip() for part in output.get("parts", ()))
    return CallWithConversation(
        group=call.conversation_id or call.trace,
        trace=call.trace,
        started_at=call.started_at,
        ended_at=call.ended_at,
        conversation=conversation,
        input_count=len(inputs),
        has_words=has_words,
    )


def _row(call: ModelCall, conversation: Conversation) -> dict[str, Any]:
    """The fields of an event; a conversation of texts only is stored as plain messages."""
    text = text_form(conversation)
    row: dict[str, Any] = {
        "id": call.external_id,
        "output": text.answer,
        "fields": call.fields,
        "assessments": call.assessments,
    }
    if _is_plain(conversation):
        row["messages"] = text.messages
    else:
        row["conversation"] = conversation
    if call.model:
        row["model"] = call.model
    if call.ended_at:
        row["time"] = (_EPOCH + dt.timedelta(microseconds=call.ended_at // _MICROSECOND)).isoformat()
    return row


def _is_plain(conversation: Conversation) -> bool:
    if conversation.get("tools") or conversation.get("sources"):
        return False
    return all(
        "content" in message or all(part.keys() == {"type", "text"} for part in message["parts"])
        for message in conversation["messages"]
    )


def _message_sentences(found: FoundCalls, read: _Read) -> Iterator[str]:
    if read.refused:
        told = "; ".join(read.refused[:_MOST_LISTED])
        yield f"{_spans(len(read.refused))} refused: {told}"
        if len(read.refused) > _MOST_LISTED:
            yield f"({len(read.refused) - _MOST_LISTED:,} more.)"
    if found.empty:
        yield f"{_spans(len(found.empty))} {_NO_MESSAGES} ({', '.join(found.empty[:_MOST_LISTED])})."
    if found.nameless:
        yield f"{_spans(found.nameless)} refused for having no trace id or span id."
    if read.repeats:
        yield f"{_spans(read.repeats)} repeated within another model call, which is stored."
    if found.others:
        yield f"{_spans(found.others)} skipped: not part of a model call."


def _spans(count: int) -> str:
    return "1 span is" if count == 1 else f"{count:,} spans are"
