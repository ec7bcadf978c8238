"""Alerts of an evaluated week, sent once by webhook and email, and the proposal to retrain."""

import logging
import smtplib
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.core.number_format import as_percent, as_text
from evalapp.monitoring.causes import ASKED_FOR_WEEKS, CAUSE_FIELDS, MENDED_BY_TRAINING, tell_cause
from evalapp.monitoring.models import (
    Alert,
    AlertKind,
    Cause,
    MailState,
    ProposalState,
    RetrainProposal,
    WeeklySample,
)
from evalapp.monitoring.queries import followed_criteria
from evalapp.monitoring.trends import CriterionTrend
from evalapp.webhooks.events import emit_event
from evalapp.webhooks.models import WebhookEvent

logger = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
LOST = "The worker was lost while sending; it is unknown whether the email arrived."
_GOING = (MailState.WAITING, MailState.SENDING)
# The first key of the locks of e-mails that go out; the alert is the second.
_MAIL_LOCK = 20003
NO_MAIL = "This installation sends no email: its operator sets EVALAPP_EMAIL_URL."


def raise_alerts(week: WeeklySample) -> list[Alert]:
    """Store and tell what the week's metrics say, once; call it in the transaction that evaluates the week.

    A criterion with an alert of the same kind that nobody has acknowledged raises no other.
    """
    waiting = set(
        Alert.objects.filter(stream=week.stream, acknowledged_at=None).values_list("criterion_key", "kind")
    )
    raised = [
        alert
        for followed in followed_criteria(week.stream, up_to=week)
        for alert in _alerts_of(week, followed)
        if (alert.criterion_key, alert.kind) not in waiting
    ]
    for place, alert in enumerate(raised):
        tell_cause(alert, week)
        if place and alert.mail_state == MailState.WAITING:
            # One week is one e-mail, whatever turned to the worse in it.
            alert.mail_state = MailState.JOINED
        alert.save()
        emit_event(
            project=week.stream.project, event=WebhookEvent.ALERT_RAISED, facts={"alert": _told(alert)}
        )
    _ask_again(week, raised)
    return raised


def _ask_again(week: WeeklySample, raised: Sequence[Alert]) -> None:
    """Ask for the cause of alerts that could not be told so far; propose to retrain where it is one that
    training can mend.
    """
    new = {each.pk for each in raised}
    latest = Alert.objects.filter(stream=week.stream).select_related("stream__project", "weekly_sample")
    for alert in latest.filter(weekly_sample__number__gt=week.number - ASKED_FOR_WEEKS).order_by("pk"):
        if alert.pk not in new and alert.cause == Cause.CANNOT_TELL:
            tell_cause(alert, week)
            alert.save(update_fields=CAUSE_FIELDS)
        if alert.cause in MENDED_BY_TRAINING:
            propose(alert)


def _alerts_of(week: WeeklySample, followed: CriterionTrend) -> list[Alert]:
    metric, smoothed = followed.last, followed.smoothed[-1]
    if metric.weekly_sample_id != week.pk or smoothed is None:
        return []
    is_configured = bool(settings.SENDS_MAIL)
    found = []
    if followed.is_past_threshold and followed.threshold is not None:
        value = smoothed if followed.is_smoothed_past or metric.value is None else metric.value
        found.append((AlertKind.THRESHOLD, value, followed.threshold))
    if followed.is_drifting and followed.chart is not None:
        point = followed.chart.points[-1]
        if point.average is not None and point.limit is not None:
            found.append((AlertKind.DRIFT, point.average, point.limit))
    return [
        Alert(
            stream=week.stream,
            weekly_sample=week,
            criterion_key=metric.criterion_key,
            criterion_name=metric.criterion_name,
            kind=kind,
            value=value,
            limit=limit,
            message=_message(week, followed, kind, value, limit),
            mail_state=MailState.WAITING if is_configured else MailState.OFF,
            mail_note="" if is_configured else NO_MAIL,
        )
        for kind, value, limit in found
    ]


def _message(
    week: WeeklySample, followed: CriterionTrend, kind: AlertKind, value: float, limit: float
) -> str:
    def written(of: float) -> str:
        return as_percent(of) if followed.is_rate else as_text(of, digits=2)

    metric = followed.last
    what = "rate" if followed.is_rate else "mean"
    if kind == AlertKind.THRESHOLD and not followed.is_smoothed_past:
        what = f"week's own {what}"
        shown = f"{written(value)} ({written(metric.low or 0)} to {written(metric.high or 0)})"
    else:
        what, shown = f"smoothed {what}", written(value)
    side = "over" if metric.more_is_worse else "under"
    past = "the threshold" if kind == AlertKind.THRESHOLD else "the control limit"
    return (
        f"{week.stream}, {week}: the {what} of {metric.criterion_name} is {shown}, {side} "
        f"{past} of {written(limit)}."
    )[:400]


def _told(alert: Alert) -> dict[str, object]:
    """What a receiver is told; metrics and links, nothing of who reviewed."""
    stream = alert.stream
    return {
        "id": alert.pk,
        "stream": stream.pk,
        "name": stream.name,
        "week": alert.weekly_sample.number,
        "ends_at": alert.weekly_sample.ends_at.isoformat(),
        "criterion": alert.criterion_key,
        "kind": str(alert.kind),
        "cause": str(alert.cause),
        # A sum's last binary digits are noise to whoever reads the message.
        "value": round(alert.value, 6),
        "limit": round(alert.limit, 6),
        "message": alert.message,
        "path": reverse("stream_detail", args=[stream.project.slug, stream.pk]),
    }


def propose(alert: Alert) -> RetrainProposal | None:
    """Propose a retrain, unless one waits for a decision already, or this alert had its own; None then."""
    stream = alert.stream
    if stream.proposals.filter(Q(state=ProposalState.PROPOSED) | Q(alert=alert)).exists():
        return None
    return RetrainProposal.objects.create(stream=stream, alert=alert)


def send_due_mail() -> int:
    """Send what waits, by one worker at a time; how many went.

    One whose server cannot be reached waits for the next turn, five times at most. So does one whose worker
    died while it sent: it may arrive twice, and is never lost without a word.
    """
    going = Alert.objects.filter(mail_state__in=_GOING).select_related("stream__project", "weekly_sample")
    return sum(_claim(alert) and _send_once(alert) for alert in going.order_by("pk")[:100])


@transaction.atomic
def _claim(alert: Alert) -> bool:
    """Count an attempt, unless another worker is at it or has been since the alert was read.

    The lock is that of a transaction, which ends with a worker that is killed. A time limit instead of it
    would send slow mail twice.
    """
    if not _locked(alert, "SELECT pg_try_advisory_xact_lock(%s, %s)"):
        return False
    if alert.mail_state == MailState.SENDING and alert.mail_attempts >= MOST_ATTEMPTS:
        _note(alert, MailState.FAILED, LOST)
        return False
    claimed = _as_read(alert).update(mail_state=MailState.SENDING, mail_attempts=F("mail_attempts") + 1)
    alert.mail_state, alert.mail_attempts = MailState.SENDING, alert.mail_attempts + 1
    return bool(claimed)


@transaction.atomic
def _send_once(alert: Alert) -> bool:
    _locked(alert, "SELECT pg_advisory_xact_lock(%s, %s) IS NOT NULL")
    # Another may have taken it for lost before the lock was ours.
    return _as_read(alert).exists() and _send(alert)


def _locked(alert: Alert, statement: str) -> bool:
    with connection.cursor() as database:
        database.execute(statement, [_MAIL_LOCK, alert.pk % 2**31])
        return bool(database.fetchone()[0])


def _as_read(alert: Alert) -> QuerySet[Alert]:
    return Alert.objects.filter(pk=alert.pk, mail_state=alert.mail_state, mail_attempts=alert.mail_attempts)


def _send(alert: Alert) -> bool:
    people = _deciders(alert)
    if not people:
        _note(alert, MailState.FAILED, "No member who can decide in this project has an active account.")
        return False
    link = alert.stream.site + reverse("stream_detail", args=[alert.stream.project.slug, alert.stream_id])
    joined = alert.weekly_sample.alerts.filter(mail_state=MailState.JOINED).order_by("pk")
    told = [alert, *joined]
    names = list(dict.fromkeys(each.criterion_name for each in told))
    message = EmailMessage(
        subject=f"{alert.stream.project}: {', '.join(names)} of {alert.stream} got worse"[:200],
        body="\n\n".join([*map(_in_mail, told), f"Metrics and next steps: {link}\n"]),
        # Nobody sees the others' URLs.
        bcc=[person.email for person in people],
        # Without any, some filters take a message for junk.
        headers={"Auto-Submitted": "auto-generated", "To": "undisclosed-recipients:;"},
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("The e-mail of alert %s is not sent: %s", alert.pk, error)
        is_last = alert.mail_attempts >= MOST_ATTEMPTS
        _note(alert, MailState.FAILED if is_last else MailState.WAITING, f"Not sent: {error}"[:300])
        return False
    count = len(people)
    _note(
        alert,
        MailState.SENT,
        f"Sent to {count} {'member' if count == 1 else 'members'} who can decide in the project.",
    )
    return True


def _in_mail(alert: Alert) -> str:
    return f"{alert.message}\nCause: {alert.get_cause_display().lower()}. {alert.cause_reason}"


def _note(alert: Alert, state: MailState, note: str) -> None:
    """Write down what came of the attempt, unless it was taken for lost and another has been made."""
    _as_read(alert).update(mail_state=state, mail_note=note)


def _deciders(alert: Alert) -> Sequence[User]:
    roles = [role for role, permissions in PERMISSIONS.items() if Permission.DECIDE in permissions]
    members = alert.stream.project.memberships.filter(role__in=roles).values("user")
    people = User.objects.filter(pk__in=members, is_active=True, is_simulated=False).exclude(email="")
    return list(people.order_by("pk"))
