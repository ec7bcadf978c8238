"""Monthly partitions of the production events, so that an old month can be dropped at once."""

import datetime as dt

from django.db import connection, transaction
from django.utils import timezone

_TABLE = "evalapp_productionevent"
_SAMPLES = "evalapp_sampledoutput"
MONTHS_AHEAD = 2
LOCK_WAIT = "2s"
"""Who stores or reads events waits behind a month that goes: no longer than nobody notices."""
_created: set[str] = set()


def create_coming_partitions() -> None:
    """Create the partitions of this month and the months ahead. Run by the scheduler, and when an event
    arrives in a month without a partition.
    """
    month = timezone.now().date().replace(day=1)
    for _ in range(1 + MONTHS_AHEAD):
        _create_partition(month)
        month = _next_month(month)


def ensure_partition(received_at: dt.datetime) -> None:
    """Create the partition for events received at that time."""
    _create_partition(received_at.date().replace(day=1))


def months_before(day: dt.date) -> list[dt.date]:
    """The first days of the stored months that end by ``day``, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [_TABLE]
        )
        names = [name for (name,) in cursor.fetchall()]
    ends = (name.removeprefix(f"{_TABLE}_").replace("_", "-") for name in names)
    firsts = [dt.date.fromisoformat(f"{end}-01") for end in ends]
    return sorted(first for first in firsts if _next_month(first) <= day)


def newest_by_stream(month: dt.date) -> dict[int, dt.datetime]:
    """For each stream, the time of its newest event in a month that no weekly sample contains."""
    name = _name(month)
    with connection.cursor() as cursor:
        # Safe to interpolate: the table's name is made from the month.
        cursor.execute(
            f"""
            SELECT stream.id, newest.happened_at FROM evalapp_stream stream CROSS JOIN LATERAL (
                SELECT happened_at FROM {name} event WHERE stream_id = stream.id
                    AND NOT EXISTS (SELECT FROM {_SAMPLES} WHERE key_id = event.key_id)
                ORDER BY happened_at DESC LIMIT 1
            ) newest
            """  # noqa: S608
        )
        return dict(cursor.fetchall())


@transaction.atomic
def drop_month(month: dt.date) -> None:
    """Drop a month's events at once, except those in a weekly sample; all keys stay. Raises OperationalError
    if the table is in use for longer than `LOCK_WAIT`.
    """
    name, kept = _name(month), f"{_name(month)}_kept"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [LOCK_WAIT])
        cursor.execute(f"LOCK TABLE {_TABLE} IN ACCESS EXCLUSIVE MODE")
        cursor.execute(f"CREATE TABLE {kept} (LIKE {name} INCLUDING ALL)")
        cursor.execute(
            f"INSERT INTO {kept} SELECT event.* FROM {name} event"  # noqa: S608 - named by its month
            f" WHERE key_id IN (SELECT key_id FROM {_SAMPLES})"
        )
        cursor.execute(f"DROP TABLE {name}")
        cursor.execute(f"ALTER TABLE {kept} RENAME TO {name}")
        cursor.execute(
            f"ALTER TABLE {_TABLE} ATTACH PARTITION {name}"
            f" FOR VALUES FROM ('{month} 00:00+00') TO ('{_next_month(month)} 00:00+00')"
        )


def _name(month: dt.date) -> str:
    return f"{_TABLE}_{month:%Y_%m}"


def _next_month(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=31)).replace(day=1)


def _create_partition(month: dt.date) -> None:
    name = _name(month)
    if name in _created:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [name])
        if cursor.fetchone() != (None,):
            # What was made here might be rolled back; what is found is there.
            _created.add(name)
            return
        cursor.execute(
            f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF {_TABLE}"
            f" FOR VALUES FROM ('{month} 00:00+00') TO ('{_next_month(month)} 00:00+00')"
        )
