"""The time of an event, as given by its sender."""

import datetime as dt
from typing import Any

from django.utils.dateparse import parse_datetime

from evalapp.imports.problems import FieldProblem

# An earlier time is a mistake; besides, the year 1 in some time zones can be stored but not read back.
_EARLIEST = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# Allows for clocks that differ a little; an answer dated tomorrow is a mistake.
_AHEAD = dt.timedelta(minutes=5)


def time_of(name: str, value: Any, now: dt.datetime) -> tuple[dt.datetime, FieldProblem | None]:
    """The time in the field ``name``, or ``now`` and the problem with it. A time without a zone is UTC."""
    try:
        time = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        time = None
    if time is None:
        problem = f"“{str(value)[:40]}” is not a time."
        return now, FieldProblem(name, problem, "Write 2026-01-31T14:05:00Z.")
    if time.tzinfo is None:
        time = time.replace(tzinfo=dt.UTC)
    if time > now + _AHEAD:
        problem = f"{time.isoformat()} is in the future."
        return now, FieldProblem(name, problem, "Check the clock or the time zone.")
    if time < _EARLIEST:
        problem = f"“{value[:40]}” is before 1970."
        return now, FieldProblem(name, problem, "Check the clock or the year.")
    return time, None
