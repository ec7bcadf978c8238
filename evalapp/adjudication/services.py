"""Writes of adjudications: beside the originals, never over them, and never by who gave one."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from psycopg.errors import UniqueViolation

from evalapp.accounts.models import User
from evalapp.adjudication.models import Adjudication, AdjudicationRevision
from evalapp.adjudication.rights import require_may_adjudicate
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, ItemOutput, Purpose
from evalapp.core.errors import ConflictError, InvalidError, StaleError
from evalapp.reviews.models import Score
from evalapp.reviews.words import checked_words
from evalapp.rubrics.fields import NOT_APPLICABLE
from evalapp.rubrics.models import Criterion

WHY = "Say why, so that the reviewers can follow it."


@dataclass(frozen=True)
class Ruling:
    """What is decided on one criterion. ``value``: a level, "na", or None where none was chosen;
    ``revision``: of the decision that it replaces, 0 for the first.
    """

    value: int | str | None
    reason: str
    revision: int = 0


def adjudicate(
    *, campaign: Campaign, item_output: ItemOutput, rulings: Mapping[str, Ruling], by: User
) -> list[Adjudication]:
    """Decide criteria (by key) of one output, all or none; what a decision said before is kept.

    A ruling that changes nothing writes nothing. Raises InvalidError with fields ``<key>.value`` and
    ``<key>.reason`` (``criterion`` for an unknown one), NotAllowedError for who reviewed the output or still reviews in the campaign,
    ConflictError where reviewers do not differ, StaleError where somebody else decided meanwhile.
    """
    require_may_adjudicate(person=by, campaign=campaign, item_output=item_output)
    criteria = {each.key: each for each in Criterion.objects.filter(version=campaign.rubric_version_id)}
    problems: dict[str, list[str]] = {}
    for key, ruling in rulings.items():
        if key not in criteria or not criteria[key].levels:
            message = "This rubric has no such criterion with levels to decide on."
            raise InvalidError(message, fields={"criterion": [message]})
        problems |= _problems(criteria[key], ruling)
    if problems:
        first = next(iter(problems.values()))[0]
        raise InvalidError(f"Nothing was decided: {first}", fields=problems)
    with transaction.atomic():
        return [_decide(campaign, item_output, criteria[key], ruling, by) for key, ruling in rulings.items()]


def _problems(criterion: Criterion, ruling: Ruling) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    value = ruling.value
    name = f"{criterion.key}.value"
    if value is None:
        found[name] = [f"Choose what {criterion.name} is."]
    elif value == NOT_APPLICABLE:
        if not criterion.allows_not_applicable:
            found[name] = [f"{criterion.name} cannot be “not applicable”. Give it a value."]
    elif isinstance(value, bool) or not isinstance(value, int) or value not in criterion.levels:
        allowed = f"{criterion.level_words(criterion.minimum)} to {criterion.level_words(criterion.maximum)}"
        found[name] = [f"{criterion.name} is {allowed}."]
    try:
        checked_words(ruling.reason, field=f"{criterion.key}.reason", missing=WHY)
    except InvalidError as error:
        found |= error.fields
    return found


def _decide(
    campaign: Campaign, item_output: ItemOutput, criterion: Criterion, ruling: Ruling, by: User
) -> Adjudication:
    value = None if ruling.value == NOT_APPLICABLE else int(ruling.value or 0)
    reason = checked_words(ruling.reason, field="reason", missing=WHY)
    decisions = Adjudication.objects.select_for_update(of=("self",))
    stored = decisions.filter(item_output=item_output, criterion=criterion).first()
    if stored is None:
        if ruling.revision:
            raise _stale(criterion)
        new = Adjudication(
            campaign=campaign, item_output=item_output, criterion=criterion, value=value, reason=reason
        )
        return _first(new, by)
    if (stored.value, stored.reason) == (value, reason):
        return stored
    if stored.revision != ruling.revision:
        raise _stale(criterion)
    return _revise(stored, value, reason, by)


def _first(decision: Adjudication, by: User) -> Adjudication:
    criterion = decision.criterion
    given = Score.objects.filter(
        review__item_output=decision.item_output, review__purpose=Purpose.REVIEW, criterion=criterion
    )
    if len(set(given.values_list("value", flat=True))) < 2:
        raise ConflictError(
            f"The reviewers of this output do not differ on {criterion.name}; there is nothing to decide."
        )
    decision.is_not_applicable = decision.value is None
    decision.minimum, decision.maximum = criterion.minimum, criterion.maximum
    decision.decided_by, decision.decided_at = by, timezone.now()
    try:
        with transaction.atomic():
            decision.save(force_insert=True)
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise _stale(criterion) from error
    _tell("adjudication.decided", decision, by, before=None)
    return decision


def _revise(decision: Adjudication, value: int | None, reason: str, by: User) -> Adjudication:
    before = decision.value
    AdjudicationRevision.objects.create(
        adjudication=decision,
        revision=decision.revision,
        value=decision.value,
        reason=decision.reason,
        decided_by=decision.decided_by,
        decided_at=decision.decided_at,
    )
    decision.value, decision.is_not_applicable, decision.reason = value, value is None, reason
    decision.revision += 1
    decision.decided_by, decision.decided_at = by, timezone.now()
    decision.save(
        update_fields=["value", "is_not_applicable", "reason", "revision", "decided_by", "decided_at"]
    )
    _tell("adjudication.revised", decision, by, before=before)
    return decision


def _tell(action: str, decision: Adjudication, by: User, *, before: int | None) -> None:
    data = {
        "campaign": decision.campaign_id,
        "item_output": decision.item_output_id,
        "criterion": decision.criterion.key,
        "value": decision.value,
        "revision": decision.revision,
    }
    if decision.revision > 1:
        data["before"] = before
    record(action, by=by, obj=decision, project=decision.campaign.project, data=data)


def _stale(criterion: Criterion) -> StaleError:
    return StaleError(
        f"Somebody else decided on {criterion.name} since you opened this page. Open it again, compare, and "
        "decide anew if you still want to."
    )
