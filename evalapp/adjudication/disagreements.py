"""Disagreements on a criterion of an output or on a comparison, and whether they are adjudicated."""

import math
from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from django.db.models import Count, F, Max, Min, Q, QuerySet
from django.utils.text import Truncator

from evalapp.adjudication.models import Adjudication
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput, Purpose
from evalapp.reviews.models import Score
from evalapp.reviews.preferences.distance import (
    DifferingPreferences,
    GivenPreference,
    differing_preferences,
    given_preferences,
)
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.models import Criterion

LEAST_DIFFERENCE_CHOICES = (1, 2, 3, 4)
DEFAULT_LEAST_DIFFERENCE = 2
LONGEST_EXCERPT = 160


class Disagreement(NamedTuple):
    """A criterion of one output on which the lowest and the highest answer differ; N/A is left out.

    ``distance`` is in points on a scale of 1 to 5; for yes/no and category it is 4.
    """

    item_output_id: int
    criterion: Criterion
    low: int
    high: int
    answers: int
    distance: float
    is_decided: bool

    @property
    def words(self) -> str:
        """The lowest and the highest answer in words: “1 to 4”, “no and yes”."""
        return self.criterion.rules.answer_between(self.low, self.high)


class DisputedOutput(NamedTuple):
    """An output with its disagreements in the rubric's order."""

    item_output_id: int
    disagreements: list[Disagreement]

    @property
    def subject_id(self) -> int:
        return self.item_output_id

    @property
    def total(self) -> int:
        return len(self.disagreements)

    @property
    def decided(self) -> int:
        return sum(each.is_decided for each in self.disagreements)


class DisputedComparison(NamedTuple):
    """A comparison on which preferences differ; as `DifferingPreferences`, with whether it is adjudicated."""

    differing: DifferingPreferences[GivenPreference]
    is_adjudicated: bool

    @property
    def subject_id(self) -> int:
        return self.differing.comparison_id

    @property
    def total(self) -> int:
        return 1

    @property
    def decided(self) -> int:
        return int(self.is_adjudicated)


Row = TypeVar("Row", bound=DisputedOutput | DisputedComparison)


class Worklist(NamedTuple, Generic[Row]):
    """Subjects on which reviewers differ, farthest apart first."""

    rows: list[Row]

    @property
    def total(self) -> int:
        return sum(each.total for each in self.rows)

    @property
    def decided(self) -> int:
        return sum(each.decided for each in self.rows)

    def chosen(self, state: str) -> list[Row]:
        """The subjects that are ``open``, ``decided``, or ``all``."""
        wanted = {"open": (False,), "decided": (True,), "all": (False, True)}[state]
        return [each for each in self.rows if (each.decided == each.total) in wanted]

    def next_open(
        self, *, after: int | None = None, without: set[int] | frozenset[int] = frozenset()
    ) -> int | None:
        """The next subject to adjudicate, in the list's order after ``after``, then from its start."""
        ids = [each.subject_id for each in self.rows]
        start = ids.index(after) + 1 if after in ids else 0
        for each in (*self.rows[start:], *self.rows[:start]):
            if each.decided < each.total and each.subject_id not in without and each.subject_id != after:
                return each.subject_id
        return None


def rated_criteria(campaign: Campaign) -> list[Criterion]:
    """The criteria that have levels; texts have no distance."""
    criteria = Criterion.objects.filter(version=campaign.rubric_version_id).prefetch_related("reason_tags")
    return [criterion for criterion in criteria.order_by("position") if criterion.levels]


def disputed_comparisons(campaign: Campaign) -> Worklist[DisputedComparison]:
    """Every comparison on which at least two preferences differ. Simulated ones count as in `worklist_of`."""
    decided = set(campaign.comparison_adjudications.values_list("comparison_id", flat=True))
    counted = campaign.reviews.filter(of_reviewer_type(campaign.project))
    found = differing_preferences(given_preferences(counted))
    return Worklist([DisputedComparison(each, each.comparison_id in decided) for each in found])


def worklist_of(
    campaign: Campaign, *, least_difference: int = DEFAULT_LEAST_DIFFERENCE
) -> Worklist[DisputedOutput]:
    """Every criterion of an output on which two reviewers' answers differ by at
    least ``least_difference``.

    Scales of other ranges are rescaled to 1–5; for yes/no and category any difference counts. Simulated
    answers count only in demonstrations, as everywhere.
    """
    criteria = {criterion.pk: criterion for criterion in rated_criteria(campaign)}
    if not criteria:
        return Worklist([])
    far = Q()
    for criterion in criteria.values():
        far |= Q(criterion=criterion.pk, spread__gte=least_spread(criterion, least_difference))
    rows = (
        _counted_scores(campaign)
        .filter(criterion__in=criteria)
        .values("review__item_output", "criterion")
        .annotate(low=Min("value"), high=Max("value"), answers=Count("pk"), spread=F("high") - F("low"))
        .filter(far, answers__gt=1)
        .order_by("review__item_output")
    )
    decided = set(
        Adjudication.objects.filter(campaign=campaign).values_list("item_output_id", "criterion_id")
    )
    found: dict[int, list[Disagreement]] = {}
    for row in rows:
        output_id, criterion = row["review__item_output"], criteria[row["criterion"]]
        found.setdefault(output_id, []).append(
            Disagreement(
                item_output_id=output_id,
                criterion=criterion,
                low=row["low"],
                high=row["high"],
                answers=row["answers"],
                distance=_distance(criterion, row["high"] - row["low"]),
                is_decided=(output_id, criterion.pk) in decided,
            )
        )
    outputs = [
        DisputedOutput(output_id, sorted(each, key=lambda one: one.criterion.position))
        for output_id, each in found.items()
    ]
    outputs.sort(key=lambda each: (-max(one.distance for one in each.disagreements), each.item_output_id))
    return Worklist(outputs)


def _counted_scores(campaign: Campaign) -> QuerySet[Score]:
    return Score.objects.filter(
        of_reviewer_type(campaign.project, review="review__"),
        review__campaign=campaign,
        review__purpose=Purpose.REVIEW,
        value__isnull=False,
    )


def least_spread(criterion: Criterion, least_difference: int) -> int:
    """The smallest difference in the criterion's own levels that counts as a disagreement."""
    return max(1, math.ceil(least_difference * criterion.rules.span / 4))


def _distance(criterion: Criterion, spread: int) -> float:
    return 4 * criterion.rules.apart(spread)


def excerpts_of(campaign: Campaign, subject_ids: Sequence[int]) -> dict[int, str]:
    """The beginning of each output's text, or of the prompt of the compared outputs."""
    if campaign.compares:
        compared = Comparison.objects.select_related("item__example").in_bulk(subject_ids)
        texts = {pk: each.item.example.prompt_text for pk, each in compared.items()}
    else:
        texts = dict(ItemOutput.objects.filter(pk__in=subject_ids).values_list("pk", "output__text"))
    return {pk: Truncator(" ".join(text.split())).chars(LONGEST_EXCERPT) for pk, text in texts.items()}
