"""Shared by all tools' exports: times, numbers, fields. Pure."""

import datetime as dt
import math
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime

_LONGEST_FIELD = 200
_MOST_FIELDS = 40


def time_in(value: Any) -> dt.datetime | None:
    """A time from text (UTC without a zone), or from milliseconds or nanoseconds since 1970."""
    if isinstance(value, dt.datetime):
        time: dt.datetime | None = value
    elif isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 2**63:
        seconds = value / (1e9 if value > 1e16 else 1e3)
        if seconds > 1e11:
            return None
        time = dt.datetime.fromtimestamp(seconds, dt.UTC)
    else:
        try:
            time = parse_datetime(value) if isinstance(value, str) else None
        except ValueError:
            return None
    return time.replace(tzinfo=dt.UTC) if time is not None and time.tzinfo is None else time


def first(fields: Mapping[str, Any], *names: str) -> Any:
    """The first field that has a value."""
    return next((fields[name] for name in names if fields.get(name) not in (None, "")), None)


def numbers(**given: Any) -> dict[str, float]:
    """The values that are numbers."""
    return {
        name: value
        for name, value in given.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def seconds_between(start: Any, end: Any) -> float | None:
    begun, ended = time_in(start), time_in(end)
    if begun is None or ended is None or ended < begun:
        return None
    return (ended - begun).total_seconds()


def short_fields(*given: Any, **more: Any) -> dict[str, Any]:
    """Numbers, booleans and short texts of the objects, which a sample can be stratified by."""
    whole: dict[str, Any] = {}
    for each in given:
        whole |= each if isinstance(each, dict) else {}
    kept = {name: value for name, value in (whole | more).items() if _is_short(value) and name.strip()}
    return dict(list(kept.items())[:_MOST_FIELDS])


def _is_short(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_FIELD
    return isinstance(value, bool | int | float)


def row(
    identity: Any, messages: dict[str, Any], *, time: Any, model: Any, fields: Any, assessments: Any
) -> dict[str, Any]:
    """The fields of an event, without missing ones."""
    given = time_in(time)
    made = {
        "id": identity,
        "time": given.isoformat() if given is not None else time,
        "model": model if isinstance(model, str) else None,
        "fields": fields,
        "assessments": assessments,
    }
    return {name: value for name, value in made.items() if value not in (None, {}, "")} | messages
