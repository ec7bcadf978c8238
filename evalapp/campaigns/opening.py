"""The launch of a campaign: three statements create its items, their outputs and the assignments.

Every order is drawn by hashing the campaign's seed with values that are the same in every database (row
numbers, assignment numbers, candidates' positions), so that a seed gives the same campaign everywhere. The
same statements create later additions: items that do not exist yet, and missing assignments of items.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Count, Exists, Max, Model, OuterRef, Q, QuerySet, Sum, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from evalapp.campaigns.assignment_plan import LACKING, plan_assignments
from evalapp.campaigns.checks import checks_wanted, insert_check_items, insert_checks
from evalapp.campaigns.choice import MOST_STRATA, shares_by_stratum
from evalapp.campaigns.comparisons import arrange_comparisons
from evalapp.campaigns.models import Assignment, Campaign, Distribution, Item, ItemOutput, Purpose
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Example
from evalapp.runs.models import Output

# Reviewers go through a campaign block by block, and inside a block in random order: items are completed one
# after another, so that agreement is known early, and no two reviewers share an order.
ITEMS_IN_A_BLOCK = 25
_EVERY_ONE = 2**31 - 1

# Without a field to stratify by, there is one stratum, named by the empty text.
_ITEMS = """
WITH candidate AS (
    SELECT e.id, e.row_number, coalesce(e.metadata ->> %(field)s::text, '') AS stratum
    FROM evalapp_example e
    WHERE e.version_id = %(version)s AND e.split = %(split)s AND NOT EXISTS (
        SELECT 1 FROM evalapp_campaigncandidate c CROSS JOIN generate_series(0, %(samples)s - 1) AS sample
        WHERE c.campaign_id = %(campaign)s AND NOT EXISTS (
            SELECT 1 FROM evalapp_output o
            WHERE o.candidate_id = c.model_version_id AND o.example_id = e.id AND o.sample_index = sample))
      AND NOT EXISTS (SELECT 1 FROM evalapp_item i WHERE i.campaign_id = %(campaign)s AND i.example_id = e.id)
      AND (%(picked)s::bigint[] IS NULL OR e.id = ANY(%(picked)s::bigint[]))
), drawn AS (
    SELECT id, row_number, stratum, row_number() OVER (
        PARTITION BY stratum ORDER BY md5(%(seed)s || ':choice:' || row_number)) AS draw
    FROM candidate
), chosen AS (
    SELECT drawn.id, drawn.row_number,
        row_number() OVER (ORDER BY md5(%(seed)s || ':more:' || drawn.row_number)) AS draw,
        CASE WHEN %(share)s = 0 THEN 0 ELSE greatest(1, round(count(*) OVER () * %(share)s / 100.0)) END
            AS with_more
    FROM drawn JOIN unnest(%(strata)s::text[], %(shares)s::bigint[]) AS wanted(stratum, share)
        ON wanted.stratum = drawn.stratum
    WHERE drawn.draw <= wanted.share
)
INSERT INTO evalapp_item (campaign_id, example_id, sample_index, overlap, created_at)
SELECT %(campaign)s, id, sample, CASE WHEN draw <= with_more THEN %(more)s ELSE %(overlap)s END, now()
FROM chosen CROSS JOIN generate_series(0, %(samples)s - 1) AS sample ORDER BY row_number, sample
"""

_OUTPUTS = """
INSERT INTO evalapp_itemoutput (item_id, output_id, candidate_id, created_at)
SELECT DISTINCT ON (i.id, c.position) i.id, o.id, c.id, now()
FROM evalapp_item i
JOIN evalapp_campaigncandidate c ON c.campaign_id = i.campaign_id
JOIN evalapp_output o
  ON o.candidate_id = c.model_version_id AND o.example_id = i.example_id AND o.sample_index = i.sample_index
WHERE i.campaign_id = %(campaign)s AND i.id > %(after)s
  AND NOT EXISTS (SELECT 1 FROM evalapp_itemoutput present WHERE present.item_id = i.id)
ORDER BY i.id, c.position, o.id DESC
"""

_ASSIGNMENTS = f"""
WITH item AS ({LACKING}
), assignment AS (
    SELECT item.id AS item_id, number, position / %(block)s AS block,
        md5(%(seed)s || ':place:' || item.name || ':' || number) AS draw,
        (SELECT array_agg(o.id ORDER BY md5(
            %(seed)s || ':output:' || item.name || ':' || number || ':' || c.position))
         FROM evalapp_itemoutput o JOIN evalapp_campaigncandidate c ON c.id = o.candidate_id
         WHERE o.item_id = item.id) AS outputs
    FROM item CROSS JOIN LATERAL generate_series(item.assignments + 1, item.overlap) AS number
), assigned AS (
    SELECT * FROM unnest(%(for_items)s::bigint[], %(for_numbers)s::int[], %(people)s::bigint[])
        AS assigned(item_id, number, person)
)
INSERT INTO evalapp_assignment (item_id, campaign_id, number, key, rank, state, assigned_to_id, is_added,
                           outputs_order, open_slots, outputs_total, reviews_done, created_at)
SELECT item_id, %(campaign)s, number, gen_random_uuid(),
       %(last_rank)s + row_number() OVER (ORDER BY block, draw), 'available', assigned.person, %(is_added)s,
       outputs, ARRAY(SELECT generate_series(0, cardinality(outputs) - 1)), cardinality(outputs), 0, now()
FROM assignment LEFT JOIN assigned USING (item_id, number)
ORDER BY block, draw
"""  # noqa: S608 - constants only; every value is a parameter


class Coverage(NamedTuple):
    """The coverage by candidates' outputs: ``complete`` of ``examples`` have one from each candidate;
    ``outputs``: counts by model version id.
    """

    examples: int
    complete: int
    outputs: dict[int, int]


def coverage_of(
    *,
    dataset_version_id: int,
    split: str,
    candidate_ids: list[int],
    samples: int = 1,
    picked: Sequence[int] | None = None,
) -> Coverage:
    """Coverage of the split's examples, or of those ``picked``, by outputs of the candidates."""
    examples = Example.objects.filter(version=dataset_version_id, split=split)
    if picked is not None:
        examples = examples.filter(pk__in=picked)
    # Correlated on (candidate, example), an index: cheap also while statistics are stale after a load.
    answered = _has_outputs(candidate_ids, samples)
    counts = {candidate: examples.filter(exists).count() for candidate, exists in answered.items()}
    complete = examples.filter(*answered.values()).count() if answered else 0
    return Coverage(examples.count(), complete, counts)


def answered_examples(
    *,
    dataset_version_id: int,
    split: str,
    candidate_ids: Sequence[int],
    samples: int = 1,
    picked: Sequence[int] | None = None,
) -> QuerySet[Example]:
    """The split's examples, or those ``picked``, that have an output of every candidate."""
    examples = Example.objects.filter(version=dataset_version_id, split=split)
    if picked is not None:
        examples = examples.filter(pk__in=picked)
    return examples.filter(*_has_outputs(candidate_ids, samples).values())


def _has_outputs(candidate_ids: Sequence[int], samples: int) -> dict[int, Q]:
    """By candidate, whether it has its first ``samples`` outputs of an example."""
    return {
        candidate: Q(
            *(
                Exists(Output.objects.filter(candidate=candidate, sample_index=index, example=OuterRef("pk")))
                for index in range(samples)
            )
        )
        for candidate in candidate_ids
    }


def strata_of(
    *,
    dataset_version_id: int,
    split: str,
    candidate_ids: Sequence[int],
    field: str,
    samples: int = 1,
    campaign_id: int = 0,
    picked: Sequence[int] | None = None,
) -> dict[str, int]:
    """The number of examples with outputs of all candidates by value of a metadata field, sorted; the value
    is "" without the field. At most one more than `MOST_STRATA` values. The campaign's present items are
    excluded.
    """
    examples = answered_examples(
        dataset_version_id=dataset_version_id,
        split=split,
        candidate_ids=candidate_ids,
        samples=samples,
        picked=picked,
    )
    if campaign_id:
        present = Item.objects.filter(campaign=campaign_id, example=OuterRef("pk"))
        examples = examples.exclude(Exists(present))
    if not field:
        return {"": examples.count()}
    counted = (
        examples.annotate(
            stratum=Coalesce(KeyTextTransform(field, "metadata"), Value("", output_field=TextField()))
        )
        .values_list("stratum")
        .annotate(n=Count("pk"))
        .order_by()
    )
    return dict(sorted(counted[: MOST_STRATA + 1]))


def strata_of_campaign(campaign: Campaign) -> dict[str, int]:
    """`strata_of` the examples that the campaign could still add."""
    return strata_of(
        dataset_version_id=campaign.dataset_version_id,
        split=campaign.split,
        candidate_ids=list(campaign.candidates.values_list("model_version", flat=True)),
        field=campaign.stratify_by,
        samples=campaign.samples,
        campaign_id=campaign.pk,
        picked=campaign.picked_examples,
    )


def fields_of(dataset_version_id: int, split: str) -> list[str]:
    """The metadata fields of the split's first 200 rows, which it could be stratified by."""
    first = Example.objects.filter(version=dataset_version_id, split=split).order_by("row_number")[:200]
    return sorted({name for metadata in first.values_list("metadata", flat=True) for name in metadata})


def make_assignments(*, campaign: Campaign) -> tuple[int, int]:
    """Create items, item outputs and assignments; returns (items, reviews). Call it in a transaction."""
    insert_check_items(campaign=campaign)
    insert_items(campaign=campaign, wanted=campaign.examples_wanted)
    insert_assignments(campaign=campaign)
    if campaign.compares:
        arrange_comparisons(campaign=campaign)
    insert_checks(campaign=campaign)
    return set_totals(campaign)


def insert_items(*, campaign: Campaign, wanted: int | None) -> int:
    """Draw ``wanted`` items (None: all) of the examples that are not items yet, with their outputs; returns
    their number.

    Raises InvalidError unless ``wanted`` is at most the number available, and at least one for each stratum.
    """
    field = campaign.stratify_by if wanted is not None else ""
    shares = {"": _EVERY_ONE}
    if wanted is not None:
        strata = strata_of_campaign(campaign)
        if not len(strata) <= wanted <= sum(strata.values()):
            raise InvalidError(
                f"{wanted:,} examples are wanted; {sum(strata.values()):,} in {len(strata):,} strata are left"
                " after gold and calibration. Edit the design."
            )
        shares = shares_by_stratum(strata, wanted)
    last = (
        Item.objects.filter(purpose=Purpose.REVIEW).order_by("-pk").values_list("pk", flat=True).first() or 0
    )
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "version": campaign.dataset_version_id,
        "split": campaign.split,
        "seed": str(campaign.seed),
        "field": field,
        "picked": campaign.picked_examples,
        "strata": list(shares),
        "shares": list(shares.values()),
        "overlap": campaign.overlap,
        "share": campaign.overlap_share,
        "more": campaign.overlap_more or campaign.overlap,
        "samples": campaign.samples,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ITEMS, parameters)
        added = int(cursor.rowcount)
        _analyze(cursor, Item)
    insert_outputs(campaign=campaign, after=last)
    return added


def insert_outputs(*, campaign: Campaign, after: int = 0) -> None:
    """Give items with ids above ``after`` that have no outputs theirs: the latest of each candidate."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTPUTS, {"campaign": campaign.pk, "after": after})
        _analyze(cursor, ItemOutput)


def insert_assignments(
    *, campaign: Campaign, items: Sequence[int] | None = None, is_added: bool = False
) -> int:
    """Create the assignments that items (None: all) lack to their overlap, after existing ones; returns their
    number.

    With manual assignment they are assigned; those that nobody can take stay in the shared queue.
    """
    assigned = plan_assignments(campaign, items) if campaign.distribution == Distribution.MANUAL else []
    last_rank = campaign.assignments.filter(purpose=Purpose.REVIEW).aggregate(last=Max("rank"))["last"] or 0
    parameters: dict[str, Any] = {
        "campaign": campaign.pk,
        "seed": str(campaign.seed),
        "items": list(items) if items is not None else None,
        "block": ITEMS_IN_A_BLOCK,
        "last_rank": last_rank,
        "is_added": is_added,
        "for_items": [each.item_id for each in assigned],
        "for_numbers": [each.number for each in assigned],
        "people": [each.user_id for each in assigned],
    }
    with connection.cursor() as cursor:
        cursor.execute(_ASSIGNMENTS, parameters)
        added = int(cursor.rowcount)
        _analyze(cursor, Assignment)
    return added


def _analyze(cursor: Any, model: type[Model]) -> None:
    """Update statistics, from which the next statement and later claims are planned; without them, a large
    launch is read with full scans.
    """
    cursor.execute(f"ANALYZE {model._meta.db_table}")


def set_totals(campaign: Campaign) -> tuple[int, int]:
    """Update the totals in the campaign's row; returns (items, reviews)."""
    items = campaign.items.filter(purpose=Purpose.REVIEW).count()
    counted = campaign.assignments.filter(purpose=Purpose.REVIEW).aggregate(
        assignments=Count("pk"), reviews=Coalesce(Sum("outputs_total"), 0)
    )
    Campaign.objects.filter(pk=campaign.pk).update(
        items_total=items,
        assignments_total=counted["assignments"],
        reviews_total=counted["reviews"],
        checks_total=checks_wanted(campaign),
    )
    return items, counted["reviews"]
