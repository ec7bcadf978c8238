"""Reads of the calibration round where answers are compared: everybody's verdicts, side by side."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import permutations
from statistics import fmean
from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Campaign, Comparison, Item, ItemOutput, Place, Purpose
from evalapp.core.marks import marked
from evalapp.judgements.checks import verdict_by_name
from evalapp.judgements.models import Judgement
from evalapp.judgements.queries import LETTERS, verdict_of
from evalapp.judgements.verdicts import Verdict
from evalapp.reviews.calibration import (
    Calibrating,
    Note,
    calibrating,
    names_in_round,
    notes_on,
    people_done,
)
from evalapp.stats.repeats import order_tau


class GivenVerdict(NamedTuple):
    """``words`` name the answers as the reader's page does."""

    name: str
    words: str
    comment: str


class LabelledAnswer(NamedTuple):
    """``label`` names the candidate for a manager; a reviewer gets the letter it had on their screen."""

    label: str
    text: str


class CalibrationComparison(NamedTuple):
    heading: str
    answers: list[LabelledAnswer]
    given: list[GivenVerdict]


class CalibrationItem(NamedTuple):
    """``number`` is its place in the campaign's list, from 1: what an address names."""

    number: int
    item: Item
    comparisons: list[CalibrationComparison]
    notes: list[Note]


def compared_side_by_side(campaign: Campaign, reader: User, *, is_manager: bool) -> list[CalibrationItem]:
    """Every calibration item with the verdicts of all who are done with theirs, and its discussion.

    A reviewer sees the items that were theirs, their peers as pseudonyms, and the answers on the sides that
    they had them on, so that a letter tells nothing about the candidate.
    """
    names = names_in_round(campaign, reader, is_manager=is_manager)
    seen_by = people_done(campaign) | {reader.pk}
    judgements: dict[int, list[Judgement]] = defaultdict(list)
    for judgement in campaign.judgements.filter(purpose=Purpose.CALIBRATION).order_by("pk"):
        if judgement.reviewer_id in seen_by:
            judgements[judgement.comparison_id].append(judgement)
    own = {
        place.item_id: place
        for place in Place.objects.filter(campaign=campaign, assigned_to=reader, purpose=Purpose.CALIBRATION)
    }
    items = (
        campaign.items.filter(purpose=Purpose.CALIBRATION)
        .select_related("example")
        .prefetch_related(
            "comparisons", "outputs__output", "outputs__candidate__model_version", "calibration_notes"
        )
        .order_by("pk")
    )
    return [
        CalibrationItem(
            number,
            item,
            [
                _shown(nth, outputs, item, judgements[comparison.pk], names, is_manager=is_manager)
                for nth, (comparison, outputs) in enumerate(
                    _arranged(item, None if is_manager else own[item.pk]), start=1
                )
            ],
            notes_on(item, names),
        )
        for number, item in enumerate(items, start=1)
        if is_manager or item.pk in own
    ]


def _arranged(item: Item, place: Place | None) -> list[tuple[Comparison, list[int]]]:
    """The item's comparisons with their outputs, as they stand at a place; without one as they were made."""
    comparisons = {each.pk: each for each in item.comparisons.all()}
    if place is None:
        made = sorted(comparisons.values(), key=lambda each: each.number)
        return [(each, each.outputs) for each in made]
    asked = [comparisons[pk] for pk in place.outputs_order]
    return [(each, arranged(each.outputs, place.arrangement)) for each in asked]


def _shown(
    number: int,
    outputs: Sequence[int],
    item: Item,
    judgements: Sequence[Judgement],
    names: Mapping[int, str],
    *,
    is_manager: bool,
) -> CalibrationComparison:
    entries: dict[int, ItemOutput] = {entry.pk: entry for entry in item.outputs.all()}
    versions = [entries[pk].candidate.model_version for pk in outputs]
    labels = [marked(version.label, version) for version in versions] if is_manager else list(LETTERS)
    return CalibrationComparison(
        " or ".join(labels) if is_manager else f"Comparison {number}",
        [
            LabelledAnswer(label if is_manager else f"Answer {label}", entries[pk].output.text)
            for label, pk in zip(labels, outputs, strict=False)
        ],
        [
            GivenVerdict(
                names.get(each.reviewer_id, "Reviewer"),
                verdict_by_name(verdict_of(each).turned(each.outputs, outputs), labels),
                each.comment,
            )
            for each in judgements
        ],
    )


def people_in_round(campaign: Campaign) -> list[Calibrating]:
    """`calibrating` for any campaign: by scale scores, or by verdicts where answers are compared."""
    return calibrating(campaign, _told_otherwise(campaign) if campaign.compares else None)


def _told_otherwise(campaign: Campaign) -> dict[int, float]:
    """By person: the mean share of the others' verdicts on the same comparisons that differ from theirs."""
    given: dict[int, dict[int, Verdict]] = defaultdict(dict)
    judgements = campaign.judgements.filter(purpose=Purpose.CALIBRATION).select_related("comparison")
    for judgement in judgements:
        verdict = verdict_of(judgement).turned(judgement.outputs, judgement.comparison.outputs)
        given[judgement.comparison_id][judgement.reviewer_id] = verdict
    apart: dict[int, list[float]] = defaultdict(list)
    for verdicts in given.values():
        for person, other in permutations(verdicts, 2):
            apart[person].append(_apart(verdicts[person], verdicts[other]))
    return {person: fmean(values) for person, values in apart.items()}


def _apart(one: Verdict, other: Verdict) -> float:
    """0 for the same verdict, 1 for another; of rankings the share of pairs told the other way round."""
    ranks = [[rank for rank in each.ranks or () if rank is not None] for each in (one, other)]
    if not ranks[0]:
        return float(one.choice != other.choice)
    return (1 - order_tau(*ranks)) / 2
