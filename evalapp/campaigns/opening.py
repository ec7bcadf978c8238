"""The launch of a campaign: its items, their outputs and the places, made by three statements.

Every order is drawn by hashing the campaign's seed with what is the same in every database (row
numbers, place numbers, candidates' positions), so that a seed gives the same campaign anywhere.
"""

from typing import NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef

from evalapp.campaigns.comparisons import arrange_comparisons
from evalapp.campaigns.models import Campaign, Item, ItemOutput, Place
from evalapp.datasets.models import Example
from evalapp.runs.models import Output

# Reviewers go through a campaign block by block, each in an order of their own inside a block: items
# get complete one after another, so that agreement can be read early, and nobody shares an order.
ITEMS_IN_A_BLOCK = 25

_ITEMS = """
INSERT INTO evalapp_item (campaign_id, example_id, created_at)
SELECT %(campaign)s, e.id, now() FROM evalapp_example e
WHERE e.version_id = %(version)s AND e.split = %(split)s AND NOT EXISTS (
    SELECT 1 FROM evalapp_campaigncandidate c WHERE c.campaign_id = %(campaign)s AND NOT EXISTS (
        SELECT 1 FROM evalapp_output o
        WHERE o.candidate_id = c.model_version_id AND o.example_id = e.id AND o.sample_index = 0))
ORDER BY e.row_number
"""

_OUTPUTS = """
INSERT INTO evalapp_itemoutput (item_id, output_id, candidate_id, created_at)
SELECT DISTINCT ON (i.id, c.position) i.id, o.id, c.id, now()
FROM evalapp_item i
JOIN evalapp_campaigncandidate c ON c.campaign_id = i.campaign_id
JOIN evalapp_output o
  ON o.candidate_id = c.model_version_id AND o.example_id = i.example_id AND o.sample_index = 0
WHERE i.campaign_id = %(campaign)s
ORDER BY i.id, c.position, o.id DESC
"""

_PLACES = """
WITH item AS (
    SELECT i.id, e.row_number,
        (row_number() OVER (ORDER BY md5(%(seed)s || ':item:' || e.row_number)) - 1) / %(block)s AS block
    FROM evalapp_item i JOIN evalapp_example e ON e.id = i.example_id
    WHERE i.campaign_id = %(campaign)s
), place AS (
    SELECT item.id AS item_id, number, block,
        md5(%(seed)s || ':place:' || item.row_number || ':' || number) AS draw,
        (SELECT array_agg(o.id ORDER BY md5(
            %(seed)s || ':output:' || item.row_number || ':' || number || ':' || c.position))
         FROM evalapp_itemoutput o JOIN evalapp_campaigncandidate c ON c.id = o.candidate_id
         WHERE o.item_id = item.id) AS outputs
    FROM item CROSS JOIN generate_series(1, %(overlap)s) AS number
)
INSERT INTO evalapp_place (item_id, campaign_id, number, key, rank, state, outputs_order, open_slots,
                           outputs_total, reviews_done, created_at)
SELECT item_id, %(campaign)s, number, gen_random_uuid(), row_number() OVER (ORDER BY block, draw), 'free',
       outputs, ARRAY(SELECT generate_series(0, cardinality(outputs) - 1)), cardinality(outputs), 0, now()
FROM place
ORDER BY block, draw
"""


class Coverage(NamedTuple):
    """How far the candidates' outputs reach: ``complete`` of ``examples`` have one from each;
    ``outputs`` counts by model version's id.
    """

    examples: int
    complete: int
    outputs: dict[int, int]


def coverage_of(*, dataset_version_id: int, split: str, candidate_ids: list[int]) -> Coverage:
    """Which examples of the split have an output of every candidate."""
    examples = Example.objects.filter(version=dataset_version_id, split=split)
    # Correlated on (candidate, example), an index: cheap also while statistics are stale after a load.
    answered = {
        candidate: Exists(Output.objects.filter(candidate=candidate, sample_index=0, example=OuterRef("pk")))
        for candidate in candidate_ids
    }
    counts = {candidate: examples.filter(exists).count() for candidate, exists in answered.items()}
    complete = examples.filter(*answered.values()).count() if answered else 0
    return Coverage(examples.count(), complete, counts)


def make_places(*, campaign: Campaign) -> tuple[int, int]:
    """Make items, item outputs and places; (items, reviews that they need). Call it in a transaction."""
    parameters: dict[str, int | str] = {
        "campaign": campaign.pk,
        "version": campaign.dataset_version_id,
        "split": campaign.split,
        "seed": str(campaign.seed),
        "overlap": campaign.overlap,
        "block": ITEMS_IN_A_BLOCK,
    }
    with connection.cursor() as cursor:
        # Each statement is planned from the statistics of what the one before it wrote, and the claims
        # from those of the places; without them a large launch is walked in full.
        for statement, model in ((_ITEMS, Item), (_OUTPUTS, ItemOutput), (_PLACES, Place)):
            cursor.execute(statement, parameters)
            cursor.execute(f"ANALYZE {model._meta.db_table}")
    items = Item.objects.filter(campaign=campaign).count()
    if campaign.compares:
        return items, arrange_comparisons(campaign=campaign)
    return items, items * campaign.overlap * campaign.candidates.count()
