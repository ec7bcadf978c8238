"""The pages of daily metrics and events, as somebody reads them."""

import datetime as dt
import re

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.daily.models import DailyMetric
from evalapp.monitoring.daily.series import series_of
from evalapp.monitoring.events.assessments import store_new_assessments
from evalapp.monitoring.models import Stream
from tests.cast import client_of
from tests.monitoring.making import make_stream, rows_of, send

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def stream(project: Project, reviewer: User) -> Stream:
    return make_stream(project, [reviewer], stratify_by="topic")


def steady_days(stream: Stream, means: list[float], *, n: int = 100, metric: str = "words") -> None:
    """Days up to today with these means, of values with a deviation of 2."""
    today = timezone.now().date()
    DailyMetric.objects.bulk_create(
        DailyMetric(
            stream=stream, day=today - (len(means) - 1 - number) * DAY, metric=metric, n=n,
            total=n * mean, squares=n * (mean**2 + 4),
        )
        for number, mean in enumerate(means)
    )  # fmt: skip


def test_a_day_far_from_those_before_it_is_outside_its_limits(stream: Stream) -> None:
    steady_days(stream, [20.0, 20.2] * 10 + [20.1, 24.0])
    today = timezone.now().date()
    (series,) = series_of(stream, since=today - 84 * DAY, until=today)
    assert [each.is_outside for each in series.days][-2:] == [False, True]
    assert [each.limits is None for each in series.days[:8]] == [True] * 7 + [False]
    limits = series.days[-1].limits
    # 100 values with a deviation of 2 spread by 0.2 by chance alone, more than the days differ.
    assert limits is not None and limits.high - limits.low == pytest.approx(6 * 0.2 * 1.025, rel=0.01)


def test_few_outputs_are_not_tested(stream: Stream) -> None:
    steady_days(stream, [20.0, 20.2] * 10)
    DailyMetric.objects.filter(day=timezone.now().date()).update(n=29, total=29 * 40, squares=29 * 1604)
    today = timezone.now().date()
    (series,) = series_of(stream, since=today - 84 * DAY, until=today)
    assert series.days[-1].limits is None and not series.days[-1].is_outside


def test_somebody_goes_from_the_stream_to_a_metric_to_a_day_to_its_events(
    project: Project, stream: Stream, manager: User
) -> None:
    at = timezone.now() - 3 * DAY
    send(stream, rows_of(40, at, assessments={"latency_seconds": 0.75}))
    send(stream, rows_of(1, at - DAY, first=90, output="I am sorry, but I cannot help with that."))
    store_new_assessments(stream=stream, rows=[{"event": "out-90", "name": "edit", "value": "You may."}])
    count_everywhere()
    client = client_of(manager)
    start = f"/projects/{project.slug}/monitor/{stream.pk}/"
    page = client.get(start).text
    assert "All outputs" in page and "Latency seconds" in page and "Refusal" in page
    page = client.get(f"{start}daily-metrics/?metric=refusal").text
    assert "Refusal: 0% on" in page and "100% on" in page and f"events/?day={at:%Y-%m-%d}" in page
    strata = client.get(f"{start}daily-metrics/?metric=events&stratum=funds").text
    assert "Events: 10 on" in strata
    assert "Events: 40 on" in client.get(f"{start}daily-metrics/").text
    events = client.get(f"{start}events/?day={at - DAY:%Y-%m-%d}").text
    assert "cannot help with that" in events and "edit “You may.”" in events and "out-1 " not in events
    assert "out-40" in client.get(f"{start}events/").text
    link = f"events/?day={at - DAY:%Y-%m-%d}&amp;metric=refusal"
    assert link in page
    of_metric = client.get(start + link.replace("&amp;", "&")).text
    assert re.search(r'<p class="small">Refusal .*1', of_metric), "what the metric says of it"
    assert "Refusal" not in events


def test_the_day_that_is_not_over_is_not_in_the_chart(
    project: Project, stream: Stream, manager: User
) -> None:
    steady_days(stream, [20.0] * 10 + [3.0])
    page = client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/daily-metrics/?metric=words")
    yesterday = timezone.now().date() - DAY
    assert f"20.00 on {yesterday.day} {yesterday:%B}" in page.text and "3.00 on" not in page.text
    assert "Today (UTC) is not over" in page.text and "so far" in page.text


@pytest.mark.parametrize(
    "address",
    ["daily-metrics/?metric=nothing", "daily-metrics/?stratum=nothing", "events/?day=soon",
     "events/?day=2026-02-31", "events/?day=0001-01-01"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(
    project: Project, stream: Stream, manager: User, address: str
) -> None:
    send(stream, rows_of(2, timezone.now()))
    count_everywhere()
    answer = client_of(manager).get(f"/projects/{project.slug}/monitor/{stream.pk}/{address}")
    assert answer.status_code == 404


def test_an_empty_stream_says_so(project: Project, stream: Stream, manager: User) -> None:
    client = client_of(manager)
    start = f"/projects/{project.slug}/monitor/{stream.pk}/"
    assert "No events are counted yet" in client.get(f"{start}daily-metrics/").text
    assert "No events here" in client.get(f"{start}events/").text
