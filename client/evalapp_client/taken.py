"""What the server says of what it was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Refused:
    """An event or assessment that was not taken. ``number``: its place in what was given, from 1."""

    number: int
    id: str
    problems: list[str]


@dataclass(frozen=True)
class TakenEvents:
    """``stored`` are new, ``known`` were there with the same content. ``not_reviewed`` of those stored lie in
    no week that is still to be sampled.
    """

    stored: int = 0
    known: int = 0
    not_reviewed: int = 0
    refused: list[Refused] = field(default_factory=list)


@dataclass(frozen=True)
class TakenAssessments:
    """``waiting``: their event has not come; they wait for it for a day."""

    stored: int = 0
    known: int = 0
    waiting: int = 0
    refused: list[Refused] = field(default_factory=list)


def refused_in(
    answer: Mapping[str, Any], sent: Sequence[Mapping[str, Any]], before: int = 0
) -> list[Refused]:
    """``before``: how many were sent in earlier requests."""
    return [
        Refused(before + int(each["number"]), id_of(sent[int(each["number"]) - 1]), list(each["problems"]))
        for each in answer.get("refused", ())
    ]


def id_of(sent: Mapping[str, Any]) -> str:
    """The event's."""
    return str(sent.get("id", sent.get("event", "")))
