"""Turns that check a reviewer: gold, hidden repeats and calibration. Their results count nowhere else.

Such a place belongs to one person, and its rank says when it is due: after so many of their items. So
checks come at each one's own pace, between ordinary work, and what is not due when that ends never comes.
"""

import random
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from django.db import connection

from evalapp.campaigns.models import Campaign, CampaignReviewer, Item, Place, Purpose
from evalapp.core.errors import InvalidError

# A repeat comes so many of the person's items later, and up to as many more.
REPEAT_AFTER, REPEAT_SPREAD = 15, 10
# Above every number that an ordinary place of an item can have.
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
    SELECT 1 FROM evalapp_goldanswer g WHERE g.campaign_id = %(campaign)s AND g.example_id = e.id)
ORDER BY e.row_number
"""  # noqa: S608 - constants only; every value is a parameter

_CALIBRATION_ITEMS = f"""
INSERT INTO evalapp_item (campaign_id, example_id, overlap, purpose, created_at)
SELECT %(campaign)s, e.id, 1, 'calibration', now() FROM evalapp_example e
WHERE {_ANSWERED} ORDER BY md5(%(seed)s || ':calibration:' || e.row_number) LIMIT %(wanted)s
"""  # noqa: S608 - likewise

_PLACES = """
INSERT INTO evalapp_place (item_id, campaign_id, number, key, rank, state, assigned_to_id, is_added, purpose,
                           outputs_order, open_slots, outputs_total, reviews_done, created_at)
SELECT item_id, %(campaign)s, number, gen_random_uuid(), due, 'free', person, false, purpose,
       outputs, ARRAY(SELECT generate_series(0, cardinality(outputs) - 1)), cardinality(outputs), 0, now()
FROM (
    SELECT wanted.*, (
        SELECT array_agg(o.id ORDER BY md5(
            %(seed)s || ':check:' || e.row_number || ':' || wanted.number || ':' || c.position))
        FROM evalapp_itemoutput o JOIN evalapp_campaigncandidate c ON c.id = o.candidate_id
        WHERE o.item_id = wanted.item_id) AS outputs
    FROM unnest(%(items)s::bigint[], %(numbers)s::int[], %(people)s::bigint[], %(dues)s::int[],
                %(purposes)s::text[]) AS wanted(item_id, number, person, due, purpose)
    JOIN evalapp_item i ON i.id = wanted.item_id JOIN evalapp_example e ON e.id = i.example_id
) AS made
ON CONFLICT DO NOTHING
"""


class CheckPlace(NamedTuple):
    """A place that is to be made. ``due``: after so many ordinary items of the person."""

    item_id: int
    number: int
    user_id: int
    due: int
    purpose: str


def insert_check_items(*, campaign: Campaign) -> None:
    """Set the gold and the calibration items apart, before the others are drawn.

    Raises InvalidError where an answer to them is missing, or there are too few examples.
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
            cursor.execute(_GOLD_ITEMS, parameters)
            made = int(cursor.rowcount)
        wanted = campaign.gold_answers.values("example").distinct().count()
        if made != wanted:
            raise InvalidError(
                f"{wanted - made} of the {wanted} gold examples are not in this data and split, or lack an "
                "answer of a candidate. Take them off the list of gold, or generate the answers."
            )
    if campaign.calibration_items:
        add_calibration_items(campaign=campaign, wanted=campaign.calibration_items)


def _require_gold(campaign: Campaign) -> None:
    if not campaign.gold_answers.exists():
        raise InvalidError(
            f"{campaign.gold_share}% of the work is to be gold, but no answer is known yet. Enter some on the "
            "page of gold, or set the share to 0."
        )
    if campaign.gold_answers.exclude(criterion__version=campaign.rubric_version_id).exists():
        raise InvalidError(
            "Some gold answers belong to another version of the rubric. Enter them anew, for this one."
        )


def add_calibration_items(*, campaign: Campaign, wanted: int) -> list[int]:
    """Draw items for a round of calibration; their ids. InvalidError where there are too few examples."""
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
        message = f"{made} examples are left for calibration; {wanted} are wanted. Choose fewer."
        raise InvalidError(message, fields={"calibration_items": [message]})
    present = Item.objects.filter(campaign=campaign, purpose=Purpose.CALIBRATION)
    return sorted(set(present.values_list("pk", flat=True)) - before)


def insert_checks(*, campaign: Campaign) -> int:
    """Make the gold and calibration places that the seats lack; how many. Again for who comes later."""
    items = list(
        campaign.items.exclude(purpose=Purpose.REVIEW)
        .order_by("example__row_number")
        .values_list("pk", "purpose")
    )
    if not items:
        return 0
    gold = [pk for pk, purpose in items if purpose == Purpose.GOLD]
    calibration = [pk for pk, purpose in items if purpose == Purpose.CALIBRATION]
    seats = list(campaign.reviewers.order_by("pk"))
    wanted = [
        place
        for number, seat in enumerate(seats, start=1)
        if seat.left_at is None
        for place in _places_for(campaign, seat, number, gold, calibration)
    ]
    return _insert(campaign, wanted)


def _places_for(
    campaign: Campaign, seat: CampaignReviewer, number: int, gold: Sequence[int], calibration: Sequence[int]
) -> Iterable[CheckPlace]:
    draw = random.Random(f"{campaign.seed}:gold:{number}")  # noqa: S311 - a seeded draw, no secret
    order = draw.sample(list(gold), len(gold))
    # One in every stretch of 1/share items, at a place in it that is drawn.
    stretch = 100 / campaign.gold_share if campaign.gold_share else 0
    for position, item in enumerate(order):
        due = max(1, round((position + draw.random()) * stretch))
        yield CheckPlace(item, number, seat.user_id, due, Purpose.GOLD)
    if seat.admitted_at is None:
        for position, item in enumerate(calibration):
            yield CheckPlace(item, number, seat.user_id, position - len(calibration), Purpose.CALIBRATION)


def _insert(campaign: Campaign, wanted: Sequence[CheckPlace]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _PLACES,
            {
                "campaign": campaign.pk,
                "seed": str(campaign.seed),
                "items": [place.item_id for place in wanted],
                "numbers": [place.number for place in wanted],
                "people": [place.user_id for place in wanted],
                "dues": [place.due for place in wanted],
                "purposes": [str(place.purpose) for place in wanted],
            },
        )
        return int(cursor.rowcount)


def plan_repeat(*, place: Place, seat: CampaignReviewer) -> bool:
    """Have the reviewer meet a place's item once more, where the draw says so; call it when a review of
    the place is stored, in its transaction. Only of a place that is complete, and all theirs.
    """
    campaign = place.campaign
    if not campaign.repeat_share or place.purpose != Purpose.REVIEW:
        return False
    draw = random.Random(f"{campaign.seed}:repeat:{place.item.example.row_number}:{place.number}")  # noqa: S311
    if draw.random() * 100 >= campaign.repeat_share:
        return False
    stored = place.reviews.filter(reviewer=seat.user_id).count()
    if stored < place.outputs_total:
        return False
    done = CampaignReviewer.objects.values_list("reviews_done", flat=True).get(pk=seat.pk)
    due = done // campaign.reviews_a_place + REPEAT_AFTER + draw.randrange(REPEAT_SPREAD)
    number = _REPEAT_NUMBERS + place.number
    return _insert(campaign, [CheckPlace(place.item_id, number, seat.user_id, due, Purpose.REPEAT)]) == 1


def checks_wanted(campaign: Campaign) -> int:
    """About how many reviews the checks ask for in all, so that a reviewer's view of the whole counts them
    from the start and never moves by one of theirs.
    """
    places = campaign.places.filter(purpose=Purpose.REVIEW).count()
    people = campaign.reviewers.filter(left_at=None).count()
    of_purpose = {
        purpose: campaign.items.filter(purpose=purpose).count()
        for purpose in (Purpose.GOLD, Purpose.CALIBRATION)
    }
    gold = min(people * of_purpose[Purpose.GOLD], round(places * campaign.gold_share / 100))
    repeats = round(places * campaign.repeat_share / 100)
    outputs = campaign.candidates.count()
    return (gold + repeats + people * of_purpose[Purpose.CALIBRATION]) * outputs
