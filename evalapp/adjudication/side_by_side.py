"""Adjudications, change requests and messages on an output and its reviews, read one page at a time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db.models import Count, Prefetch

from evalapp.adjudication.disagreements import DEFAULT_LEAST_DIFFERENCE, least_spread
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.models import (
    Adjudication,
    AdjudicationRevision,
    ComparisonAdjudication,
    ComparisonAdjudicationRevision,
    DiscussionMessage,
)
from evalapp.adjudication.subjects import as_field
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput, Purpose
from evalapp.reviews.models import Review, Score
from evalapp.reviews.preferences.answers import PreferenceAnswers
from evalapp.reviews.preferences.tasks import preference_of, preference_words
from evalapp.reviews.queries import answers_in_words
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.models import Criterion


class ReviewColumn(NamedTuple):
    """One reviewer's review of an output as a table column; ``answers`` by criterion id."""

    review: Review
    name: str
    answers: dict[int, str]
    tags: dict[int, list[str]]
    correction: str


class CriterionRow(NamedTuple):
    """``cells`` in the order of the columns: the answer in words and the reasons given.

    ``differs``: whether it is a disagreement; ``note``: why different answers are none.
    """

    criterion: Criterion
    cells: list[tuple[str, list[str]]]
    differs: bool
    note: str


class ReviewTable(NamedTuple):
    columns: list[ReviewColumn]
    rows: list[CriterionRow]


def decisions_about(item_outputs: Iterable[ItemOutput]) -> dict[int, list[Adjudication]]:
    """Adjudications by output, in the rubric's order, with their earlier values (``earlier``)."""
    earlier = AdjudicationRevision.objects.select_related("decided_by").order_by("-revision")
    found: dict[int, list[Adjudication]] = defaultdict(list)
    decisions = (
        Adjudication.objects.filter(item_output__in=[each.pk for each in item_outputs])
        .select_related("criterion", "decided_by")
        .prefetch_related(Prefetch("revisions", queryset=earlier, to_attr="earlier"))
        .order_by("criterion__position")
    )
    for decision in decisions:
        found[decision.item_output_id].append(decision)
    return found


class StatedPreferenceLine(NamedTuple):
    """One reviewer's review of a comparison; ``preference`` is of the comparison's own order."""

    review: Review
    name: str
    preference: PreferenceAnswers

    @property
    def words(self) -> str:
        return preference_words(self.preference)


def preferences_beside_each_other(
    campaign: Campaign, comparison: Comparison, names: Names
) -> list[StatedPreferenceLine]:
    """Every review of the comparison, converted to the comparison's own order."""
    given = comparison.reviews.filter(of_reviewer_type(campaign.project), purpose=Purpose.REVIEW)
    return [
        StatedPreferenceLine(
            each,
            names.of(each.reviewer),
            preference_of(each).turned(each.preference.outputs, comparison.outputs),
        )
        for each in given.select_related("reviewer", "preference").order_by("pk")
    ]


def comparison_adjudications_about(comparisons: Iterable[Comparison]) -> dict[int, ComparisonAdjudication]:
    """Adjudications by comparison, with their earlier values (``earlier``, latest first)."""
    earlier = ComparisonAdjudicationRevision.objects.select_related("decided_by").order_by("-revision")
    found = (
        ComparisonAdjudication.objects.filter(comparison__in=[each.pk for each in comparisons])
        .select_related("decided_by")
        .prefetch_related(Prefetch("revisions", queryset=earlier, to_attr="earlier"))
    )
    return {adjudication.comparison_id: adjudication for adjudication in found}


def message_counts(subjects: Sequence[ItemOutput] | Sequence[Comparison]) -> dict[int, int]:
    """The number of messages by subject; all subjects are of one kind."""
    field = next((name for subject in subjects for name in as_field(subject)), "item_output")
    messages = DiscussionMessage.objects.filter(**{f"{field}__in": [each.pk for each in subjects]})
    return dict(messages.values_list(field).annotate(Count("pk")).order_by())


def reviews_beside_each_other(
    campaign: Campaign,
    item_output: ItemOutput,
    names: Names,
    *,
    least_difference: int = DEFAULT_LEAST_DIFFERENCE,
) -> ReviewTable:
    """Every review of the output as a column, and every rated or written criterion as a row.

    ``least_difference``: the least disagreement, as in `worklist_of`.
    """
    reviews = (
        Review.objects.filter(
            of_reviewer_type(campaign.project), item_output=item_output, purpose=Purpose.REVIEW
        )
        .select_related("correction", "reviewer")
        .prefetch_related("scores__criterion", "tags__tag", "texts__criterion", "spans__criterion")
        .order_by("pk")
    )
    columns = [_column(review, names, item_output.output.text) for review in reviews]
    rows = []
    for criterion in Criterion.objects.filter(version=campaign.rubric_version_id).order_by("position"):
        cells = [(each.answers.get(criterion.pk, ""), each.tags.get(criterion.pk, [])) for each in columns]
        scores = [
            score for each in reviews for score in each.scores.all() if score.criterion_id == criterion.pk
        ]
        rows.append(CriterionRow(criterion, cells, *_difference(criterion, scores, least_difference)))
    return ReviewTable(columns, rows)


def _difference(criterion: Criterion, scores: Sequence[Score], least_difference: int) -> tuple[bool, str]:
    """Whether the answers are a disagreement, and why different ones are not."""
    values = [score.value for score in scores if score.value is not None]
    spread = max(values) - min(values) if values else 0
    least = least_spread(criterion, least_difference)
    if spread >= least:
        return True, ""
    if spread:
        return False, f"differ by {spread}; {least} or more are a disagreement here"
    if values and len(values) < len(scores):
        return False, "N/A does not count as a difference"
    return False, ""


def _column(review: Review, names: Names, text: str) -> ReviewColumn:
    tags: dict[int, list[str]] = defaultdict(list)
    for given in review.tags.all():
        tags[given.tag.criterion_id].append(given.tag.label)
    correction = getattr(review, "correction", None)
    return ReviewColumn(
        review,
        names.of(review.reviewer),
        answers_in_words(review, text),
        tags,
        correction.text if correction else "",
    )
