"""An incident: opened by alerts, told once, acknowledged, worked on, and over when weeks are well again."""

import datetime as dt
import json
import smtplib
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import close_campaign
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job
from evalapp.monitoring.alerts import raise_alerts
from evalapp.monitoring.deployments.services import record_deployment
from evalapp.monitoring.evaluation import evaluate_due_weeks
from evalapp.monitoring.incidents.models import Incident, MailState, Notice
from evalapp.monitoring.incidents.queries import progress_of
from evalapp.monitoring.incidents.services import (
    accept_training_data,
    acknowledge,
    close_incident,
    prepare_second_review,
)
from evalapp.monitoring.mail import MOST_REMINDERS, WORKER_LOST, remind, send_due_mail
from evalapp.monitoring.models import WEEK, Alert, Stream, WeeklyMetric
from evalapp.registry.services import set_alias
from evalapp.runs.models import Run
from evalapp.webhooks.deliveries import claim_due
from evalapp.webhooks.models import WebhookDelivery
from evalapp.webhooks.payloads import body_of
from tests.at_once import at_once, until_somebody_waits
from tests.cast import client_of
from tests.factories import answers, make_candidates, make_webhook
from tests.monitoring.making import (
    campaign_of,
    evaluated_weeks,
    make_feedback,
    make_stream,
    review_week,
    rows_of,
    sampled_week,
    send,
)

pytestmark = pytest.mark.django_db


def open_incident(project: Project, reviewer: User, **plan: object) -> Incident:
    """Tone has fallen under its threshold in the first week."""
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0}, **plan)
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    return Incident.objects.select_related("stream__project", "opened_in").get()


def follow(stream: Stream, values: list[float | None]) -> None:
    for week in evaluated_weeks(stream, values):
        raise_alerts(week)


def test_three_good_weeks_together_end_it_and_a_relapse_opens_another(
    project: Project, reviewer: User, manager: User, settings
) -> None:
    settings.SENDS_MAIL = True
    make_webhook(project)
    incident = open_incident(project, reviewer)
    follow(incident.stream, [4.5, 4.5, 2.5])
    incident.refresh_from_db()
    assert incident.state == "open", "the last three weeks together are under the threshold"
    follow(incident.stream, [None])
    incident.refresh_from_db()
    assert incident.state == "open", "a week without reviews says nothing"
    follow(incident.stream, [4.5, 4.5, 4.4])
    incident.refresh_from_db()
    assert incident.state == "recovered"
    assert incident.closed_at is not None and incident.closed_by is None
    assert "incident.closed" in WebhookDelivery.objects.values_list("event", flat=True)
    send_due_mail()
    assert [each.subject for each in mail.outbox] == [
        f"{project}: Tone of Support chat got worse",
        f"{project}: Support chat has recovered",
    ]
    # The smoothed mean is still under the threshold; the weeks themselves are not.
    follow(incident.stream, [4.5])
    assert Incident.objects.count() == 1
    follow(incident.stream, [2.0])
    again = Incident.objects.get(state="open")
    assert again.opened_in.number == 10 and again.alerts.exists()


def test_a_criterion_that_the_rubric_has_lost_is_not_waited_for(
    project: Project, reviewer: User, manager: User
) -> None:
    incident = open_incident(project, reviewer)
    stream = incident.stream
    for value in (4.5, 4.5, 4.5):
        raise_alerts(*evaluated_weeks(stream, [value], key="clarity"))
    incident.refresh_from_db()
    assert incident.state == "open", "nothing that alerted can recover: a person closes it"
    address = f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"
    assert 'Tone: <span class="soft">no longer in the rubric' in client_of(manager).get(address).text
    stream.thresholds = {"clarity": 4.0}
    stream.save(update_fields=["thresholds"])
    for value in (2.0, 4.5, 4.5, 4.5):
        raise_alerts(*evaluated_weeks(stream, [value], key="clarity"))
    incident.refresh_from_db()
    assert incident.state == "recovered"


def test_what_turns_to_the_worse_meanwhile_joins_it(
    project: Project, reviewer: User, manager: User, settings
) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0, "clarity": 4.0})
    first, second, third = evaluated_weeks(stream, [3.0, 3.0, 3.0])
    raise_alerts(first)
    for week, value in ((second, 2.5), (third, 2.5)):
        (metric,) = week.metrics.all()
        metric.pk, metric.criterion_key, metric.criterion_name = None, "clarity", "Clarity"
        metric.value = value
        metric.save()
        raise_alerts(week)
    incident = Incident.objects.get()
    told = [(alert.criterion_key, alert.weekly_sample.number) for alert in incident.alerts.order_by("pk")]
    assert told == [("tone", 1), ("clarity", 2)]
    send_due_mail()
    assert [each.subject for each in mail.outbox] == [
        f"{project}: Tone of Support chat got worse",
        f"{project}: Clarity of Support chat got worse",
    ]


def test_who_does_not_acknowledge_it_is_reminded_once_a_week(
    project: Project, reviewer: User, manager: User, settings
) -> None:
    settings.SENDS_MAIL = True
    incident = open_incident(project, reviewer)
    send_due_mail()
    now = timezone.now()
    assert [remind(now + WEEK * share) for share in (0.5, 1.1)] == [0, 1]
    incident.notices.filter(kind="reminder").update(created_at=now + WEEK * 1.1)
    assert [remind(now + WEEK * share) for share in (1.2, 2.2)] == [0, 1]
    send_due_mail()
    assert mail.outbox[-1].subject.endswith("nobody has acknowledged the incident")
    acknowledge(incident=incident, by=manager)
    with pytest.raises(ConflictError, match="acknowledged already"):
        acknowledge(incident=incident, by=manager)
    Notice.objects.update(created_at=now - 10 * WEEK)
    assert remind(now + 3 * WEEK) == 0
    Incident.objects.update(acknowledged_at=None)
    for _ in range(MOST_REMINDERS + 2):
        remind(now + 3 * WEEK)
        Notice.objects.update(created_at=now - 10 * WEEK)
    assert incident.notices.filter(kind="reminder").count() == MOST_REMINDERS


def test_a_person_decides_what_is_trained_on_and_closes_it_for_a_reason(
    project: Project, reviewer: User, manager: User
) -> None:
    incident = open_incident(project, reviewer)
    with pytest.raises(ConflictError, match="Export the corrections"):
        accept_training_data(incident=incident, by=manager)
    version = make_feedback(incident.stream, Campaign.objects.get(weekly_sample=incident.opened_in))
    assert accept_training_data(incident=incident, by=manager) == version
    incident.refresh_from_db()
    assert (incident.training_data, incident.weeks) == (version, [{"week": 1, "rows": 1}])
    for reason in (" ", "x" * 501):
        with pytest.raises(InvalidError, match="Give the reason"):
            close_incident(incident=incident, reason=reason, by=manager)
    close_incident(incident=incident, reason="The threshold was too high.", by=manager)
    incident.refresh_from_db()
    assert (incident.state, incident.closed_by) == ("closed", manager)
    for service in (acknowledge, accept_training_data, prepare_second_review):
        with pytest.raises(ConflictError, match="is over"):
            service(incident=incident, by=manager)


def test_only_a_deployment_after_it_opened_mends_it(project: Project, reviewer: User, manager: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    before, after = make_candidates(project, ["before", "after"])
    record_deployment(
        stream=stream, version=before, started_at=week.ends_at + dt.timedelta(days=1), by=manager
    )
    raise_alerts(week)
    incident = Incident.objects.select_related("stream__project", "opened_in").get()
    assert not progress_of(incident).deployments
    record_deployment(stream=stream, version=after, by=manager)
    assert [each.version for each in progress_of(incident).deployments] == [after]


def test_a_second_review_asks_what_nothing_was_trained_on(
    project: Project, reviewer: User, manager: User
) -> None:
    incident = open_incident(project, reviewer, outputs_per_week=6)
    stream, week = incident.stream, incident.opened_in
    with pytest.raises(ConflictError, match="No event of the weeks"):
        prepare_second_review(incident=incident, by=manager)
    send(stream, rows_of(12, week.begins_at + dt.timedelta(days=1)))
    send(stream, rows_of(12, week.ends_at + dt.timedelta(days=1), first=50))
    taught = [
        ExampleRow(
            split="train",
            messages=each.messages,
            references=["Yes."],
            provenance={"export": None},
        )
        for each in stream.events.filter(key__external_id__in=["out-1", "out-2", "out-3"])
    ]
    version = make_feedback(stream, Campaign.objects.get(weekly_sample=week))
    incident.training_data = create_version(
        dataset=stream.dataset,
        rows=[*taught, *(ExampleRow("train", messages=e.messages) for e in version.examples.all())],
        by=None,
    )
    incident.save()
    first = prepare_second_review(incident=incident, by=manager)
    again = prepare_second_review(incident=incident, by=manager)
    rows = list(first.examples.order_by("row_number"))
    asked = {each.provenance["external_id"] for each in rows}
    assert len(asked) == 6 and {each.split for each in rows} == {"test"}
    assert asked <= {f"out-{number}" for number in range(4, 13)}, "of its weeks, and not taught"
    same = list(again.examples.order_by("row_number").values_list("prompt_hash", flat=True))
    assert [each.prompt_hash for each in rows] == same
    assert {each.metadata["part"] for each in rows} == {"production"}


def test_a_second_review_holds_the_regression_set(
    project: Project, reviewer: User, manager: User, trained_champion: DatasetVersion
) -> None:
    incident = open_incident(project, reviewer, outputs_per_week=4)
    send(incident.stream, rows_of(9, incident.opened_in.begins_at + dt.timedelta(days=1)))
    version = prepare_second_review(incident=incident, by=manager)
    parts = [each.metadata["part"] for each in version.examples.order_by("row_number")]
    assert parts == ["production"] * 4 + ["regression set"] * 4
    held_out = set(trained_champion.examples.filter(split="test").values_list("prompt_hash", flat=True))
    kept = version.examples.filter(metadata__part="regression set").values_list("prompt_hash", flat=True)
    assert set(kept) <= held_out


@pytest.fixture
def trained_champion(project: Project, manager: User) -> DatasetVersion:
    """What the project's champion was trained on, with six test rows."""
    dataset = create_dataset(project=project, name="Training", by=manager)
    rows = [
        ExampleRow(split="test" if n < 6 else "train", messages=[{"role": "user", "content": f"Q{n}?"}])
        for n in range(9)
    ]
    version = create_version(dataset=dataset, rows=rows, by=manager)
    (champion,) = make_candidates(project, ["champion"])
    job = Job.objects.create(
        project=project,
        task="training",
        title="Training",
        state="succeeded",
        finished_at=timezone.now(),
    )
    Run.objects.create(
        project=project, kind="training", name="v1", job=job, dataset_version=version, produced=champion
    )
    set_alias(version=champion, alias="champion", by=manager)
    return version


def test_what_turns_to_the_worse_in_one_week_is_one_email(
    project: Project, reviewer: User, owner: User, manager: User, settings
) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0, "clarity": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    (metric,) = week.metrics.all()
    metric.pk, metric.criterion_key, metric.criterion_name = None, "clarity", "Clarity"
    metric.save()
    tone, clarity = raise_alerts(week)
    assert (send_due_mail(), send_due_mail()) == (1, 0)
    (message,) = mail.outbox
    assert message.subject == f"{project}: Tone, Clarity of {stream} got worse"
    assert tone.message in message.body and clarity.message in message.body
    incident = stream.incidents.get()
    assert {each.incident for each in (tone, clarity)} == {incident}
    assert [each.kind for each in incident.notices.all()] == ["opened"]


def test_an_alert_is_raised_told_and_mailed_once(
    project: Project, reviewer: User, owner: User, manager: User, settings
) -> None:
    settings.SENDS_MAIL = True
    make_webhook(project)
    WebhookDelivery.objects.all().delete()
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    first, second = evaluated_weeks(stream, [3.0, 3.0])
    WebhookDelivery.objects.all().delete()
    assert len(raise_alerts(first)) == 1
    assert raise_alerts(second) == [], "one of its kind is in the incident already"
    incident = Incident.objects.get()
    page = f"/projects/{project.slug}/monitor/{stream.pk}/incidents/{incident.pk}/"
    told = [json.loads(body_of(claim_due())) for _ in range(WebhookDelivery.objects.count())]
    alert, opened = (each.get("alert") or each["incident"] for each in told)
    assert [each["event"] for each in told] == ["alert.raised", "incident.opened"]
    assert (alert["criterion"], alert["limit"], alert["incident"]) == ("tone", 4.0, incident.pk)
    assert (opened["id"], opened["state"], opened["causes"]) == (incident.pk, "open", ["cannot_tell"])
    assert {each["link"] for each in (alert, opened)} == {f"https://evalapp.example{page}"}
    assert (send_due_mail(), send_due_mail()) == (1, 0)
    (message,) = mail.outbox
    assert set(message.bcc) == {owner.email, manager.email} and message.to == []
    assert message.message()["To"] == "undisclosed-recipients:;"
    assert f"https://evalapp.example{page}" in message.body
    assert "Cause: cannot tell. There are too few reviewed weeks before the alert." in message.body
    notice = Notice.objects.get()
    assert (notice.mail_state, notice.mail_note) == (
        MailState.SENT,
        "Sent to 2 members who can decide in the project.",
    )
    assert not progress_of(incident).is_mended_by_training, "nobody can tell whether training would"


def test_without_a_mail_server_it_is_said(project: Project, reviewer: User) -> None:
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    notice = Notice.objects.get()
    assert (notice.mail_state, send_due_mail(), mail.outbox) == (MailState.OFF, 0, [])
    assert "EVALAPP_EMAIL_URL" in notice.mail_note


def test_a_mail_server_that_is_away_is_tried_again_and_given_up(
    project: Project, reviewer: User, settings, monkeypatch
) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)

    def away(*_: object) -> int:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(EmailBackend, "send_messages", away)
    for _ in range(6):
        assert send_due_mail() == 0
    notice = Notice.objects.get()
    assert (notice.mail_state, notice.mail_attempts, notice.mail_note) == (
        MailState.FAILED,
        5,
        "Not sent: gone",
    )


@pytest.mark.django_db(transaction=True)
def test_a_mail_whose_worker_dies_is_sent_by_the_next(
    project: Project, reviewer: User, settings, monkeypatch
) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    sends = EmailBackend.send_messages
    begun, goes_on, workers = Event(), Event(), []

    def slow(*given: object) -> int:
        with connection.cursor() as database:
            database.execute("SELECT pg_backend_pid()")
            workers.append(database.fetchone()[0])
        begun.set()
        goes_on.wait(30)
        return 0

    monkeypatch.setattr(EmailBackend, "send_messages", slow)
    with ThreadPoolExecutor(1) as pool:
        dying = pool.submit(lambda: at_once(1, lambda _: send_due_mail()))
        assert begun.wait(30)
        monkeypatch.setattr(EmailBackend, "send_messages", sends)
        assert send_due_mail() == 0, "it is being sent"
        assert Notice.objects.get().mail_state == MailState.SENDING
        with connection.cursor() as database:
            # What the server sees of a worker that is killed.
            database.execute("SELECT pg_terminate_backend(%s, 10000)", workers)
        assert (send_due_mail(), send_due_mail()) == (1, 0)
        goes_on.set()
        assert isinstance(dying.result()[0], DatabaseError)
    assert len(mail.outbox) == 1
    notice = Notice.objects.get()
    assert (notice.mail_state, notice.mail_attempts) == (MailState.SENT, 2)


def test_a_mail_that_loses_every_worker_is_given_up_with_a_word(
    project: Project, reviewer: User, settings
) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0})
    (week,) = evaluated_weeks(stream, [3.0])
    raise_alerts(week)
    Notice.objects.update(mail_state=MailState.SENDING, mail_attempts=5)
    assert send_due_mail() == 0
    notice = Notice.objects.get()
    assert (notice.mail_state, notice.mail_note, mail.outbox) == (MailState.FAILED, WORKER_LOST, [])


@pytest.mark.django_db(transaction=True)
def test_two_workers_judge_and_mail_once(project: Project, reviewer: User, settings) -> None:
    settings.SENDS_MAIL = True
    stream = make_stream(project, [reviewer], thresholds={"tone": 4.0}, outputs_per_week=30)
    week = sampled_week(stream, 30)
    review_week(week, [reviewer], answers=answers(tone=1))
    close_campaign(campaign=campaign_of(week), by=None)
    found = at_once(3, lambda _: evaluate_due_weeks())
    assert sorted(found) == [0, 0, 1]
    assert sorted(at_once(3, lambda _: send_due_mail())) == [0, 0, 1]
    assert Alert.objects.get().value == 1.0
    assert WeeklyMetric.objects.filter(weekly_sample=week, criterion_key="tone").count() == 1


@pytest.mark.django_db(transaction=True)
def test_who_closes_it_while_a_week_is_evaluated_has_the_last_word(
    project: Project, reviewer: User, manager: User
) -> None:
    incident = open_incident(project, reviewer)
    follow(incident.stream, [4.5, 4.5])
    (good,) = evaluated_weeks(incident.stream, [4.5])
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            close_incident(incident=incident, reason="A holiday.", by=manager)
            evaluating = pool.submit(lambda: at_once(1, lambda _: raise_alerts(good)))
            until_somebody_waits()
        assert evaluating.result() == [[]]
    incident.refresh_from_db()
    assert (incident.state, incident.reason, incident.closed_by) == ("closed", "A holiday.", manager)
    assert not incident.notices.filter(kind="ended").exists()
