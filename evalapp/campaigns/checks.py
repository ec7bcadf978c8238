"""Assignments that check a reviewer: gold, hidden repeats and calibration. Their results count nowhere else.

Such an assignment belongs to one person, and its rank is the number of their completed items after which it
is due. So checks come at each person's own pace, between ordinary work. When that ends, gold that is not due
never comes; repeats do, if they are far enough from the first time.
"""

# ruff: noqa: S608 - SQL is put together from constants of this code; every value is a parameter

import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Max, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from evalapp.campaigns.assignment_plan import ITEM_NAME
from evalapp.campaigns.comparisons import arrangements_of, compared_sets, work_of_campaign
from evalapp.campaigns.models import (
    Assignment,
    AssignmentState,
    Campaign,
    CampaignReviewer,
    Item,
    Method,
    Purpose,
)
from evalapp.campaigns.repeats import NEAREST, checks_expected, is_repeated, repeat_distance
from evalapp.core.errors import InvalidError

# Counting more would be slow, and a difference of two no longer matters.
_COUNTED = 200
# Above the number of any ordinary assignment of an item.
_REPEAT_NUMBERS = 1_000

_ANSWERED = """
    e.version_id = %(version)s AND e.split = %(split)s AND NOT EXISTS (
        SELECT 1 FROM evalapp_campaigncandidate c WHERE c.campaign_id = %(campaign)s AND NOT EXISTS (
            SELECT 1 FROM evalapp_output o
            WHERE o.candidate_id = c.model_version_id AND o.example_id = e.id AND o.sample_index = 0))
    AND NOT EXISTS (SELECT 1 FROM evalapp_item i WHERE i.campaign_id = %(campaign)s AND i.example_id = e.id)
"""

_GOLD_ITEMS = f"""
INSERT INTO evalapp_item (campaign_id, example_id, overlap, purpose, created_at)
SELECT %(campaign)s, e.id, 1, 'gold', now() FROM evalapp_example e
WHERE {_ANSWERED} AND EXISTS (
    SELECT 1 FROM {{table}} g WHERE g.campaign_id = %(campaign)s AND g.example_id = e.id)
ORDER BY e.row_number
"""

_CALIBRATION_ITEMS = f"""
INSERT INTO evalapp_item (campaign_id, example_id, overlap, purpose, created_at)
SELECT %(campaign)s, e.id, 1, 'calibration', now() FROM evalapp_example e
WHERE {_ANSWERED} ORDER BY md5(%(seed)s || ':calibration:' || e.row_number) LIMIT %(wanted)s
"""

# What an assignment is made of: the item's outputs, or its comparisons.
_OUTPUTS = f"""
    SELECT array_agg(o.id ORDER BY md5(
        %(seed)s || ':check:' || {ITEM_NAME} || ':' || wanted.number || ':' || c.position))
    FROM evalapp_itemoutput o JOIN evalapp_campaigncandidate c ON c.id = o.candidate_id
    WHERE o.item_id = wanted.item_id
"""
_COMPARISONS = f"""
    SELECT array_agg(c.id ORDER BY md5(
        %(seed)s || ':check:' || {ITEM_NAME} || ':' || wanted.number || ':' || c.number))
    FROM evalapp_comparison c WHERE c.item_id = wanted.item_id
"""
_ASSIGNMENTS = """
INSERT INTO evalapp_assignment (item_id, campaign_id, number, key, rank, state, assigned_to_id, is_added,
    purpose,
                           arrangement, outputs_order, open_slots, outputs_total, reviews_done, created_at)
SELECT item_id, %(campaign)s, number, gen_random_uuid(), due, 'available', person, false, purpose,
    arrangement,
       outputs, ARRAY(SELECT generate_series(0, cardinality(outputs) - 1)), cardinality(outputs), 0, now()
FROM (
    SELECT wanted.*, ({outputs}) AS outputs
    FROM unnest(%(items)s::bigint[], %(numbers)s::int[], %(people)s::bigint[], %(dues)s::int[],
                %(purposes)s::text[], %(arrangements)s::int[])
        AS wanted(item_id, number, person, due, purpose, arrangement)
    JOIN evalapp_item i ON i.id = wanted.item_id JOIN evalapp_example e ON e.id = i.example_id
) AS made
ON CONFLICT DO NOTHING
"""


class CheckAssignment(NamedTuple):
    """An assignment to create. ``due``: after this many ordinary items of the person. ``arrangement``: as in
    `Assignment`, for comparisons.
    """

    item_id: int
    number: int
    user_id: int
    due: int
    purpose: str
    arrangement: int = 0


def insert_check_items(*, campaign: Campaign) -> None:
    """Create the gold and calibration items, before the others are drawn.

    Raises InvalidError if one lacks an output, or there are too few examples.
    """
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "version": campaign.dataset_version_id,
        "split": campaign.split,
        "seed": str(campaign.seed),
    }
    if campaign.gold_share:
        _require_gold(campaign)
        with connection.cursor() as cursor:
            cursor.execute(_GOLD_ITEMS.format(table=known_answers(campaign).model._meta.db_table), parameters)
            made = int(cursor.rowcount)
        wanted = gold_examples(campaign)
        if made != wanted:
            raise InvalidError(
                f"{wanted - made} of the {wanted} gold examples are not in this data and split, or lack an "
                "answer of a candidate. Remove them from the gold list, or generate the answers."
            )
    if campaign.calibration_items:
        add_calibration_items(campaign=campaign, wanted=campaign.calibration_items)


def known_answers(campaign: Campaign) -> QuerySet[Any]:
    """The campaign's known answers: to criteria, or preferences in campaigns that compare outputs."""
    return campaign.gold_preferences.all() if campaign.compares else campaign.gold_answers.all()


def gold_examples(campaign: Campaign) -> int:
    """The number of examples used as gold; 0 if the campaign has no gold share."""
    return known_answers(campaign).values("example").distinct().count() if campaign.gold_share else 0


def _require_gold(campaign: Campaign) -> None:
    if not known_answers(campaign).exists():
        raise InvalidError(
            f"{campaign.gold_share}% of the work should be gold, but there are no known answers yet. Enter"
            " some on the gold page, or set the share to 0."
        )
    if campaign.compares:
        _require_compared(campaign)
    elif campaign.gold_answers.exclude(criterion__version=campaign.rubric_version_id).exists():
        raise InvalidError(
            "Some gold answers belong to another version of the rubric. Enter them again for this one."
        )


def _require_compared(campaign: Campaign) -> None:
    """Raise InvalidError for gold preferences that the current design does not compare."""
    compared = compared_sets(campaign)
    is_ranking = campaign.method == Method.RANKING
    for candidate, against in campaign.gold_preferences.values_list("candidate", "against"):
        is_met = (
            any(candidate in each for each in compared) if is_ranking else {candidate, against} in compared
        )
        if not is_met or is_ranking != (against is None):
            raise InvalidError(
                "Some known preferences name candidates that this design does not compare. Remove them from"
                " the gold list, or edit the design."
            )


def add_calibration_items(*, campaign: Campaign, wanted: int) -> list[int]:
    """Draw items for a calibration round; returns their ids. Raises InvalidError with too few examples."""
    before = set(campaign.items.filter(purpose=Purpose.CALIBRATION).values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            _CALIBRATION_ITEMS,
            {
                "campaign": campaign.pk,
                "version": campaign.dataset_version_id,
                "split": campaign.split,
                "seed": str(campaign.seed),
                "wanted": wanted,
            },
        )
        made = int(cursor.rowcount)
    if made < wanted:
        raise InvalidError(
            f"{made} examples are left for calibration; {wanted} are wanted. Choose fewer.",
            field="calibration_items",
        )
    present = Item.objects.filter(campaign=campaign, purpose=Purpose.CALIBRATION)
    return sorted(set(present.values_list("pk", flat=True)) - before)


def insert_checks(*, campaign: Campaign) -> int:
    """Create the missing gold and calibration assignments of campaign reviewers, also of later ones; returns
    their number.
    """
    items = list(
        campaign.items.exclude(purpose=Purpose.REVIEW)
        .order_by("example__row_number")
        .values_list("pk", "purpose")
    )
    if not items:
        return 0
    gold = [pk for pk, purpose in items if purpose == Purpose.GOLD]
    calibration = [pk for pk, purpose in items if purpose == Purpose.CALIBRATION]
    campaign_reviewers = list(campaign.reviewers.order_by("pk"))
    wanted = [
        assignment
        for number, campaign_reviewer in enumerate(campaign_reviewers, start=1)
        if campaign_reviewer.left_at is None
        for assignment in _assignments_for(campaign, campaign_reviewer, number, gold, calibration)
    ]
    return _insert_checks(campaign, _with_arrangements(campaign, wanted) if campaign.compares else wanted)


def _assignments_for(
    campaign: Campaign,
    campaign_reviewer: CampaignReviewer,
    number: int,
    gold: Sequence[int],
    calibration: Sequence[int],
) -> Iterable[CheckAssignment]:
    draw = random.Random(f"{campaign.seed}:gold:{number}")
    order = draw.sample(list(gold), len(gold))
    # One in every 100/share items, at a random place among them.
    stretch = 100 / campaign.gold_share if campaign.gold_share else 0
    for position, item in enumerate(order):
        due = max(1, round((position + draw.random()) * stretch))
        yield CheckAssignment(item, number, campaign_reviewer.user_id, due, Purpose.GOLD)
    if campaign_reviewer.admitted_at is None:
        for position, item in enumerate(calibration):
            yield CheckAssignment(
                item, number, campaign_reviewer.user_id, position - len(calibration), Purpose.CALIBRATION
            )


def _with_arrangements(campaign: Campaign, wanted: Sequence[CheckAssignment]) -> list[CheckAssignment]:
    """The assignments with arrangements: starting at random for each item and rotated from reviewer to
    reviewer, so that no output keeps a position.
    """
    width = arrangements_of(campaign)
    items = campaign.items.exclude(purpose=Purpose.REVIEW)
    begins = {
        item: random.Random(f"{campaign.seed}:turn:{row}").randrange(width)
        for item, row in items.values_list("pk", "example__row_number")
    }
    return [
        assignment._replace(arrangement=(begins[assignment.item_id] + assignment.number) % width)
        for assignment in wanted
    ]


def _insert_checks(campaign: Campaign, wanted: Sequence[CheckAssignment]) -> int:
    outputs = _COMPARISONS if campaign.compares else _OUTPUTS
    with connection.cursor() as cursor:
        cursor.execute(
            _ASSIGNMENTS.format(outputs=outputs),
            {
                "campaign": campaign.pk,
                "seed": str(campaign.seed),
                "items": [assignment.item_id for assignment in wanted],
                "numbers": [assignment.number for assignment in wanted],
                "people": [assignment.user_id for assignment in wanted],
                "dues": [assignment.due for assignment in wanted],
                "purposes": [str(assignment.purpose) for assignment in wanted],
                "arrangements": [assignment.arrangement for assignment in wanted],
            },
        )
        return int(cursor.rowcount)


def plan_repeat(*, assignment: Assignment, campaign_reviewer: CampaignReviewer) -> bool:
    """Let the reviewer see an assignment's item once more, if the draw says so. Call it in the transaction
    that stores a review of the assignment; only for complete assignments reviewed by this person alone.

    Comparisons are shown in another arrangement, pairs the other way round, to distinguish a preference for a
    side from one for an output.
    """
    campaign = assignment.campaign
    if not campaign.repeat_share or assignment.purpose != Purpose.REVIEW:
        return False
    if assignment.reviews.filter(reviewer=campaign_reviewer.user_id).count() < assignment.outputs_total:
        return False
    reviews_done = CampaignReviewer.objects.values_list("reviews_done", flat=True).get(
        pk=campaign_reviewer.pk
    )
    done = reviews_done // campaign.reviews_per_assignment
    position = _assignments_complete(campaign, campaign_reviewer) if done <= _COUNTED else done
    campaign_reviewer_number = campaign.reviewers.filter(pk__lte=campaign_reviewer.pk).count()
    if not is_repeated(position, campaign.repeat_share, seed=f"{campaign.seed}:{campaign_reviewer_number}"):
        return False
    draw = random.Random(f"{campaign.seed}:repeat:{assignment.item.example.row_number}:{assignment.number}")
    due = done + repeat_distance(_items_left(campaign, campaign_reviewer, done), draw=draw)
    number = _REPEAT_NUMBERS + assignment.number
    arrangement = 0
    if campaign.compares:
        width = arrangements_of(campaign)
        arrangement = (assignment.arrangement + draw.randrange(1, width)) % width
    repeat = CheckAssignment(
        assignment.item_id, number, campaign_reviewer.user_id, due, Purpose.REPEAT, arrangement
    )
    return _insert_checks(campaign, [repeat]) == 1


def _assignments_complete(campaign: Campaign, campaign_reviewer: CampaignReviewer) -> int:
    return campaign.assignments.filter(
        reviewer=campaign_reviewer.user_id, purpose=Purpose.REVIEW, state=AssignmentState.SUBMITTED
    ).count()


def _items_left(campaign: Campaign, campaign_reviewer: CampaignReviewer, done: int) -> int:
    """The estimated number of further items for this person: an even share of the rest, within their
    quota.
    """
    campaign_reviewers = campaign.reviewers.aggregate(
        given=Coalesce(Sum("reviews_done"), 0), people=Count("pk", filter=Q(left_at=None))
    )
    reviews = (campaign.reviews_total - campaign_reviewers["given"]) / max(1, campaign_reviewers["people"])
    left: int = round(reviews / campaign.reviews_per_assignment)
    quota = campaign_reviewer.quota if campaign_reviewer.quota is not None else campaign.quota
    return max(0, left if quota is None else min(left, quota - done))


def make_repeats_due(*, campaign: Campaign, campaign_reviewer: CampaignReviewer) -> int:
    """Make waiting repeats of a person due now, because their other work has ended; returns their number.
    Repeats that are too close to their first time still wait.
    """
    waiting = campaign.assignments.filter(
        assigned_to=campaign_reviewer.user_id, state=AssignmentState.AVAILABLE, purpose=Purpose.REPEAT
    )
    given = campaign.reviews.filter(reviewer=campaign_reviewer.user_id)
    ripe = []
    for assignment in waiting.order_by("rank")[:_COUNTED]:
        latest = given.filter(assignment__item=assignment.item_id).aggregate(latest=Max("pk"))["latest"]
        since = given.filter(pk__gt=latest).values("assignment__item").distinct().count()
        if since >= NEAREST:
            ripe.append(assignment.pk)
    due = campaign_reviewer.reviews_done // campaign.reviews_per_assignment
    return int(
        campaign.assignments.filter(pk__in=ripe, state=AssignmentState.AVAILABLE, rank__gt=due).update(
            rank=due
        )
    )


def checks_wanted(campaign: Campaign) -> int:
    """The estimated total number of check reviews. A reviewer's total includes it from the start, so that it
    never changes by a check of theirs.
    """
    assignments = campaign.assignments.filter(purpose=Purpose.REVIEW).count()
    people = campaign.reviewers.filter(left_at=None).count()
    of_purpose = {
        purpose: campaign.items.filter(purpose=purpose).count()
        for purpose in (Purpose.GOLD, Purpose.CALIBRATION)
    }
    expected = checks_expected(
        assignments,
        people,
        gold_share=campaign.gold_share,
        gold_items=of_purpose[Purpose.GOLD],
        repeat_share=campaign.repeat_share,
        calibration_items=of_purpose[Purpose.CALIBRATION],
    )
    return expected * work_of_campaign(campaign).times
