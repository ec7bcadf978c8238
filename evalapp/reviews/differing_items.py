"""Items whose reviews so far differ, for more reviewers where agreement is low."""

from django.db.models import Count, Max, Min

from evalapp.campaigns.models import AssignmentState, Campaign, Purpose
from evalapp.reviews.models import Score
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion


def comparable_criteria(campaign: Campaign) -> list[Criterion]:
    """The rubric's criteria of which two answers can differ by a number, or at all."""
    criteria = campaign.rubric_version.criteria.filter(kind__in=answered_by("level"))
    return list(criteria.order_by("position"))


def items_that_differ(campaign: Campaign, criterion: Criterion, *, least: int) -> set[int]:
    """Items with an output whose answers to the criterion lie at least ``least`` apart; of a category,
    whose answers differ. N/A is left out, and so are items with added assignments still to be done: their
    answers may settle it.
    """
    scores = Score.objects.filter(
        review__campaign=campaign, review__purpose=Purpose.REVIEW, criterion=criterion, value__isnull=False
    )
    by_output = scores.values("review__item_output", "review__item_output__item").order_by()
    if not criterion.rules.has_order:
        differing = by_output.annotate(apart=Count("value", distinct=True) - 1).filter(apart__gt=0)
    else:
        differing = by_output.annotate(apart=Max("value") - Min("value")).filter(apart__gte=least)
    return set(differing.values_list("review__item_output__item", flat=True)) - items_waiting(campaign)


def items_waiting(campaign: Campaign) -> set[int]:
    """Items with assignments that were added and are still to be done."""
    pending = campaign.assignments.filter(is_added=True).exclude(state=AssignmentState.SUBMITTED)
    return set(pending.values_list("item", flat=True))
