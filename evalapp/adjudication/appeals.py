"""Appeals: a reviewer does not agree, and somebody else than who decided looks at it again."""

from django.db import IntegrityError, transaction
from django.db.models import Case, QuerySet, When
from django.utils import timezone
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import Project, User
from evalapp.adjudication.models import Adjudication, Appeal, Outcome
from evalapp.adjudication.rights import adjudicators_of, why_not_adjudicate
from evalapp.adjudication.services import Ruling, adjudicate
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.core.errors import ConflictError, InvalidError, MissingError, NotAllowedError
from evalapp.reviews.models import Review, SendBack
from evalapp.reviews.send_backs import withdraw_send_back
from evalapp.reviews.words import checked_words

# What an appeal is against, as forms and programs say it: the request, or the decision on a criterion.
REQUEST, DECISION = "request", "decision:"
ANSWERED = "This appeal is answered already. Open it again to read the answer."


def appeal(*, review: Review, against: str, reason: str, by: User) -> Appeal:
    """Appeal against what was asked or decided about one's own review: `REQUEST`, or `DECISION` and the
    criterion's key. Raises MissingError where there is no such thing, else as `appeal_send_back`.
    """
    if against == REQUEST:
        sent = review.send_backs.filter(resolved_at=None).first()
        if sent is None:
            raise MissingError("This review is not sent back, so there is nothing to appeal against.")
        sent.review = review
        return appeal_send_back(sent=sent, by=by, reason=reason)
    decisions = Adjudication.objects.select_related("criterion", "campaign__project")
    key = against.removeprefix(DECISION)
    decision = decisions.filter(item_output=review.item_output_id, criterion__key=key).first()
    if decision is None:
        raise MissingError("Nothing is decided on this criterion, so there is nothing to appeal against.")
    return appeal_adjudication(decision=decision, by=by, reason=reason)


def appeal_send_back(*, sent: SendBack, by: User, reason: str) -> Appeal:
    """Their own review was sent back and they stand by it.

    Raises InvalidError without a reason, MissingError for another's, ConflictError once it is settled, or
    where they appealed already.
    """
    if sent.review.reviewer_id != by.pk:
        raise MissingError("There is no such review, or it is not yours.")
    if sent.resolved_at is not None:
        raise ConflictError(
            "This is settled already: you resubmitted the review, or the request was withdrawn."
        )
    return _open(
        Appeal(campaign=sent.review.campaign, appellant=by, send_back=sent, decided_by=sent.sent_by), reason
    )


def appeal_adjudication(*, decision: Adjudication, by: User, reason: str) -> Appeal:
    """An output that they reviewed was decided on, and they do not agree. Raises as `appeal_send_back`."""
    if not Review.objects.filter(item_output=decision.item_output_id, reviewer=by).exists():
        raise MissingError("There is no such decision about a review of yours.")
    new = Appeal(
        campaign=decision.campaign,
        appellant=by,
        adjudication=decision,
        decided_by=decision.decided_by,
        revision=decision.revision,
    )
    return _open(new, reason)


def _open(appeal: Appeal, reason: str) -> Appeal:
    appeal.reason = checked_words(reason, field="reason", missing="Say why you do not agree.")
    try:
        with transaction.atomic():
            appeal.save(force_insert=True)
            record(
                "appeal.opened",
                by=appeal.appellant,
                obj=appeal,
                project=appeal.campaign.project,
                data={
                    "campaign": appeal.campaign_id,
                    "against": against_words(appeal),
                    "reason": appeal.reason,
                },
            )
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError("You have appealed against this already; the answer appears here.") from error
    return appeal


def against_words(appeal: Appeal) -> str:
    """What an appeal is about, in a few words. Reads the adjudication's criterion."""
    if appeal.adjudication is None:
        return "sending back the review"
    return f"the decision on {appeal.adjudication.criterion.name}"


def output_of(appeal: Appeal) -> ItemOutput:
    if appeal.adjudication is not None:
        return appeal.adjudication.item_output
    assert appeal.send_back is not None  # noqa: S101 - an appeal is against one of the two
    return appeal.send_back.review.item_output


def why_not_answer(*, person: User, appeal: Appeal, project: Project) -> str:
    """Why this person may not answer the appeal, in a sentence; empty where they may.

    Nobody answers about an output that they reviewed; who decided answers only where there is nobody else.
    """
    item_output = output_of(appeal)
    reason = why_not_adjudicate(person=person, campaign=appeal.campaign, item_output=item_output)
    if reason or appeal.decided_by_id != person.pk:
        return reason
    reviewers = Review.objects.filter(item_output=item_output).values("reviewer")
    others = adjudicators_of(project).exclude(pk=person.pk).exclude(pk__in=reviewers)
    return (
        "The appeal is against what you decided, so somebody else has to answer." if others.exists() else ""
    )


def answer_appeal(
    *, appeal: Appeal, by: User, outcome: str, answer: str, value: int | str | None = None
) -> Appeal:
    """Uphold what was decided, or change it: a send-back is withdrawn, an adjudication revised to ``value``.

    Raises InvalidError (fields ``outcome``, ``answer``, ``value``), NotAllowedError as `why_not_answer`,
    ConflictError where it is answered already.
    """
    if appeal.answered_at is not None:
        raise ConflictError(ANSWERED)
    if reason := why_not_answer(person=by, appeal=appeal, project=appeal.campaign.project):
        raise NotAllowedError(reason)
    if outcome not in Outcome.values:
        raise InvalidError("Say what comes of it.", fields={"outcome": ["Say what comes of it."]})
    answer = checked_words(answer, field="answer", missing="Tell the reviewer why.")
    with transaction.atomic():
        changed = Appeal.objects.filter(pk=appeal.pk, answered_at=None).update(
            outcome=outcome, answer=answer, answered_by=by, answered_at=timezone.now()
        )
        if not changed:
            raise ConflictError(ANSWERED)
        if outcome == Outcome.CHANGED:
            _change(appeal, by, answer, value)
        record(
            "appeal.answered",
            by=by,
            obj=appeal,
            project=appeal.campaign.project,
            data={"campaign": appeal.campaign_id, "outcome": outcome, "answer": answer},
        )
    appeal.refresh_from_db()
    return appeal


def _change(appeal: Appeal, by: User, answer: str, value: int | str | None) -> None:
    if appeal.send_back is not None:
        # The reviewer may have resubmitted meanwhile; then there is nothing left to withdraw.
        if SendBack.objects.filter(pk=appeal.send_back.pk, resolved_at=None).exists():
            withdraw_send_back(sent=appeal.send_back, by=by)
        return
    assert appeal.adjudication is not None  # noqa: S101 - an appeal is against one of the two
    decisions = Adjudication.objects.select_related("criterion", "item_output")
    decision = decisions.get(pk=appeal.adjudication.pk)
    present = "na" if decision.value is None else decision.value
    if value is None or value == present:
        message = f"Give another value than {decision.words}, or uphold the decision."
        raise InvalidError(message, fields={"value": [message]})
    ruling = Ruling(value, answer, decision.revision)
    try:
        adjudicate(
            campaign=appeal.campaign,
            item_output=decision.item_output,
            rulings={decision.criterion.key: ruling},
            by=by,
        )
    except InvalidError as error:
        texts = error.fields.get(f"{decision.criterion.key}.value", [error.message])
        raise InvalidError(error.message, fields={"value": texts}) from error


def appeals_of(campaign: Campaign) -> QuerySet[Appeal]:
    """All of a campaign's, with what they are about; page them by `WAITING_FIRST`."""
    appeals = with_subject(Appeal.objects.filter(campaign=campaign))
    return appeals.annotate(waits=Case(When(answered_at=None, then=1), default=0))


def with_subject(appeals: QuerySet[Appeal]) -> QuerySet[Appeal]:
    """Adds what they are about, who decided it and who answered."""
    return appeals.select_related(
        "appellant",
        "answered_by",
        "decided_by",
        "campaign__project",
        "adjudication__criterion",
        "adjudication__item_output",
        "send_back__review__item_output",
    )
