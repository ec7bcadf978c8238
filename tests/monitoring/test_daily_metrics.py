"""Every event and assessment is in the daily metrics, once."""

import datetime as dt
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.daily import counting
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.daily.sums import Sums
from evalapp.monitoring.events.assessments import store_new_assessments
from evalapp.monitoring.locks import share_unended_stream
from evalapp.monitoring.models import Stream
from evalapp.scoring.services import save_rule_check
from tests.at_once import at_once
from tests.monitoring.making import make_stream, rows_of, send

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer], stratify_by="topic")


def counted(stream: Stream, metric: str, stratum: str = "") -> dict[int, tuple[int, float]]:
    """Days ago → how many, and their sum."""
    today = timezone.now().date()
    rows = stream.daily_metrics.filter(metric=metric, stratum=stratum)
    return {(today - each.day).days: (each.n, each.total) for each in rows}


def test_each_event_counts_on_its_day_and_in_its_stratum(stream: Stream) -> None:
    noon = timezone.now().replace(hour=0, minute=1)
    send(stream, rows_of(8, noon - DAY))
    send(stream, rows_of(4, noon - 2 * DAY, first=100))
    assert count_everywhere() == 12
    assert counted(stream, "events") == {1: (8, 8), 2: (4, 4)}
    assert counted(stream, "events", "funds") == {1: (2, 2), 2: (1, 1)}
    # "Yes, 8% is fine." has four words; the context holds 60% alone.
    assert counted(stream, "words") == {1: (8, 32), 2: (4, 16)}
    assert counted(stream, "refusal") == {1: (8, 0), 2: (4, 0)}
    assert count_everywhere() == 0
    send(stream, rows_of(1, noon - DAY, first=500))
    assert count_everywhere() == 1
    assert counted(stream, "events") == {1: (9, 9), 2: (4, 4)}


def test_a_metric_counts_the_events_it_is_defined_for(stream: Stream) -> None:
    at = timezone.now()
    send(stream, [*rows_of(3, at), *rows_of(2, at, first=20, context="")])
    send(stream, rows_of(1, at, first=40, output="I am sorry, but I cannot help with that."))
    count_everywhere()
    assert counted(stream, "unsupported_numbers")[0][0] == 4
    assert counted(stream, "refusal")[0] == (6, 1)


def test_rules_of_the_project_are_checked(project: Project, stream: Stream, manager: User) -> None:
    rule = save_rule_check(
        project=project, name="Says yes", kind="contains", params={"texts": ["yes"]}, by=manager
    )
    send(stream, [*rows_of(3, timezone.now()), *rows_of(1, timezone.now(), first=9, output="No.")])
    count_everywhere()
    assert counted(stream, rule.metric)[0] == (4, 3)


def test_of_several_assessments_of_one_name_the_latest_counts(stream: Stream) -> None:
    at = timezone.now()
    send(stream, rows_of(3, at - DAY, assessments={"latency_seconds": 0.5}))

    def thumb(event: str, value: bool, hour: int) -> dict[str, Any]:
        time = (at - DAY + dt.timedelta(minutes=hour)).isoformat()
        return {"event": event, "name": "thumb", "value": value, "time": time}

    store_new_assessments(stream=stream, rows=[thumb("out-1", True, 1), thumb("out-2", True, 1)])
    count_everywhere()
    assert counted(stream, "assessed:thumb") == {1: (2, 2)}
    assert counted(stream, "assessed:latency_seconds") == {1: (3, 1.5)}
    # One changes their mind; an older one that comes late changes nothing.
    store_new_assessments(stream=stream, rows=[thumb("out-1", False, 5), thumb("out-2", False, 0)])
    count_everywhere()
    assert counted(stream, "assessed:thumb") == {1: (2, 1)}


def test_strata_without_end_are_told_together(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting._Strata, "most", 3)
    rows = [
        row for number in range(9) for row in rows_of(1, timezone.now(), first=number, topic=f"t{number}")
    ]
    send(stream, rows)
    count_everywhere()
    names = set(stream.daily_metrics.filter(metric="events").values_list("stratum", flat=True))
    assert len(names) == 5 and {"", "other"} < names
    assert counted(stream, "events", "other")[0] == (6, 6)


@pytest.mark.django_db(transaction=True)
def test_however_many_count_and_send_at_once_each_is_counted_once(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "BATCH", 7)

    def work(number: int) -> None:
        if number % 2:
            for part in range(5):
                send(stream, rows_of(9, timezone.now(), first=1000 * number + 10 * part))
        else:
            for _ in range(10):
                count_everywhere()

    at_once(6, work)
    while count_everywhere():
        pass
    assert sum(n for n, _ in counted(stream, "events").values()) == stream.events.count() == 135


@pytest.mark.django_db(transaction=True)
def test_events_that_are_being_stored_are_waited_for(stream: Stream) -> None:
    """A key that is given out and not committed yet must not be passed over."""
    from threading import Event, Thread

    from django.db import connection, transaction

    stored, counted_once = Event(), Event()

    def slow() -> None:
        with transaction.atomic():
            share_unended_stream(stream)
            send(stream, rows_of(2, timezone.now()))
            stored.set()
            assert counted_once.wait(60)
        connection.close()

    thread = Thread(target=slow)
    thread.start()
    assert stored.wait(60)
    send(stream, rows_of(1, timezone.now(), first=90))
    assert count_everywhere() == 0, "a smaller key is still to come"
    counted_once.set()
    thread.join()
    assert count_everywhere() == 3
    assert counted(stream, "events")[0][0] == 3


def test_quantiles_are_right_to_within_two_percent() -> None:
    random = Random(3)
    values = [random.lognormvariate(0, 1) for _ in range(5_000)] + [0.0] * 50 + [-2.5] * 20
    sums = Sums()
    for value in values:
        sums.add(value)
    for value in values[:500]:
        sums.add(value, -1)
    left: Sequence[float] = values[500:]
    for share in (0.05, 0.5, 0.95, 0.99):
        wanted = float(np.quantile(left, share, method="lower"))
        found = sums.quantile(share)
        assert found is not None and found == pytest.approx(wanted, rel=0.021, abs=1e-9)
    assert sums.mean == pytest.approx(np.mean(left)) and sums.deviation == pytest.approx(np.std(left, ddof=1))
