"""Reads of the calibration round: everybody's answers to the same items, side by side."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from statistics import fmean, median
from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, CampaignReviewer, Item, Place, PlaceState, Purpose
from evalapp.reviews.models import Review
from evalapp.rubrics.models import Criterion, CriterionKind


class GivenAnswers(NamedTuple):
    """One person's review; ``answers`` follow the rubric's criteria, empty where it was not answered."""

    name: str
    answers: list[str]
    comment: str


class CalibrationOutput(NamedTuple):
    """``label`` names the candidate for a manager; a reviewer gets a letter."""

    label: str
    text: str
    given: list[GivenAnswers]


class Note(NamedTuple):
    name: str
    text: str
    written_at: datetime


class CalibrationItem(NamedTuple):
    """``number`` is its place in the campaign's list, from 1: what an address names."""

    number: int
    item: Item
    outputs: list[CalibrationOutput]
    notes: list[Note]


class Calibrating(NamedTuple):
    """How far somebody is. ``distance``: how far their scale scores lie from the median of the others', on
    average, or what share of the others' verdicts differ from theirs; None where nothing can be compared.
    """

    seat: CampaignReviewer
    done: int
    wanted: int
    distance: float | None


def calibration_items(campaign: Campaign) -> list[Item]:
    items = campaign.items.filter(purpose=Purpose.CALIBRATION).select_related("example").order_by("pk")
    return list(items)


def own_round_is_done(seat: CampaignReviewer) -> bool:
    """Whether the reviewer has rated all calibration items that they were given, so that others' answers
    cannot move theirs.
    """
    places = Place.objects.filter(
        campaign=seat.campaign_id, assigned_to=seat.user_id, purpose=Purpose.CALIBRATION
    )
    return places.exists() and not places.exclude(state=PlaceState.COMPLETE).exists()


def rated_criteria(campaign: Campaign) -> list[Criterion]:
    return list(campaign.rubric_version.criteria.order_by("position"))


def side_by_side(campaign: Campaign, reader: User, *, is_manager: bool) -> list[CalibrationItem]:
    """Every calibration item with the answers of all who are done with theirs, and its discussion.

    A reviewer sees the items that were theirs, their peers as pseudonyms, and outputs in the order that
    they had them, so that a letter tells nothing about the candidate.
    """
    criteria = rated_criteria(campaign)
    reviews = (
        Review.objects.filter(campaign=campaign, purpose=Purpose.CALIBRATION)
        .prefetch_related("scores__criterion", "texts__criterion")
        .order_by("pk")
    )
    names = names_in_round(campaign, reader, is_manager=is_manager)
    ready = people_done(campaign)
    by_output: dict[int, list[GivenAnswers]] = defaultdict(list)
    for review in reviews:
        if review.reviewer_id in ready or review.reviewer_id == reader.pk:
            by_output[review.item_output_id].append(_given(review, names, criteria))
    orders = dict(
        Place.objects.filter(campaign=campaign, assigned_to=reader, purpose=Purpose.CALIBRATION).values_list(
            "item", "outputs_order"
        )
    )
    items = (
        campaign.items.filter(purpose=Purpose.CALIBRATION)
        .select_related("example")
        .prefetch_related("outputs__output", "outputs__candidate__model_version", "calibration_notes")
        .order_by("pk")
    )
    return [
        CalibrationItem(
            number,
            item,
            _outputs(item, by_output, orders.get(item.pk), is_manager=is_manager),
            notes_on(item, names),
        )
        for number, item in enumerate(items, start=1)
        if is_manager or item.pk in orders
    ]


def _outputs(
    item: Item, by_output: dict[int, list[GivenAnswers]], order: list[int] | None, *, is_manager: bool
) -> list[CalibrationOutput]:
    entries = {entry.pk: entry for entry in item.outputs.all()}
    if is_manager or order is None:
        order = sorted(entries, key=lambda pk: entries[pk].candidate.position)
    return [
        CalibrationOutput(
            str(entries[pk].candidate.model_version) if is_manager else f"Answer {'ABCDEFGHIJKLMNOP'[slot]}",
            entries[pk].output.text,
            by_output.get(pk, []),
        )
        for slot, pk in enumerate(order)
    ]


def notes_on(item: Item, names: Mapping[int, str]) -> list[Note]:
    """The discussion of an item, under those names. Prefetch ``calibration_notes``."""
    notes = sorted(item.calibration_notes.all(), key=lambda note: note.pk)
    return [Note(names.get(note.author_id, "The manager"), note.text, note.created_at) for note in notes]


def names_in_round(campaign: Campaign, reader: User, *, is_manager: bool) -> dict[int, str]:
    """Names for a manager; for a reviewer numbers, by who was first to rate."""
    people = {seat.user_id: seat.user.name for seat in campaign.reviewers.select_related("user")}
    if is_manager:
        return people
    given = campaign.judgements if campaign.compares else campaign.reviews
    firsts = given.filter(purpose=Purpose.CALIBRATION).order_by("pk")
    order = dict.fromkeys([*firsts.values_list("reviewer", flat=True), *people])
    numbered = {person: f"Reviewer {number}" for number, person in enumerate(order, start=1)}
    return {**numbered, reader.pk: "You"}


def people_done(campaign: Campaign) -> set[int]:
    """Those who have given all of their round."""
    places = campaign.places.filter(purpose=Purpose.CALIBRATION).values_list("assigned_to", "state")
    unfinished = {person for person, state in places if state != PlaceState.COMPLETE}
    return {person for person, _ in places if person is not None} - unfinished


def _given(review: Review, names: dict[int, str], criteria: list[Criterion]) -> GivenAnswers:
    words = {score.criterion_id: score.words for score in review.scores.all()}
    words |= {text.criterion_id: text.text for text in review.texts.all()}
    answers = [words.get(criterion.pk, "") for criterion in criteria]
    return GivenAnswers(names.get(review.reviewer_id, "Reviewer"), answers, review.comment)


def calibrating(campaign: Campaign, distances: Mapping[int, float] | None = None) -> list[Calibrating]:
    """Everybody's progress in the calibration, and how far from the others they are; ``distances`` replace
    those of scale scores.
    """
    places: dict[int | None, list[str]] = defaultdict(list)
    for person, state in campaign.places.filter(purpose=Purpose.CALIBRATION).values_list(
        "assigned_to", "state"
    ):
        places[person].append(state)
    distances = _distances(campaign) if distances is None else distances
    return [
        Calibrating(
            seat,
            sum(state == PlaceState.COMPLETE for state in places[seat.user_id]),
            len(places[seat.user_id]),
            distances.get(seat.user_id),
        )
        for seat in campaign.reviewers.filter(left_at=None)
        .select_related("user")
        .order_by("user__name", "pk")
    ]


def _distances(campaign: Campaign) -> dict[int, float]:
    given: dict[tuple[int, int], dict[int, int]] = defaultdict(dict)
    reviews = Review.objects.filter(
        campaign=campaign,
        purpose=Purpose.CALIBRATION,
        scores__criterion__kind=CriterionKind.SCALE,
        scores__value__isnull=False,
    )
    values = reviews.values_list("item_output", "scores__criterion", "reviewer", "scores__value")
    for output, criterion, person, value in values:
        if value is None:
            continue
        given[output, criterion][person] = value
    apart: dict[int, list[float]] = defaultdict(list)
    for answers in given.values():
        for person, value in answers.items():
            others = [other for peer, other in answers.items() if peer != person]
            if others:
                apart[person].append(abs(value - median(others)))
    return {person: fmean(values) for person, values in apart.items()}
