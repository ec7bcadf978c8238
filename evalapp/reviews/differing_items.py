"""Items whose reviews differ so far, to add reviewers where agreement is low."""

from django.db.models import Count, Max, Min

from evalapp.campaigns.models import AssignmentState, Campaign, Purpose
from evalapp.reviews.models import Score
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion


def comparable_criteria(campaign: Campaign) -> list[Criterion]:
    """The rubric's criteria with levels, whose answers can be compared."""
    criteria = campaign.rubric_version.criteria.filter(kind__in=answered_by("level"))
    return list(criteria.order_by("position"))


def items_that_differ(campaign: Campaign, criterion: Criterion, *, least: int) -> set[int]:
    """Ids of items with an output whose answers to the criterion differ by at least ``least``, or for a
    category differ at all. Without N/A, and without items with added assignments still to do, whose answers
    may settle the difference.
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
    """Ids of items with added assignments that are not submitted."""
    pending = campaign.assignments.filter(is_added=True).exclude(state=AssignmentState.SUBMITTED)
    return set(pending.values_list("item", flat=True))
