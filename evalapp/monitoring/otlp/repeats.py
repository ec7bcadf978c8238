"""Finds model calls that other calls of the same request repeat. Pure."""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from evalapp.conversations.form import Conversation, Message, dumps

_NOT_COMPARED = ("extra", "exact", "mark", "id", "from")


class CallWithConversation(NamedTuple):
    """A call with its conversation. ``group``: the conversation's id, or else the trace's; ``has_words``:
    whether the output is an answer, not only tool calls.
    """

    group: str
    trace: str
    started_at: int
    ended_at: int
    conversation: Conversation
    input_count: int
    has_words: bool


def repeated_calls(calls: Sequence[CallWithConversation]) -> set[int]:
    """The places of calls that need no event of their own.

    These are steps (their output only calls tools) whose messages are exactly the beginning of another call's
    input, and calls repeated exactly by a call within their time in the same trace.
    """
    chains = [list(_chain(each)) for each in calls]
    beginnings: dict[tuple[str, str], set[int]] = {}
    for place, (call, chain) in enumerate(zip(calls, chains, strict=True)):
        for digest in chain[: call.input_count]:
            beginnings.setdefault((call.group, digest), set()).add(place)
    found = set()
    for place, (call, chain) in enumerate(zip(calls, chains, strict=True)):
        if not call.has_words and chain and beginnings.get((call.group, chain[-1]), set()) - {place}:
            found.add(place)
    return found | _calls_around_others(calls, chains)


def _calls_around_others(calls: Sequence[CallWithConversation], chains: Sequence[Sequence[str]]) -> set[int]:
    alike: dict[tuple[str, str], list[int]] = {}
    for place, (call, chain) in enumerate(zip(calls, chains, strict=True)):
        if chain:
            alike.setdefault((call.trace, chain[-1]), []).append(place)
    found = set()
    for places in alike.values():
        # From the innermost outwards: of nested repetitions of one call, keep the innermost.
        ordered = sorted(places, key=lambda place: calls[place].ended_at - calls[place].started_at)
        for number, place in enumerate(ordered):
            outer = calls[place]
            if any(_is_inside(calls[inner], outer) for inner in ordered[:number]):
                found.add(place)
    return found


def _is_inside(inner: CallWithConversation, outer: CallWithConversation) -> bool:
    return outer.started_at <= inner.started_at and inner.ended_at <= outer.ended_at


def _chain(call: CallWithConversation) -> Iterator[str]:
    """For each message, the digest of all messages up to it."""
    digest = ""
    for message in call.conversation["messages"]:
        digest = hashlib.sha256((digest + dumps(_compared(message))).encode()).hexdigest()
        yield digest


def _compared(message: Message) -> Any:
    """The parts of a message that make two the same: role and parts, without other attributes."""
    if "content" in message:
        return [message["role"], [{"type": "text", "text": message["content"]}]]
    return [message["role"], [_compared_value(part) for part in message["parts"]]]


def _compared_value(value: Any) -> Any:
    if isinstance(value, dict) and "type" in value:
        return {name: _compared_value(each) for name, each in value.items() if name not in _NOT_COMPARED}
    return [_compared_value(each) for each in value] if isinstance(value, list) else value
