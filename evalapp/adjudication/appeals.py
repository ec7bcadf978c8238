"""Appeals of reviewers against change requests and adjudications, answered by another person."""

from django.db import IntegrityError, transaction
from django.db.models import Case, Q, QuerySet, When
from django.utils import timezone
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import Project, User
from evalapp.adjudication.models import Adjudication, Appeal, ComparisonAdjudication, Outcome
from evalapp.adjudication.rights import adjudicators_of, has_reviewed, why_not_adjudicate
from evalapp.adjudication.services import AdjudicatedScore, adjudicate, adjudicate_comparison
from evalapp.adjudication.subjects import Subject, reviews_about
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError, InvalidError, MissingError, NotAllowedError, StaleError
from evalapp.reviews.answers import Answer
from evalapp.reviews.change_requests import withdraw_change_request
from evalapp.reviews.models import ChangeRequest, Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.queries import NOT_YOURS
from evalapp.reviews.words import checked_words

# The subject of an appeal in forms and the API: the change request, or the adjudication, of a review with the
# key of its criterion.
REQUEST, DECISION = "request", "decision:"
COMPARISON_DECISION = "decision"
ANSWERED = "This appeal is answered already. Open it again to read the answer."

NewValue = Answer | PreferenceAnswers | None


def appeal(*, review: Review, against: str, reason: str, by: User, revision: int | None = None) -> Appeal:
    """Appeal against a change request or an adjudication on one's own review: `REQUEST`, or `DECISION` and
    the criterion's key, or for a comparison `COMPARISON_DECISION`. Raises MissingError if there is none,
    StaleError if it is no longer the ``revision`` that the reviewer read, else as `appeal_change_request`.
    """
    if against == REQUEST:
        change_request = review.change_requests.filter(resolved_at=None).first()
        if change_request is None:
            raise MissingError("No changes are requested, so there is nothing to appeal against.")
        return appeal_change_request(change_request=change_request, by=by, reason=reason)
    decision = _decision_about(review, against)
    if decision is None:
        raise MissingError("There is no decision on this yet, so there is nothing to appeal against.")
    if revision not in (None, decision.revision):
        raise StaleError(
            "The decision changed since you opened the page. Read the new one, and appeal against it if you"
            " still want to."
        )
    return appeal_decision(decision=decision, by=by, reason=reason)


def _decision_about(review: Review, against: str) -> Adjudication | ComparisonAdjudication | None:
    if review.comparison_id is not None:
        if against != COMPARISON_DECISION:
            return None
        about_comparisons = ComparisonAdjudication.objects.select_related("campaign__project", "comparison")
        return about_comparisons.filter(comparison=review.comparison_id).first()
    decisions = Adjudication.objects.select_related("criterion", "campaign__project", "item_output")
    key = against.removeprefix(DECISION)
    return decisions.filter(item_output=review.item_output_id, criterion__key=key).first()


def appeal_change_request(*, change_request: ChangeRequest, by: User, reason: str) -> Appeal:
    """Appeal against a request to change one's own review.

    Raises InvalidError without a reason, MissingError for another's review, ConflictError once it is settled
    or appealed.
    """
    review = change_request.review
    if review.reviewer_id != by.pk:
        raise MissingError(NOT_YOURS)
    if change_request.resolved_at is not None:
        raise ConflictError(
            "This is already settled: you resubmitted the review, or the request was withdrawn."
        )
    new = Appeal(
        campaign=review.campaign,
        appellant=by,
        decided_by=change_request.requested_by,
        change_request=change_request,
    )
    return _store_appeal(new, reason)


def appeal_decision(*, decision: Adjudication | ComparisonAdjudication, by: User, reason: str) -> Appeal:
    """Appeal against an adjudication on something that the person reviewed. Raises as
    `appeal_change_request`.
    """
    if not has_reviewed(by, subject_of_decision(decision)):
        raise MissingError("There is no such decision about anything that you reviewed.")
    new = Appeal(
        campaign=decision.campaign,
        appellant=by,
        decided_by=decision.decided_by,
        revision=decision.revision,
    )
    if isinstance(decision, ComparisonAdjudication):
        new.comparison_adjudication = decision
    else:
        new.adjudication = decision
    return _store_appeal(new, reason)


def _store_appeal(appeal: Appeal, reason: str) -> Appeal:
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
                    "against": appeal_subject_in_words(appeal),
                    "reason": appeal.reason,
                },
            )
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise ConflictError("You have appealed against this already; the answer appears here.") from error
    return appeal


def appeal_subject_in_words(appeal: Appeal) -> str:
    """The subject of an appeal in a few words. Reads the adjudication's criterion."""
    against = appeal.against
    if isinstance(against, ChangeRequest):
        return "the request for changes to the review"
    return f"the decision on {against.topic}"


def subject_of_decision(decision: Adjudication | ComparisonAdjudication) -> Subject:
    return decision.comparison if isinstance(decision, ComparisonAdjudication) else decision.item_output


def subject_of(appeal: Appeal) -> Subject:
    """The output or the comparison that the appeal is about."""
    against = appeal.against
    if isinstance(against, ChangeRequest):
        return against.review.subject
    return subject_of_decision(against)


def why_not_answer(*, person: User, appeal: Appeal, project: Project) -> str:
    """Why this person may not answer the appeal, in a sentence; empty if they may.

    Nobody answers about what they reviewed; the person who decided answers only if there is nobody else.
    """
    subject = subject_of(appeal)
    reason = why_not_adjudicate(person=person, campaign=appeal.campaign, subject=subject)
    if reason or appeal.decided_by_id != person.pk:
        return reason
    reviewers = reviews_about(subject).values("reviewer")
    others = adjudicators_of(project).exclude(pk=person.pk).exclude(pk__in=reviewers)
    return (
        "The appeal is against your decision, so somebody else has to answer it." if others.exists() else ""
    )


def answer_appeal(*, appeal: Appeal, by: User, outcome: str, answer: str, value: NewValue = None) -> Appeal:
    """Uphold what was decided, or change it: withdraw a change request, or revise an adjudication to
    ``value``, for a comparison a preference in its own order.

    Raises InvalidError (fields ``outcome``, ``answer``, and ``value`` or ``choice`` or ``ranks``),
    NotAllowedError as `why_not_answer`, ConflictError if it is answered already.
    """
    if appeal.answered_at is not None:
        raise ConflictError(ANSWERED)
    if reason := why_not_answer(person=by, appeal=appeal, project=appeal.campaign.project):
        raise NotAllowedError(reason)
    if outcome not in Outcome.values:
        raise InvalidError("Choose an outcome.", field="outcome")
    answer = checked_words(answer, field="answer", missing="Tell the reviewer why.")
    with transaction.atomic():
        changed = Appeal.objects.filter(pk=appeal.pk, answered_at=None).update(
            outcome=outcome, answer=answer, answered_by=by, answered_at=timezone.now()
        )
        if not changed:
            raise ConflictError(ANSWERED)
        if outcome == Outcome.CHANGED:
            _change_decision(appeal, by, answer, value)
        record(
            "appeal.answered",
            by=by,
            obj=appeal,
            project=appeal.campaign.project,
            data={"campaign": appeal.campaign_id, "outcome": outcome, "answer": answer},
        )
    appeal.refresh_from_db()
    return appeal


def _change_decision(appeal: Appeal, by: User, answer: str, value: NewValue) -> None:
    against = appeal.against
    if isinstance(against, ChangeRequest):
        # If the reviewer has resubmitted meanwhile, there is nothing left to withdraw.
        if ChangeRequest.objects.filter(pk=against.pk, resolved_at=None).exists():
            withdraw_change_request(change_request=against, by=by)
    elif isinstance(against, ComparisonAdjudication):
        _adjudicate_comparison_anew(
            ComparisonAdjudication.objects.select_related("comparison").get(pk=against.pk), by, answer, value
        )
    else:
        decisions = Adjudication.objects.select_related("criterion", "item_output")
        _adjudicate_anew(decisions.get(pk=against.pk), by, answer, value)


def _adjudicate_anew(decision: Adjudication, by: User, answer: str, value: NewValue) -> None:
    present = "na" if decision.value is None else decision.value
    if value is None or isinstance(value, PreferenceAnswers) or value == present:
        raise _unchanged_error(decision, "value")
    key = decision.criterion.key
    scores = {key: AdjudicatedScore(value, answer, decision.revision)}
    try:
        adjudicate(campaign=decision.campaign, item_output=decision.item_output, scores=scores, by=by)
    except InvalidError as error:
        texts = error.fields.get(f"{key}.value", [error.message])
        raise InvalidError(error.message, fields={"value": texts}) from error


def _adjudicate_comparison_anew(
    adjudication: ComparisonAdjudication, by: User, answer: str, value: NewValue
) -> None:
    if (
        not isinstance(value, PreferenceAnswers)
        or value.fingerprint() == adjudication.preference.fingerprint()
    ):
        raise _unchanged_error(adjudication, "choice" if adjudication.choice else "ranks")
    adjudicate_comparison(
        campaign=adjudication.campaign,
        comparison=adjudication.comparison,
        preference=value,
        reason=answer,
        revision=adjudication.revision,
        by=by,
    )


def _unchanged_error(decision: Adjudication | ComparisonAdjudication, field: str) -> InvalidError:
    return InvalidError(f"Give another value than {decision.words}, or uphold the decision.", field=field)


def appeals_of(campaign: Campaign) -> QuerySet[Appeal]:
    """All appeals of a campaign, with their subjects; page them by `WAITING_FIRST`."""
    appeals = with_subject(Appeal.objects.filter(campaign=campaign))
    return appeals.annotate(waits=Case(When(answered_at=None, then=1), default=0))


def own_appeals(review: Review, person: User) -> QuerySet[Appeal]:
    """The person's appeals on their review: against a change request, or an adjudication on its subject."""
    about_decision = (
        Q(comparison_adjudication__comparison=review.comparison_id)
        if review.comparison_id is not None
        else Q(adjudication__item_output=review.item_output_id)
    )
    about = Q(change_request__review=review) | about_decision
    return with_subject(Appeal.objects.filter(about, appellant=person))


def with_subject(appeals: QuerySet[Appeal]) -> QuerySet[Appeal]:
    """Adds the subject, also as it was before a change, and the people who decided and answered."""
    return appeals.prefetch_related(
        "adjudication__revisions", "comparison_adjudication__revisions"
    ).select_related(
        "appellant",
        "answered_by",
        "decided_by",
        "campaign__project",
        "adjudication__criterion",
        "adjudication__item_output",
        "change_request__review__item_output",
        "change_request__review__comparison",
        "comparison_adjudication__comparison",
    )
