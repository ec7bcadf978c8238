"""The server's responses to events and assessments."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refused:
    """A refused event or assessment. ``number`` is its position in what you gave, from 1."""

    number: int
    id: str
    problems: list[str]


@dataclass(frozen=True)
class TakenEvents:
    """Result of sending events. ``stored`` counts new events, ``known`` those already stored with the same
    content. ``not_reviewed`` counts stored events that no weekly sample can include.
    """

    stored: int = 0
    known: int = 0
    not_reviewed: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True)
class TakenAssessments:
    """Result of sending assessments. ``waiting`` counts those whose event has not arrived; they wait a day
    for it.
    """

    stored: int = 0
    known: int = 0
    waiting: int = 0
    refused: list[Refused] = field(default_factory=list)


def refused_in(
    answer: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], before: int = 0
) -> list[Refused]:
    """The refused items in a response to ``sent``; ``before`` is the number of items in earlier requests."""
    return [
        Refused(before + int(each["number"]), id_of(sent[int(each["number"]) - 1]), list(each["problems"]))
        for each in answer.get("refused", ())
    ]


def id_of(sent: Mapping[str, Any]) -> str:
    """The event's id of an event or an assessment."""
    return str(sent.get("id", sent.get("event", "")))
