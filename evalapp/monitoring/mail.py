"""A stream's e-mails to the people who decide, each sent once: when an incident opens, gets worse, waits and
ends, and when daily metrics go past their thresholds.
"""

import datetime as dt
import logging
import smtplib
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.monitoring.incidents.models import (
    Incident,
    IncidentState,
    MailState,
    Notice,
    NoticeKind,
)
from evalapp.monitoring.models import WEEK, Alert, Stream, WeeklySample

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
MOST_REMINDERS = 4
WORKER_LOST = "The worker was lost while sending; it is unknown whether the email arrived."
NO_MAIL = "This installation sends no email: its operator sets EVALAPP_EMAIL_URL."
_UNFINISHED_STATES = (MailState.WAITING, MailState.SENDING)
# First key of the advisory locks of outgoing e-mails; the second is the notice's.
_MAIL_LOCK = 20003


def notify(incident: Incident, kind: NoticeKind, week: WeeklySample | None = None) -> Notice:
    """Write the e-mail within the caller's transaction; it is sent afterwards."""
    return _create_notice(incident.stream, kind=kind, incident=incident, week=week)


def notify_daily(stream: Stream) -> Notice:
    """As `notify`, for daily alerts; the caller then links them to the notice."""
    return _create_notice(stream, kind=NoticeKind.DAILY)


def _create_notice(stream: Stream, **of: object) -> Notice:
    is_configured = bool(settings.SENDS_MAIL)
    return Notice.objects.create(
        stream=stream,
        mail_state=MailState.WAITING if is_configured else MailState.OFF,
        mail_note="" if is_configured else NO_MAIL,
        **of,
    )


def remind(now: dt.datetime | None = None) -> int:
    """Send a reminder of every incident unacknowledged for a week: weekly, at most four times; returns how
    many.
    """
    now = now or timezone.now()
    waiting = Incident.objects.filter(
        state=IncidentState.OPEN, acknowledged_at=None, created_at__lte=now - WEEK
    )
    return sum(_remind_of(pk, now) for pk in waiting.values_list("pk", flat=True))


@transaction.atomic
def _remind_of(pk: int, now: dt.datetime) -> bool:
    incident = Incident.objects.select_for_update(of=("self",)).get(pk=pk)
    reminders = incident.notices.filter(kind=NoticeKind.REMINDER)
    if (
        not incident.is_open
        or incident.acknowledged_at is not None
        or reminders.count() >= MOST_REMINDERS
        or reminders.filter(created_at__gt=now - WEEK).exists()
    ):
        return False
    notify(incident, NoticeKind.REMINDER)
    return True


def send_due_mail() -> int:
    """Send waiting e-mails, one worker at a time; returns how many were sent.

    If the mail server cannot be reached, or the worker died while sending, an e-mail waits for the next turn,
    five times at most. So it may arrive twice, but is never lost silently.
    """
    going = Notice.objects.filter(mail_state__in=_UNFINISHED_STATES).select_related(
        "stream__project", "incident__opened_in", "incident__stream", "week"
    )
    return sum(_claim(notice) and _send_once(notice) for notice in going.order_by("pk")[:100])


@transaction.atomic
def _claim(notice: Notice) -> bool:
    """Count an attempt, unless another worker is sending the e-mail or has tried since the notice was read.

    Uses a lock that ends with the transaction, and so with a killed worker; a time limit instead would send
    slow mail twice.
    """
    if not _locked(notice, "SELECT pg_try_advisory_xact_lock(%s, %s)"):
        return False
    if notice.mail_state == MailState.SENDING and notice.mail_attempts >= MOST_ATTEMPTS:
        _record_result(notice, MailState.FAILED, WORKER_LOST)
        return False
    claimed = _same_attempt(notice).update(mail_state=MailState.SENDING, mail_attempts=F("mail_attempts") + 1)
    notice.mail_state, notice.mail_attempts = MailState.SENDING, notice.mail_attempts + 1
    return bool(claimed)


@transaction.atomic
def _send_once(notice: Notice) -> bool:
    _locked(notice, "SELECT pg_advisory_xact_lock(%s, %s) IS NOT NULL")
    # Another worker may have tried it before this one got the lock.
    return _same_attempt(notice).exists() and _send(notice)


def _locked(notice: Notice, statement: str) -> bool:
    with connection.cursor() as database:
        database.execute(statement, [_MAIL_LOCK, notice.pk % 2**31])
        return bool(database.fetchone()[0])


def _same_attempt(notice: Notice) -> QuerySet[Notice]:
    return Notice.objects.filter(
        pk=notice.pk, mail_state=notice.mail_state, mail_attempts=notice.mail_attempts
    )


def _send(notice: Notice) -> bool:
    stream = notice.stream
    people = _deciders(stream)
    if not people:
        _record_result(
            notice, MailState.FAILED, "No member who can decide in this project has an active account."
        )
        return False
    words, path = _contents(notice)
    message = EmailMessage(
        subject=f"{stream.project}: {_subject(notice)}"[:200],
        body=f"{words}{stream.site}{path}\n",
        # Bcc, so that recipients do not see each other's addresses.
        bcc=[person.email for person in people],
        # Some filters treat a message without “To” as junk.
        headers={"Auto-Submitted": "auto-generated", "To": "undisclosed-recipients:;"},
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("The e-mail %s of stream %s is not sent: %s", notice.pk, stream.pk, error)
        is_last = notice.mail_attempts >= MOST_ATTEMPTS
        _record_result(notice, MailState.FAILED if is_last else MailState.WAITING, f"Not sent: {error}"[:300])
        return False
    count = len(people)
    _record_result(
        notice,
        MailState.SENT,
        f"Sent to {count} {'member' if count == 1 else 'members'} who can decide in the project.",
    )
    return True


def _contents(notice: Notice) -> tuple[str, str]:
    """The text before the link, and the path of the link."""
    slug = notice.stream.project.slug
    if notice.incident is None:
        words = "\n\n".join(notice.daily_alerts.order_by("pk").values_list("message", flat=True))
        return f"{words}\n\nDaily metrics: ", reverse("stream_detail", args=[slug, notice.stream.pk])
    words = "\n\n".join(_paragraphs(notice, notice.incident))
    path = reverse("incident_detail", args=[slug, notice.stream.pk, notice.incident.pk])
    return f"{words}\n\nTimeline and next steps: ", path


def _subject(notice: Notice) -> str:
    incident = notice.incident
    if incident is None:
        names = ", ".join(notice.daily_alerts.order_by("pk").values_list("label", flat=True))
        return f"{names} of {notice.stream} past the threshold"
    if notice.kind == NoticeKind.ENDED:
        return f"{incident.stream} has recovered"
    names = ", ".join(dict.fromkeys(alert.criterion_name for alert in _alerts(notice, incident)))
    if notice.kind == NoticeKind.REMINDER:
        return f"{names} of {incident.stream}: nobody has acknowledged the incident"
    return f"{names} of {incident.stream} got worse"


def _paragraphs(notice: Notice, incident: Incident) -> Iterator[str]:
    if notice.kind == NoticeKind.ENDED:
        yield (
            f"{incident.stream} has recovered: the last three weeks of each criterion that alerted are back"
            f" within the limits. The incident since {incident.opened_in} is closed."
        )
    elif notice.kind == NoticeKind.REMINDER:
        yield f"Nobody has acknowledged the incident since {incident.opened_in} yet."
    elif notice.kind == NoticeKind.WORSE:
        yield f"The incident since {incident.opened_in} has got worse."
    for alert in _alerts(notice, incident):
        yield f"{alert.message}\nCause: {alert.get_cause_display().lower()}. {alert.cause_reason}"


def _alerts(notice: Notice, incident: Incident) -> QuerySet[Alert]:
    """The alerts of the notice's week or, without a week, of the incident."""
    alerts = incident.alerts.order_by("pk")
    return alerts if notice.week_id is None else alerts.filter(weekly_sample=notice.week_id)


def _record_result(notice: Notice, state: MailState, note: str) -> None:
    """Record the attempt's result, unless it was given up as lost and another attempt has been made."""
    _same_attempt(notice).update(mail_state=state, mail_note=note)


def _deciders(stream: Stream) -> Sequence[User]:
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.DECIDE in permissions]
    members = stream.project.memberships.filter(role__in=roles).values("user")
    people = User.objects.filter(pk__in=members, is_active=True, is_simulated=False).exclude(email="")
    return list(people.order_by("pk"))
