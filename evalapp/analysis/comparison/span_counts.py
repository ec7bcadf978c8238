"""How often reviewers marked a candidate's answers with each label of the rubric's span criteria."""

from typing import NamedTuple

from django.db.models import Count, QuerySet

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.campaigns.models import CampaignCandidate, Purpose
from evalapp.measure import Measure
from evalapp.reviews.models import Review, SpanAnswer
from evalapp.reviews.reviewer_types import of_reviewer_type
from evalapp.rubrics.kinds import answered_by
from evalapp.rubrics.models import Criterion
from evalapp.stats.proportions import wilson


class MarkCount(NamedTuple):
    """``outputs``: number of the candidate's outputs with the label, ``marks`` in all; ``share``: among
    reviewed outputs.
    """

    criterion: Criterion
    label: str
    is_undesired: bool
    outputs: int
    marks: int
    share: Measure


class CandidateMarks(NamedTuple):
    candidate: CampaignCandidate
    counts: list[MarkCount]


def marks_by_candidate(
    scores: CampaignScores, *, reviewer_type: str = "all", among: QuerySet[Review] | None = None
) -> list[CandidateMarks]:
    """Every label of every span criterion for each candidate, in the rubric's order; empty for a rubric
    without span criteria. ``reviewer_type`` as in `load_scores`; ``among``: only these reviews.
    """
    campaign = scores.campaign
    criteria = list(
        Criterion.objects.filter(version=campaign.rubric_version_id, kind__in=answered_by("marks")).order_by(
            "position"
        )
    )
    if not criteria:
        return []
    reviews = Review.objects.filter(
        of_reviewer_type(campaign.project, reviewer_type), campaign=campaign, purpose=Purpose.REVIEW
    )
    if among is not None:
        reviews = reviews.filter(pk__in=among.values("pk"))
    reviewed = dict(
        reviews.values_list("item_output__candidate").annotate(Count("item_output", distinct=True)).order_by()
    )
    given = {
        (candidate, criterion, label): (outputs, marks)
        for candidate, criterion, label, outputs, marks in (
            SpanAnswer.objects.filter(review__in=reviews)
            .values_list("review__item_output__candidate", "criterion", "label")
            .annotate(outputs=Count("review__item_output", distinct=True), marks=Count("id"))
            .order_by()
        )
    }
    return [
        CandidateMarks(
            candidate,
            [
                _count(criterion, number, given.get((candidate.pk, criterion.pk, number), (0, 0)), of)
                for criterion in criteria
                for number in range(1, len(criterion.options) + 1)
                if (of := reviewed.get(candidate.pk, 0))
            ],
        )
        for candidate in scores.candidates
    ]


def _count(criterion: Criterion, number: int, given: tuple[int, int], reviewed: int) -> MarkCount:
    option = criterion.options[number - 1]
    outputs, marks = given
    return MarkCount(
        criterion,
        option["label"],
        option["is_undesired"],
        outputs,
        marks,
        wilson(outputs, reviewed, name="marked"),
    )
