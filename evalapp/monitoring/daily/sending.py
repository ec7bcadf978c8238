"""Daily metrics that an application computed on its own outputs, without sending the outputs."""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.monitoring.daily.models import DailyMetric
from evalapp.monitoring.locks import share_unended_stream
from evalapp.monitoring.models import Stream

SENT = "sent:"
"""Prefix of the name of a metric that was sent."""
_EARLIEST = dt.date(1970, 1, 1)


class SentDay(NamedTuple):
    """``deviation``: the standard deviation of single values (n − 1)."""

    day: dt.date
    metric: str
    stratum: str
    n: int
    mean: float
    deviation: float


@transaction.atomic
def store_daily_metrics(*, stream: Stream, given: Sequence[SentDay], by: User | None) -> int:
    """Store daily metrics, replacing those sent earlier for the same days; returns how many.

    Raises InvalidError for a day in the future or before 1970, and for a day given twice; ConflictError once
    the stream has ended.
    """
    share_unended_stream(stream)
    tomorrow = timezone.now().date() + dt.timedelta(days=1)
    rows: dict[tuple[dt.date, str, str], DailyMetric] = {}
    for number, each in enumerate(given):
        place = (each.day, each.metric, each.stratum)
        problem = ""
        if not _EARLIEST <= each.day <= tomorrow:
            problem = (
                f"{each.day} is {'in the future' if each.day > tomorrow else 'before 1970'}. Check the day."
            )
        elif place in rows:
            problem = f"“{each.metric}” of {each.day} is given twice. Keep one of them."
        if problem:
            raise InvalidError(problem, field=f"metrics.{number}")
        rows[place] = _row(stream, each)
    DailyMetric.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["stream", "metric", "stratum", "day"],
        update_fields=["n", "total", "squares"],
    )
    data = {"rows": len(rows)}
    record("stream.daily_metrics_sent", by=by, obj=stream, project=stream.project, data=data)
    return len(rows)


def _row(stream: Stream, each: SentDay) -> DailyMetric:
    return DailyMetric(
        stream=stream,
        day=each.day,
        stratum=each.stratum,
        metric=f"{SENT}{each.metric}",
        n=each.n,
        total=each.n * each.mean,
        squares=(each.n - 1) * each.deviation**2 + each.n * each.mean**2,
    )
