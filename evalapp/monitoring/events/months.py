"""The months by which the database keeps production events, so that an old one can go at once."""

import datetime as dt

from django.db import connection
from django.utils import timezone

_TABLE = "evalapp_productionevent"
AHEAD = 2
_made: set[str] = set()


def make_months() -> None:
    """Have room for this month's events and those of the months ahead. Run by the scheduler, and by who
    stores an event of a month that no scheduler has seen.
    """
    month = timezone.now().date().replace(day=1)
    for _ in range(1 + AHEAD):
        following = (month + dt.timedelta(days=31)).replace(day=1)
        _make(month, following)
        month = following


def have_month(received_at: dt.datetime) -> None:
    """Have room for events received then."""
    month = received_at.date().replace(day=1)
    _make(month, (month + dt.timedelta(days=31)).replace(day=1))


def _make(month: dt.date, following: dt.date) -> None:
    name = f"{_TABLE}_{month:%Y_%m}"
    if name in _made:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone() != (None,):
            # What was made here might be rolled back; what is found is there.
            _made.add(name)
            return
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {_TABLE}"
            f" FOR VALUES FROM ('{month} 00:00+00') TO ('{following} 00:00+00')"
        )
