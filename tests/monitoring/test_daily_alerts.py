"""Daily metrics past the thresholds that people set: told once each, by e-mail and webhook."""

import datetime as dt
import json
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.monitoring.daily.alerts import raise_daily_alerts
from evalapp.monitoring.daily.models import DailyAlert, DailyMetric
from evalapp.monitoring.daily.thresholds import Threshold, set_daily_threshold
from evalapp.monitoring.incidents.models import MailState, Notice
from evalapp.monitoring.mail import send_due_mail
from evalapp.monitoring.models import Stream
from evalapp.monitoring.services import end_stream
from evalapp.webhooks.models import WebhookDelivery, WebhookEndpoint
from evalapp.webhooks.payloads import body_of
from tests.api.conftest import problem_in, program_of
from tests.at_once import at_once
from tests.cast import client_of
from tests.monitoring.making import make_stream

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)
UNSUPPORTED = "unsupported_numbers"


@pytest.fixture
def stream(project: Project, reviewer: User, manager: User, settings: Any) -> Stream:
    settings.SENDS_MAIL = True
    made = make_stream(project, [reviewer])
    set_daily_threshold(stream=made, metric=UNSUPPORTED, threshold=Threshold(highest=0.1), by=manager)
    made.refresh_from_db()
    return made


def day_of(stream: Stream, days_ago: int, share: float, *, n: int = 100, metric: str = UNSUPPORTED) -> None:
    DailyMetric.objects.update_or_create(
        stream=stream,
        day=timezone.now().date() - days_ago * DAY,
        metric=metric,
        stratum="",
        defaults={"n": n, "total": n * share, "squares": n * share},
    )


def test_a_day_past_the_threshold_is_told_once_until_a_day_is_back(stream: Stream, manager: User) -> None:
    WebhookEndpoint.objects.create(
        project=stream.project, url="https://hooks.example/evalapp", site="http://testserver",
        secret_salt="s", events=["daily_alert.raised", "daily_alert.ended"],
    )  # fmt: skip
    day_of(stream, 2, 0.08)
    assert raise_daily_alerts() == 0
    day_of(stream, 1, 0.14)
    assert [raise_daily_alerts(), raise_daily_alerts()] == [1, 0]
    alert = DailyAlert.objects.get()
    yesterday = timezone.now().date() - DAY
    day = f"{yesterday.day} {yesterday:%B}"
    assert alert.message == f"Unsupported numbers: 14% of 100 outputs on {day}, over the threshold of 10%."
    send_due_mail()
    send_due_mail()
    (message,) = mail.outbox
    assert manager.email in message.bcc
    assert "Unsupported numbers" in message.subject and alert.message in message.body
    assert Notice.objects.get().mail_state == MailState.SENT

    # A day later it goes on: no second mail. Then it is back.
    tomorrow = timezone.now() + DAY
    day_of(stream, 0, 0.2)
    assert raise_daily_alerts(tomorrow) == 0
    alert.refresh_from_db()
    assert (alert.last_day, alert.ended_on) == (yesterday + DAY, None) and "20%" in alert.message
    day_of(stream, -1, 0.05)
    assert raise_daily_alerts(tomorrow + DAY) == 0
    alert.refresh_from_db()
    assert alert.ended_on == yesterday + 2 * DAY
    send_due_mail()
    assert len(mail.outbox) == 1
    bodies = [json.loads(body_of(each) or "") for each in WebhookDelivery.objects.order_by("pk")]
    assert [each["event"] for each in bodies] == ["daily_alert.raised", "daily_alert.ended"]
    link = f"/monitor/{stream.pk}/daily-metrics/?metric={UNSUPPORTED}"
    assert all(each["daily_alert"]["link"].endswith(link) for each in bodies)


def test_what_is_too_little_too_old_or_not_over_yet_raises_nothing(stream: Stream) -> None:
    day_of(stream, 0, 0.5)
    day_of(stream, 1, 0.5, n=29)
    day_of(stream, 8, 0.5)
    assert raise_daily_alerts() == 0
    day_of(stream, 1, 0.5, n=30)
    assert raise_daily_alerts() == 1


def test_events_that_come_late_move_a_day_and_are_told_once(stream: Stream) -> None:
    day_of(stream, 1, 0.2)
    assert raise_daily_alerts() == 1
    day_of(stream, 1, 0.05, n=200)
    assert raise_daily_alerts() == 0 and DailyAlert.objects.get().ended_on is not None
    day_of(stream, 1, 0.2, n=300)
    assert raise_daily_alerts() == 0
    assert raise_daily_alerts() == 0 and DailyAlert.objects.count() == 1


def test_several_metrics_of_a_day_are_one_mail(stream: Stream, manager: User) -> None:
    set_daily_threshold(stream=stream, metric="words", threshold=Threshold(least=50), by=manager)
    day_of(stream, 1, 0.2)
    day_of(stream, 1, 40, metric="words")
    assert raise_daily_alerts() == 2
    send_due_mail()
    (message,) = mail.outbox
    assert "under the threshold of 50." in message.body and "over the threshold of 10%" in message.body


@pytest.mark.django_db(transaction=True)
def test_workers_that_look_at_once_tell_it_once(stream: Stream) -> None:
    day_of(stream, 1, 0.2)
    assert sorted(at_once(3, lambda _: raise_daily_alerts())) == [0, 0, 1]
    assert Notice.objects.count() == 1


def test_an_alert_ends_with_its_threshold_and_with_its_stream(stream: Stream, manager: User) -> None:
    day_of(stream, 1, 0.2)
    raise_daily_alerts()
    set_daily_threshold(stream=stream, metric=UNSUPPORTED, threshold=Threshold(), by=manager)
    assert raise_daily_alerts() == 0 and DailyAlert.objects.get().ended_on is not None
    set_daily_threshold(stream=stream, metric=UNSUPPORTED, threshold=Threshold(highest=0.1), by=manager)
    end_stream(stream=stream, by=manager)
    day_of(stream, 1, 0.3)
    assert raise_daily_alerts() == 0


def test_a_manager_sets_a_threshold_where_the_metric_is_seen(
    project: Project, stream: Stream, manager: User, engineer: User
) -> None:
    day_of(stream, 1, 0.14)
    address = f"/projects/{project.slug}/monitor/{stream.pk}/daily-metrics/?metric={UNSUPPORTED}"
    client = client_of(manager)
    page = client.get(address).content.decode()
    assert "Alert over (%)" in page and 'value="10"' in page
    assert client.post(address, {"least": "", "highest": "12,5 %"}).status_code == 400
    refused = client.post(address, {"least": "30", "highest": "20"})
    assert refused.status_code == 400 and "must not exceed the highest" in refused.content.decode()
    assert client.post(address, {"least": "", "highest": "12.5"}).status_code == 302
    stream.refresh_from_db()
    assert stream.daily_thresholds == {UNSUPPORTED: {"highest": 0.125}}
    assert AuditEvent.objects.filter(action="stream.daily_threshold_set").count() == 2

    raise_daily_alerts()
    page = client.get(address).content.decode()
    assert "14% of 100 outputs" in page and "Past threshold" in page
    page = client.get(f"/projects/{project.slug}/monitor/{stream.pk}/").content.decode()
    assert "over the threshold of 12.5%" in page and "Unsupported numbers by day</a>" in page
    assert "Daily alert" in client.get(f"/projects/{project.slug}/monitor/").content.decode()

    reader = client_of(engineer)
    assert "Alert over" not in reader.get(address).content.decode()
    assert reader.post(address, {"highest": "50"}).status_code == 403


def test_a_program_sets_thresholds_and_reads_alerts(stream: Stream, manager: User) -> None:
    program = program_of(manager)
    address = f"/api/v1/projects/{stream.project.slug}/streams/{stream.pk}/"
    given = {UNSUPPORTED: {"least": None, "highest": 0.3}, "words": {"least": 20}}
    assert program.patch(address, {"daily_thresholds": given}).json()["daily_thresholds"] == {
        UNSUPPORTED: {"least": None, "highest": 0.3}, "words": {"least": 20, "highest": None},
    }  # fmt: skip
    assert program.patch(address, {"description": "x"}).json()["daily_thresholds"]["words"]["least"] == 20
    for wrong in (
        {"events": {"least": 1}},
        {"words": {"least": 2, "highest": 1}},
        {"words": {"most": 1}},
        {"thumb": {"least": 1}},
    ):
        problem_in(program.patch(address, {"daily_thresholds": wrong}), 400)
    day_of(stream, 1, 0.4)
    raise_daily_alerts()
    (alert,) = program.get(f"{address}daily-alerts/").json()["results"]
    assert (alert["metric"], alert["value"], alert["limit"]) == (UNSUPPORTED, 0.4, 0.3)
