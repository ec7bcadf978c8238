"""Reads of the calibration round: all reviewers' answers to the same items, side by side.

`Round` is common to ratings and comparisons; `RatedRound` and `preferences.calibration.ComparedRound` read
the answers of one of them.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from statistics import fmean, median
from typing import NamedTuple

from evalapp.accounts.models import User
from evalapp.campaigns.models import Assignment, AssignmentState, Campaign, CampaignReviewer, Item, Purpose
from evalapp.core.errors import MissingError
from evalapp.reviews.models import Review
from evalapp.reviews.pseudonyms import shown_names
from evalapp.reviews.queries import answers_in_words
from evalapp.rubrics.kinds import with_mean

LETTERS = "ABCDEFGHIJKLMNOP"


class CalibrationAnswers(NamedTuple):
    """One person's answers; ``answers`` are in the order of the round's ``columns``, "" if unanswered."""

    name: str
    answers: list[str]
    comment: str
    correction: str = ""


class ShownText(NamedTuple):
    label: str
    text: str


class CalibrationPart(NamedTuple):
    """A rated output, or compared outputs. Only for managers does ``heading`` name candidates; reviewers see
    letters, or a number.
    """

    heading: str
    shown: list[ShownText]
    given: list[CalibrationAnswers]


class Note(NamedTuple):
    name: str
    text: str
    written_at: datetime


class CalibrationItem(NamedTuple):
    """``number``: its position in the campaign's list from 1, as used in URLs."""

    number: int
    item: Item
    parts: list[CalibrationPart]
    notes: list[Note]


class CalibrationProgress(NamedTuple):
    """The progress of a reviewer. ``distance``: the mean distance of their scale scores from the median of
    the others', or the share of the others' preferences that differ from theirs; None if nothing can be
    compared.
    """

    campaign_reviewer: CampaignReviewer
    done: int
    wanted: int
    distance: float | None


def calibration_items(campaign: Campaign) -> list[Item]:
    items = campaign.items.filter(purpose=Purpose.CALIBRATION).select_related("example").order_by("pk")
    return list(items)


def item_in_round(campaign: Campaign, number: int, *, given_to: User | None) -> Item:
    """The calibration item of that number. Raises MissingError if there is none, or ``given_to`` did not get
    it.
    """
    item = dict(enumerate(calibration_items(campaign), start=1)).get(number)
    if item is None or (given_to is not None and not item.assignments.filter(assigned_to=given_to).exists()):
        raise MissingError("There is no such calibration item, or it is not yours.")
    return item


def has_finished_own_round(campaign_reviewer: CampaignReviewer) -> bool:
    """Whether the reviewer has rated all of their calibration items, so that others' answers cannot influence
    theirs.
    """
    assignments = Assignment.objects.filter(
        campaign=campaign_reviewer.campaign_id,
        assigned_to=campaign_reviewer.user_id,
        purpose=Purpose.CALIBRATION,
    )
    return assignments.exists() and not assignments.exclude(state=AssignmentState.SUBMITTED).exists()


class Round(ABC):
    """A reader's view of a campaign's calibration: the answers of everybody who has finished theirs.

    Reviewers see only their own items, their peers as pseudonyms, and the outputs in the order that they had,
    so that a letter reveals nothing about the candidate.
    """

    columns: list[str]

    def __init__(self, campaign: Campaign, reader: User, *, is_manager: bool) -> None:
        self.campaign, self.reader, self.is_manager = campaign, reader, is_manager
        self.names = _reviewer_names(campaign, reader, is_manager=is_manager)
        self.seen_by = people_who_finished(campaign) | {reader.pk}

    def items(self) -> list[CalibrationItem]:
        """Every calibration item with its answers and discussion."""
        theirs = Assignment.objects.filter(
            campaign=self.campaign, assigned_to=self.reader, purpose=Purpose.CALIBRATION
        )
        own = {assignment.item_id: assignment for assignment in theirs}
        items = (
            self.campaign.items.filter(purpose=Purpose.CALIBRATION)
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
                self.parts(item, None if self.is_manager else own[item.pk]),
                notes_on(item, self.names),
            )
            for number, item in enumerate(items, start=1)
            if self.is_manager or item.pk in own
        ]

    def name_of(self, person: int) -> str:
        return self.names.get(person, "Reviewer")

    @abstractmethod
    def parts(self, item: Item, assignment: Assignment | None) -> list[CalibrationPart]:
        """The outputs or comparisons of an item, with answers: in the order of the reader's assignment, or
        for a manager in the order of creation.
        """


class RatedRound(Round):
    """A round of ratings: answers to the rubric's criteria for each output."""

    def __init__(self, campaign: Campaign, reader: User, *, is_manager: bool) -> None:
        super().__init__(campaign, reader, is_manager=is_manager)
        criteria = list(campaign.rubric_version.criteria.order_by("position"))
        self.columns = [criterion.name for criterion in criteria]
        self._criteria = [criterion.pk for criterion in criteria]
        self._given: dict[int, list[CalibrationAnswers]] = defaultdict(list)
        reviews = campaign.reviews.filter(purpose=Purpose.CALIBRATION, reviewer__in=self.seen_by)
        reviews = reviews.select_related("item_output__output", "correction").prefetch_related(
            "scores__criterion", "tags__tag", "texts", "spans__criterion"
        )
        for review in reviews.order_by("pk"):
            self._given[review.subject_id].append(self._of(review))

    def _of(self, review: Review) -> CalibrationAnswers:
        words = answers_in_words(review, review.rated.output.text)
        by_criterion = {criterion: [words[criterion]] for criterion in self._criteria if criterion in words}
        for given in review.tags.all():
            by_criterion.setdefault(given.tag.criterion_id, []).append(given.tag.label)
        answers = [", ".join(by_criterion.get(criterion, [])) for criterion in self._criteria]
        correction = getattr(review, "correction", None)
        name = self.name_of(review.reviewer_id)
        return CalibrationAnswers(name, answers, review.comment, correction.text if correction else "")

    def parts(self, item: Item, assignment: Assignment | None) -> list[CalibrationPart]:
        entries = {entry.pk: entry for entry in item.outputs.all()}
        made = sorted(entries, key=lambda pk: entries[pk].candidate.position)
        found = []
        for letter, pk in zip(
            LETTERS, made if assignment is None else assignment.outputs_order, strict=False
        ):
            version = entries[pk].candidate.model_version
            label = f"Answer {letter}" if assignment is not None else version.label
            shown = [ShownText("The answer", entries[pk].output.text)]
            found.append(CalibrationPart(label, shown, self._given.get(pk, [])))
        return found


def notes_on(item: Item, names: Mapping[int, str]) -> list[Note]:
    """The discussion of an item, with those names of authors. Prefetch ``calibration_notes``."""
    notes = sorted(item.calibration_notes.all(), key=lambda note: note.pk)
    return [Note(names.get(note.author_id, "The manager"), note.text, note.created_at) for note in notes]


def _reviewer_names(campaign: Campaign, reader: User, *, is_manager: bool) -> dict[int, str]:
    """Names of reviewers: for managers as on the campaign's other pages, for reviewers numbers in order of
    the first rating.
    """
    people = list(campaign.reviewers.values_list("user", flat=True))
    if is_manager:
        names = shown_names(campaign)
        return {person: names.of(person) for person in people}
    firsts = campaign.reviews.filter(purpose=Purpose.CALIBRATION).order_by("pk")
    order = dict.fromkeys([*firsts.values_list("reviewer", flat=True), *people])
    numbered = {person: f"Reviewer {number}" for number, person in enumerate(order, start=1)}
    return {**numbered, reader.pk: "You"}


def people_who_finished(campaign: Campaign) -> set[int]:
    """Ids of the people who have submitted all their calibration items."""
    assignments = campaign.assignments.filter(purpose=Purpose.CALIBRATION).values_list("assigned_to", "state")
    unfinished = {person for person, state in assignments if state != AssignmentState.SUBMITTED}
    return {person for person, _ in assignments if person is not None} - unfinished


def calibration_progress(campaign: Campaign, distances: Mapping[int, float]) -> list[CalibrationProgress]:
    """Every reviewer's progress in the calibration, with their distance from the others by ``distances``."""
    assignments: dict[int | None, list[str]] = defaultdict(list)
    for person, state in campaign.assignments.filter(purpose=Purpose.CALIBRATION).values_list(
        "assigned_to", "state"
    ):
        assignments[person].append(state)
    return [
        CalibrationProgress(
            campaign_reviewer,
            sum(state == AssignmentState.SUBMITTED for state in assignments[campaign_reviewer.user_id]),
            len(assignments[campaign_reviewer.user_id]),
            distances.get(campaign_reviewer.user_id),
        )
        for campaign_reviewer in (
            campaign.reviewers.filter(left_at=None).select_related("user").order_by("user__name", "pk")
        )
    ]


def score_distances(campaign: Campaign) -> dict[int, float]:
    """By person: the mean distance of their scale scores, in points, from the median of the others'."""
    given: dict[tuple[int, int], dict[int, float]] = defaultdict(dict)
    reviews = campaign.reviews.filter(
        purpose=Purpose.CALIBRATION,
        scores__criterion__kind__in=with_mean(),
        scores__value__isnull=False,
    )
    values = reviews.values_list(
        "item_output",
        "scores__criterion",
        "reviewer",
        "scores__value",
        "scores__criterion__steps_per_point",
    )
    for output, criterion, person, value, steps in values:
        if value is not None:
            given[output, criterion][person] = value / steps
    return mean_distances(
        (person, abs(value - median(others)))
        for answers in given.values()
        for person, value in answers.items()
        if (others := [other for peer, other in answers.items() if peer != person])
    )


def mean_distances(distances: Iterable[tuple[int, float]]) -> dict[int, float]:
    """The mean of the distances by person."""
    apart: dict[int, list[float]] = defaultdict(list)
    for person, distance in distances:
        apart[person].append(distance)
    return {person: fmean(values) for person, values in apart.items()}
