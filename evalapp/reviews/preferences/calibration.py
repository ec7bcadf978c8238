"""Reads of the calibration round for comparisons, and dispatch for any campaign."""

from collections import defaultdict
from itertools import permutations

from evalapp.accounts.models import User
from evalapp.campaigns.comparisons import arranged
from evalapp.campaigns.models import Assignment, Campaign, Comparison, Item, Purpose
from evalapp.reviews.calibration import (
    LETTERS,
    CalibrationAnswers,
    CalibrationPart,
    CalibrationProgress,
    RatedRound,
    Round,
    ShownText,
    calibration_progress,
    mean_distances,
    score_distances,
)
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.checks import preference_by_name
from evalapp.reviews.preferences.tasks import preference_of
from evalapp.stats.repeats import order_tau


class ComparedRound(Round):
    """A round of comparisons: preferences in words, with the names that the reader's page uses."""

    def __init__(self, campaign: Campaign, reader: User, *, is_manager: bool) -> None:
        super().__init__(campaign, reader, is_manager=is_manager)
        self.columns = ["Preference"]
        self._given: dict[int, list[Review]] = defaultdict(list)
        judged = campaign.reviews.filter(purpose=Purpose.CALIBRATION, reviewer__in=self.seen_by)
        for review in judged.select_related("preference").order_by("pk"):
            self._given[review.subject_id].append(review)

    def parts(self, item: Item, assignment: Assignment | None) -> list[CalibrationPart]:
        return [
            self._part(nth, comparison, outputs, item)
            for nth, (comparison, outputs) in enumerate(_comparisons_as_shown(item, assignment), start=1)
        ]

    def _part(self, number: int, comparison: Comparison, outputs: list[int], item: Item) -> CalibrationPart:
        entries = {entry.pk: entry for entry in item.outputs.all()}
        versions = [entries[pk].candidate.model_version for pk in outputs]
        is_manager = self.is_manager
        labels = [version.label for version in versions] if is_manager else list(LETTERS)
        return CalibrationPart(
            " or ".join(labels) if is_manager else f"Comparison {number}",
            [
                ShownText(label if is_manager else f"Answer {label}", entries[pk].output.text)
                for label, pk in zip(labels, outputs, strict=False)
            ],
            [
                CalibrationAnswers(
                    self.name_of(each.reviewer_id),
                    [
                        preference_by_name(
                            preference_of(each).turned(each.preference.outputs, outputs), labels
                        )
                    ],
                    each.comment,
                )
                for each in self._given[comparison.pk]
            ],
        )


def _comparisons_as_shown(item: Item, assignment: Assignment | None) -> list[tuple[Comparison, list[int]]]:
    """The item's comparisons with their outputs, in the order of an assignment, or without one in the order
    of creation.
    """
    comparisons = {each.pk: each for each in item.comparisons.all()}
    if assignment is None:
        made = sorted(comparisons.values(), key=lambda each: each.number)
        return [(each, each.outputs) for each in made]
    asked = [comparisons[pk] for pk in assignment.outputs_order]
    return [(each, arranged(each.outputs, assignment.arrangement)) for each in asked]


def round_of(campaign: Campaign, reader: User, *, is_manager: bool) -> Round:
    """The campaign's calibration as this reader may see it."""
    kind = ComparedRound if campaign.compares else RatedRound
    return kind(campaign, reader, is_manager=is_manager)


def calibration_progress_of(campaign: Campaign) -> list[CalibrationProgress]:
    """`calibration_progress` for any campaign: by distances of scale scores, or of preferences in campaigns
    that compare outputs.
    """
    distances = preference_distances if campaign.compares else score_distances
    return calibration_progress(campaign, distances(campaign))


def preference_distances(campaign: Campaign) -> dict[int, float]:
    """By person: the mean share of the others' preferences on the same comparisons that differ from
    theirs.
    """
    given: dict[int, dict[int, PreferenceAnswers]] = defaultdict(dict)
    reviews = campaign.reviews.filter(purpose=Purpose.CALIBRATION).select_related("comparison", "preference")
    for review in reviews:
        preference = preference_of(review).turned(review.preference.outputs, review.compared.outputs)
        given[review.subject_id][review.reviewer_id] = preference
    return mean_distances(
        (person, _preference_distance(preferences[person], preferences[other]))
        for preferences in given.values()
        for person, other in permutations(preferences, 2)
    )


def _preference_distance(one: PreferenceAnswers, other: PreferenceAnswers) -> float:
    """0 for equal preferences, 1 for different ones; for rankings the share of pairs in opposite order."""
    ranks = [[rank for rank in each.ranks or () if rank is not None] for each in (one, other)]
    if not ranks[0]:
        return float(one.choice != other.choice)
    return (1 - order_tau(*ranks)) / 2
