"""A campaign's answers as plain columns: what every table and chart of the analysis starts from."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from evalapp.campaigns.models import Campaign, CampaignCandidate, ItemOutput
from evalapp.reviews.models import ReviewTag, Score
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.scoring.models import MetricResult
from evalapp.stats.ratings import Ratings


class Answer(NamedTuple):
    """One reviewer's answer to one criterion about one output; ``value`` None is N/A."""

    item_id: int
    item_output_id: int
    candidate_id: int
    reviewer_id: int
    criterion_id: int
    value: int | None
    is_simulated: bool


class GivenTag(NamedTuple):
    candidate_id: int
    item_output_id: int
    review_id: int
    criterion_id: int
    tag_id: int
    label: str


class ReviewedOutput(NamedTuple):
    """An output under review with its metric values; a metric that is undefined is absent."""

    item_output_id: int
    item_id: int
    candidate_id: int
    output_id: int
    metrics: dict[str, float]


@dataclass(frozen=True)
class CampaignScores:
    """Everything said about a campaign's outputs, by people and by metrics.

    ``candidates`` and ``criteria`` are in their order on every page.
    """

    campaign: Campaign
    candidates: list[CampaignCandidate]
    criteria: list[Criterion]
    answers: list[Answer]
    tags: list[GivenTag]
    outputs: list[ReviewedOutput]

    @property
    def scales(self) -> list[Criterion]:
        return [criterion for criterion in self.criteria if criterion.kind == CriterionKind.SCALE]

    @property
    def yes_no(self) -> list[Criterion]:
        return [criterion for criterion in self.criteria if criterion.kind == CriterionKind.YES_NO]

    def ratings(self, criterion: Criterion, candidate: CampaignCandidate | None = None) -> Ratings:
        """One criterion's answers, of one candidate (items are items) or of all (items are outputs)."""
        chosen = [
            answer
            for answer in self.answers
            if answer.criterion_id == criterion.pk
            and (candidate is None or answer.candidate_id == candidate.pk)
        ]
        key = _item if candidate is not None else _item_output
        return Ratings.from_columns(
            [key(answer) for answer in chosen],
            [answer.reviewer_id for answer in chosen],
            [answer.value for answer in chosen],
        )

    def totals(self, candidate: CampaignCandidate) -> Ratings:
        """Each review's weighted mean over scale criteria, stretched to 1–5; N/A answers are left out."""
        weights = {criterion.pk: criterion for criterion in self.scales}
        sums: dict[tuple[int, int], list[float]] = {}
        for answer in self.answers:
            criterion = weights.get(answer.criterion_id)
            if criterion is None or answer.candidate_id != candidate.pk or answer.value is None:
                continue
            cell = sums.setdefault((answer.item_id, answer.reviewer_id), [0.0, 0.0])
            weight = float(criterion.weight)
            cell[0] += weight * stretched(answer.value, criterion)
            cell[1] += weight
        cells = [(key, total / weight) for key, (total, weight) in sums.items() if weight]
        return Ratings.from_columns(
            [item for (item, _), _ in cells],
            [reviewer for (_, reviewer), _ in cells],
            [score for _, score in cells],
        )

    def output_means(self, criterion: Criterion) -> dict[int, float]:
        """Mean answer per item output, N/A excluded."""
        return _means(
            (answer.item_output_id, answer.value)
            for answer in self.answers
            if answer.criterion_id == criterion.pk
        )

    def metric_values(self, metric: str, candidate: CampaignCandidate) -> dict[int, float]:
        """Metric value per item of one candidate."""
        return {
            output.item_id: output.metrics[metric]
            for output in self.outputs
            if output.candidate_id == candidate.pk and metric in output.metrics
        }

    @property
    def reviewer_ids(self) -> list[int]:
        """In order of first answer, which gives them their pseudonyms."""
        return list(dict.fromkeys(answer.reviewer_id for answer in self.answers))

    @property
    def has_simulated(self) -> bool:
        return any(answer.is_simulated for answer in self.answers)


def load_scores(campaign: Campaign, *, people: str = "all") -> CampaignScores:
    """Read a campaign's answers. ``people`` is "all", "human" or "simulated".

    Outside a demonstration project simulated answers are never read.
    """
    scores = Score.objects.filter(review__campaign=campaign)
    tags = ReviewTag.objects.filter(review__campaign=campaign)
    if people == "human" or not campaign.project.is_demonstration:
        scores, tags = scores.filter(review__is_simulated=False), tags.filter(review__is_simulated=False)
    elif people == "simulated":
        scores, tags = scores.filter(review__is_simulated=True), tags.filter(review__is_simulated=True)
    columns = scores.order_by("review_id", "criterion_id").values_list(
        "review__item_output__item_id",
        "review__item_output_id",
        "review__item_output__candidate_id",
        "review__reviewer_id",
        "criterion_id",
        "value",
        "review__is_simulated",
    )
    tag_columns = tags.order_by("review_id", "tag_id").values_list(
        "review__item_output__candidate_id",
        "review__item_output_id",
        "review_id",
        "tag__criterion_id",
        "tag_id",
        "tag__label",
    )
    return CampaignScores(
        campaign=campaign,
        candidates=list(campaign.candidates.select_related("model_version").order_by("position")),
        criteria=list(campaign.rubric_version.criteria.all()),
        answers=[Answer(*row) for row in columns.iterator(chunk_size=5000)],
        tags=[GivenTag(*row) for row in tag_columns.iterator(chunk_size=5000)],
        outputs=_outputs(campaign),
    )


def _outputs(campaign: Campaign) -> list[ReviewedOutput]:
    rows = ItemOutput.objects.filter(item__campaign=campaign).order_by("pk")
    metrics: dict[int, dict[str, float]] = {}
    values = MetricResult.objects.filter(output__item_outputs__item__campaign=campaign, value__isnull=False)
    for output_id, metric, value in values.values_list("output_id", "metric", "value").iterator(
        chunk_size=5000
    ):
        metrics.setdefault(output_id, {})[metric] = value
    return [
        ReviewedOutput(pk, item_id, candidate_id, output_id, metrics.get(output_id, {}))
        for pk, item_id, candidate_id, output_id in rows.values_list(
            "pk", "item_id", "candidate_id", "output_id"
        )
    ]


def stretched(value: float, criterion: Criterion) -> float:
    """A scale's value on 1–5, so that criteria of different ranges can be averaged."""
    return 1 + 4 * (value - criterion.minimum) / (criterion.maximum - criterion.minimum)


def _item(answer: Answer) -> int:
    return answer.item_id


def _item_output(answer: Answer) -> int:
    return answer.item_output_id


def _means(pairs: Iterable[tuple[int, int | None]]) -> dict[int, float]:
    sums: dict[int, list[float]] = {}
    for key, value in pairs:
        if value is not None:
            cell = sums.setdefault(key, [0.0, 0.0])
            cell[0] += value
            cell[1] += 1
    return {key: total / count for key, (total, count) in sums.items()}
