"""Writes of adjudications, which are stored beside the reviews and never made by their reviewers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from django.db import IntegrityError, transaction
from django.utils import timezone
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import User
from evalapp.adjudication.models import Adjudication, ComparisonAdjudication
from evalapp.adjudication.rights import require_may_adjudicate
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput, Purpose
from evalapp.core.errors import ConflictError, InvalidError, StaleError
from evalapp.reviews.answers import Answer
from evalapp.reviews.models import Review, Score
from evalapp.reviews.preferences.answers import PreferenceAnswers, check_preference
from evalapp.reviews.preferences.distance import given_preferences
from evalapp.reviews.words import checked_words
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion

REASON_MISSING = "Give a reason that the reviewers can follow."


@dataclass(frozen=True)
class AdjudicatedScore:
    """An adjudication of one criterion. ``value``: a level, "na", or None if none was chosen; ``revision``:
    of the adjudication that it replaces, 0 for the first.
    """

    value: Answer | None
    reason: str
    revision: int = 0


def adjudicate(
    *, campaign: Campaign, item_output: ItemOutput, scores: Mapping[str, AdjudicatedScore], by: User
) -> list[Adjudication]:
    """Adjudicate criteria (by key) of one output, all or none; earlier values are kept.

    A score that changes nothing writes nothing. Raises InvalidError with fields ``<key>.value`` and
    ``<key>.reason`` (``criterion`` for an unknown one), NotAllowedError for people who reviewed the output or
    still review in the campaign, ConflictError if reviewers do not differ, StaleError if somebody else
    adjudicated meanwhile.
    """
    require_may_adjudicate(person=by, campaign=campaign, subject=item_output)
    criteria = {each.key: each for each in Criterion.objects.filter(version=campaign.rubric_version_id)}
    problems: dict[str, list[str]] = {}
    for key, score in scores.items():
        if key not in criteria or not criteria[key].levels:
            raise InvalidError("This rubric has no criterion with levels under that key.", field="criterion")
        problems |= _problems_of_score(criteria[key], score)
    _raise_if_any(problems)
    with transaction.atomic():
        return [
            _adjudicate_criterion(campaign, item_output, criteria[key], score, by)
            for key, score in scores.items()
        ]


def _problems_of_score(criterion: Criterion, score: AdjudicatedScore) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    value = score.value
    name = f"{criterion.key}.value"
    if value is None:
        found[name] = [f"Choose a value for {criterion.name}."]
    elif value == NOT_APPLICABLE:
        if not criterion.allows_not_applicable:
            found[name] = [f"{criterion.name} cannot be “not applicable”. Give it a value."]
    elif criterion.rules.level_of(value) not in criterion.levels:
        allowed = f"{criterion.level_words(criterion.minimum)} to {criterion.level_words(criterion.maximum)}"
        found[name] = [f"{criterion.name} is {allowed}."]
    return found | _problems_from(
        checked_words, score.reason, field=f"{criterion.key}.reason", missing=REASON_MISSING
    )


def _adjudicate_criterion(
    campaign: Campaign, item_output: ItemOutput, criterion: Criterion, score: AdjudicatedScore, by: User
) -> Adjudication:
    value = None if score.value == NOT_APPLICABLE else criterion.rules.level_of(score.value)
    new = Adjudication(
        campaign=campaign,
        item_output=item_output,
        criterion=criterion,
        value=value,
        is_not_applicable=value is None,
        minimum=criterion.minimum,
        maximum=criterion.maximum,
        reason=checked_words(score.reason, field="reason", missing=REASON_MISSING),
    )
    return _store_decision(new, score.revision, by)


def adjudicate_comparison(
    *,
    campaign: Campaign,
    comparison: Comparison,
    preference: PreferenceAnswers,
    reason: str,
    revision: int = 0,
    by: User,
) -> ComparisonAdjudication:
    """Adjudicate a comparison on which preferences differ; ``preference`` is of its outputs in its own order.

    Earlier values are kept; one that changes nothing writes nothing. ``revision``: the one that it replaces,
    0 for the first. Raises InvalidError with fields ``choice``, ``ranks`` and ``reason``, NotAllowedError for
    people who reviewed it or still review in the campaign, ConflictError if preferences do not differ,
    StaleError if somebody else adjudicated meanwhile.
    """
    require_may_adjudicate(person=by, campaign=campaign, subject=comparison)
    _raise_if_any(
        _problems_from(check_preference, preference, outputs=len(comparison.outputs))
        | _problems_from(checked_words, reason, field="reason", missing=REASON_MISSING)
    )
    new = ComparisonAdjudication(
        campaign=campaign,
        comparison=comparison,
        outputs=comparison.outputs,
        choice=preference.choice,
        ranks=(
            cast(list[int], list(preference.ranks)) if preference.ranks else None
        ),  # checked: none is missing
        reason=checked_words(reason, field="reason", missing=REASON_MISSING),
    )
    with transaction.atomic():
        return _store_decision(new, revision, by)


def _problems_from(check: Callable[..., object], *given: object, **named: object) -> dict[str, list[str]]:
    """The fields that a check refuses, with the reasons."""
    try:
        check(*given, **named)
    except InvalidError as error:
        return dict(error.fields)
    return {}


def _raise_if_any(problems: dict[str, list[str]]) -> None:
    if problems:
        first = next(iter(problems.values()))[0]
        raise InvalidError(f"Nothing was decided: {first}", fields=problems)


Decision = TypeVar("Decision", Adjudication, ComparisonAdjudication)


def _store_decision(new: Decision, revision: int, by: User) -> Decision:
    """Store ``new`` as the first adjudication of its subject, or as the next revision."""
    about = {name: getattr(new, name) for name in new.IDENTITY}
    stored = type(new).objects.select_for_update(of=("self",)).filter(**about).first()
    if stored is None:
        if revision:
            raise _stale_error(new)
        return _store_first(new, by)
    if all(getattr(stored, name) == getattr(new, name) for name in (*new.SAYS, "reason")):
        return stored
    if stored.revision != revision:
        raise _stale_error(new)
    return _revise(stored, new, by)


def _store_first(decision: Decision, by: User) -> Decision:
    if not _is_disputed(decision):
        raise ConflictError(f"The reviewers do not differ on {decision.topic}; there is nothing to decide.")
    decision.decided_by, decision.decided_at = by, timezone.now()
    try:
        with transaction.atomic():
            decision.save(force_insert=True)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise _stale_error(decision) from error
    _record_decision("adjudication.decided", decision, by)
    return decision


def _is_disputed(decision: Adjudication | ComparisonAdjudication) -> bool:
    if isinstance(decision, ComparisonAdjudication):
        preferences = given_preferences(Review.objects.filter(comparison=decision.comparison))
        return len({each.turned.fingerprint() for each in preferences}) > 1
    given = Score.objects.filter(
        review__item_output=decision.item_output,
        review__purpose=Purpose.REVIEW,
        criterion=decision.criterion,
    )
    return len(set(given.values_list("value", flat=True))) > 1


def _revise(decision: Decision, new: Decision, by: User) -> Decision:
    before = decision.recorded["value"]
    kept = (*new.KEPT, "revision", "reason", "decided_by", "decided_at")
    decision.revisions.create(**{name: getattr(decision, name) for name in kept})
    for name in new.SAYS:
        setattr(decision, name, getattr(new, name))
    decision.reason = new.reason
    decision.revision += 1
    decision.decided_by, decision.decided_at = by, timezone.now()
    decision.save(update_fields=[*new.SAYS, "reason", "revision", "decided_by", "decided_at"])
    _record_decision("adjudication.revised", decision, by, before=before)
    return decision


def _record_decision(
    action: str, decision: Adjudication | ComparisonAdjudication, by: User, **more: object
) -> None:
    data = {"campaign": decision.campaign_id, **decision.recorded, "revision": decision.revision, **more}
    record(action, by=by, obj=decision, project=decision.campaign.project, data=data)


def _stale_error(decision: Adjudication | ComparisonAdjudication) -> StaleError:
    return StaleError(
        f"Somebody else decided on {decision.topic} since you opened this page. Reload it, compare, and"
        " decide again if you still want to."
    )
