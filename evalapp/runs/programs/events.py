"""Reads events.jsonl while a program writes it."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import NamedTuple

from evalapp.core.errors import ProblemError
from run_directory.protocol import Event
from run_directory.records import RecordError

LONGEST_LINE = 2**20


class GarbageError(ProblemError):
    """A program wrote invalid content into the run directory; the run ends and nothing is stored."""

    code = "garbage"


class NewEvent(NamedTuple):
    event: Event
    is_replayed: bool
    """Written before this attempt began: its numbers count, but its message is already logged."""


class EventTail:
    """Reads complete lines as they appear; text after the last line feed is still being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0
        self._already = path.stat().st_size if path.exists() else 0

    def new_events(self) -> Iterator[NewEvent]:
        """Yield events since the last call. Raises GarbageError for an invalid line."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            while line := file.readline(LONGEST_LINE + 1):
                if not line.endswith(b"\n"):
                    if len(line) > LONGEST_LINE:
                        raise self._garbage(f"line {self._line + 1} is longer than {LONGEST_LINE:,} bytes")
                    return
                self._line += 1
                is_replayed = self._offset < self._already
                self._offset += len(line)
                try:
                    event = Event.from_json(line, where=f"line {self._line}")
                except RecordError as error:
                    raise self._garbage(str(error)) from error
                yield NewEvent(event, is_replayed)

    def _garbage(self, what: str) -> GarbageError:
        return GarbageError(
            f"The program wrote {self._path.name} in a form that cannot be read: {what}. The run was stopped"
            " and nothing of it was taken in; start it again, and look into program.log in"
            f" {self._path.parent} if it happens again."
        )


def set_aside_garbage(path: Path) -> Path | None:
    """Rename the file if a line of an earlier attempt is invalid, so that the next attempt can work.

    Call only while no program writes. Returns the new path, or None if every line is valid.
    """
    try:
        for _ in EventTail(path).new_events():
            pass
    except GarbageError:
        names = (path.with_stem(f"{path.stem}-unreadable-{number}") for number in count(1))
        aside = next(name for name in names if not name.exists())
        return path.rename(aside)
    return None
