"""Sending: the row is the delivery, a message only notifies the workers.

The scheduler looks for what is due and notifies; a worker then takes one delivery after another, each by one
conditional UPDATE, sends it outside of any transaction and notes what came of it. A worker that dies
leaves a row that is due again a minute later: so a receiver may get one twice, never none, and tells
it by its id.
"""

import datetime as dt
import logging
import time
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from evalapp.celery import app
from evalapp.core.errors import ConflictError
from evalapp.core.outgoing import Answer, OutgoingFailedError, OutgoingRefusedError, origin_of, send
from evalapp.webhooks.models import (
    GOING,
    DeliveryState,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from evalapp.webhooks.payloads import body_of
from evalapp.webhooks.services import disable_endpoint
from evalapp.webhooks.signing import headers_for

logger = logging.getLogger(__name__)

DELIVER_TASK = "evalapp.webhooks.tasks.deliver_due"
PAUSES = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720))
"""Between the attempts of one delivery; after the last of them it is given up."""
MOST_FAILURES = 20
FAILING_FOR = dt.timedelta(hours=1)
"""An endpoint is switched off after so many failed attempts in a row, over no less time: a receiver
that restarts while reviews pour in is not given up."""
ANSWER_SECONDS = 10.0
_LEASE = dt.timedelta(seconds=60)
_TURN_SECONDS = 30.0
_KEPT_ANSWER = 1000
_KEPT_FOR = dt.timedelta(days=30)
_GONE = 410
_LOST = "The worker was lost while sending; it is unknown whether the delivery arrived"


class Outcome(NamedTuple):
    """The outcome of an attempt: a response, a problem, or both."""

    answer: Answer | None
    problem: str
    seconds: float
    is_final: bool = False
    """No further attempt can help."""


def notify_if_due() -> None:
    """Notify a worker if a delivery is due and none is being sent. Run by the scheduler: two queries."""
    now = timezone.now()
    if not _due().exists():
        return
    if WebhookDelivery.objects.filter(state=DeliveryState.SENDING, next_attempt_at__gt=now).exists():
        return
    try:
        app.send_task(DELIVER_TASK, queue="default", retry=False, expires=10)
    except (OSError, KombuError, RedisError) as error:
        logger.warning("Webhooks wait, because the broker is not available: %s", error)


def deliver_due(*, seconds: float = _TURN_SECONDS) -> int:
    """Send due deliveries, one after another, for about ``seconds``; returns the number of attempts.

    Only one worker process sends at a time, so that slow receivers delay imports and scoring in no other.
    """
    ends = time.monotonic() + seconds
    made = 0
    while time.monotonic() < ends and (delivery := claim_due()) is not None:
        note_outcome(delivery, attempt(delivery))
        made += 1
    return made


def _due() -> Any:
    return WebhookDelivery.objects.filter(
        state__in=GOING, next_attempt_at__lte=Now(), endpoint__disabled_at=None
    )


@transaction.atomic
def claim_due() -> WebhookDelivery | None:
    """Claim the delivery due longest, for a minute; None if nothing is due."""
    taken = _due().select_for_update(skip_locked=True, of=("self",)).order_by("next_attempt_at", "id").first()
    if taken is None:
        return None
    if taken.state == DeliveryState.SENDING:
        WebhookAttempt.objects.create(delivery=taken, problem=_LOST)
    WebhookDelivery.objects.filter(pk=taken.pk).update(
        state=DeliveryState.SENDING, attempts=F("attempts") + 1, next_attempt_at=Now() + _LEASE
    )
    return WebhookDelivery.objects.select_related("endpoint__project").get(pk=taken.pk)


def attempt(delivery: WebhookDelivery) -> Outcome:
    """Send one claimed delivery; every failure becomes an outcome, never an exception."""
    started = time.monotonic()
    try:
        text = _body(delivery)
    except Exception:  # one that cannot be told must not stand before all that are due after it
        logger.exception("The body of webhook delivery %s cannot be made", delivery.pk)
        return Outcome(
            None, "Its body could not be created; the reason is in the server's log", 0, is_final=True
        )
    if text is None:
        return Outcome(None, "The object of this event has been deleted in the meantime", 0, is_final=True)
    body = text.encode()
    headers = headers_for(delivery, body, timestamp=int(time.time()))
    try:
        answer = send(delivery.endpoint.url, body=body, headers=headers, seconds=ANSWER_SECONDS)
    except OutgoingRefusedError as error:
        return Outcome(None, error.message, time.monotonic() - started)
    except OutgoingFailedError as error:
        return Outcome(None, f"{error}", time.monotonic() - started)
    return Outcome(answer, _problem_of(answer), time.monotonic() - started, is_final=answer.status == _GONE)


def _body(delivery: WebhookDelivery) -> str | None:
    """Built once, so that every attempt sends the same."""
    if not delivery.body and (text := body_of(delivery)):
        WebhookDelivery.objects.filter(pk=delivery.pk).update(body=text)
        delivery.body = text
    return delivery.body or None


def _problem_of(answer: Answer) -> str:
    if 200 <= answer.status < 300:
        return ""
    if answer.location:
        place = origin_of(answer.location) if "://" in answer.location else "another path"
        return (
            f"Answered {answer.status}, a redirect to {place}; redirects are not followed:"
            " register the URL itself"
        )
    return f"Answered {answer.status}; only 200 to 299 confirm it"


@transaction.atomic
def note_outcome(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Record the outcome of the attempt, and when the next one is due, if any."""
    answer = outcome.answer
    mine = WebhookDelivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, state=DeliveryState.SENDING
    )
    if not outcome.problem:
        changed = mine.update(state=DeliveryState.DELIVERED, next_attempt_at=None, delivered_at=Now())
    elif outcome.is_final or delivery.attempts > len(PAUSES):
        changed = mine.update(state=DeliveryState.FAILED, next_attempt_at=None)
    else:
        due = Now() + PAUSES[delivery.attempts - 1]
        changed = mine.update(state=DeliveryState.WAITING, next_attempt_at=due)
    if not changed:
        return  # Taken for lost, and sent by another worker or deleted since.
    WebhookAttempt.objects.create(
        delivery=delivery,
        status=answer.status if answer else None,
        answer=answer.text[:_KEPT_ANSWER] if answer else "",
        problem=outcome.problem[:400],
        seconds=round(outcome.seconds, 3),
    )
    _note_on_endpoint(delivery.endpoint, outcome)


def _note_on_endpoint(endpoint: WebhookEndpoint, outcome: Outcome) -> None:
    stored = WebhookEndpoint.objects.filter(pk=endpoint.pk)
    if not outcome.problem:
        stored.filter(failures_in_row__gt=0).update(failures_in_row=0, failing_since=None)
        return
    if outcome.answer is None and outcome.is_final:
        return  # Nothing was sent, so the receiver is not to blame.
    stored.update(failures_in_row=F("failures_in_row") + 1, failing_since=Coalesce(F("failing_since"), Now()))
    too_many = Q(failures_in_row__gte=MOST_FAILURES, failing_since__lte=Now() - FAILING_FOR)
    if outcome.answer is not None and outcome.answer.status == _GONE:
        because = "Its receiver answered 410 (gone)."
    elif stored.filter(too_many).exists():
        because = f"{MOST_FAILURES} attempts or more failed in a row. The last: {outcome.problem}."
    else:
        return
    try:
        disable_endpoint(endpoint=endpoint, by=None, because=because[:400])
    except ConflictError:
        logger.info("Webhook %s was switched off by somebody else at the same time.", endpoint.pk)


def remove_old_deliveries() -> int:
    """Delete deliveries settled a month ago; returns how many."""
    settled = WebhookDelivery.objects.filter(created_at__lt=Now() - _KEPT_FOR).exclude(state__in=GOING)
    return settled.delete()[0]
