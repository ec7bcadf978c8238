"""Human means of few reviews, made more precise by a metric computed for all outputs."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.finder_campaign import why_no_means
from evalapp.campaigns.models import CampaignCandidate
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.scoring.models import MetricResult
from evalapp.stats.prediction_powered import (
    NO_NARROWER,
    UNCERTAIN,
    PredictionPowered,
    in_words,
    prediction_powered_mean,
)


class PredictionPoweredMean(NamedTuple):
    """A candidate's mean on a criterion, classical and prediction-powered; ``sentence`` states the gain, or
    why there is none.
    """

    candidate: CampaignCandidate
    criterion: Criterion
    found: PredictionPowered
    sentence: str

    @property
    def caution(self) -> str:
        """A caution against over-reading the gain; empty if none is needed."""
        sentences = [
            UNCERTAIN if self.found.is_uncertain else "",
            NO_NARROWER if self.found.is_no_narrower else "",
        ]
        return " ".join(filter(None, sentences))

    @property
    def worth(self) -> float | None:
        """How many more reviewed items the metric is worth, as a share of the reviewed ones."""
        gain = self.found.gain.value
        return None if gain is None else max(gain - 1, 0.0)


def prediction_powered_means(
    scores: CampaignScores, metric: MetricDescription, *, is_view: bool = False
) -> list[PredictionPoweredMean]:
    """Prediction-powered means of every scale criterion, by candidate.

    The metric's other values come from the campaign's outputs without a review and, in the runs that the
    candidate's outputs came from, from outputs for other examples of the same split. ``is_view``: the scores
    are filtered, so other examples are outside the view and do not count.
    """
    if why_no_means(scores):
        return []
    beyond = {} if is_view else _values_outside_campaign(scores, metric)
    found = []
    for candidate in scores.candidates:
        values: dict[Hashable, float | None] = {
            output.item_id: output.metrics.get(metric.name) for output in scores.outputs_of(candidate)
        }
        values |= {("beyond", position): each for position, each in enumerate(beyond.get(candidate.pk, []))}
        for criterion in scores.scales:
            mean = prediction_powered_mean(
                scores.numbers_given(criterion, candidate),
                values,
                population=scores.population,
                bounds=criterion.rules.range,
            )
            found.append(PredictionPoweredMean(candidate, criterion, mean, in_words(mean)))
    return found


def why_none_gain(means: Sequence[PredictionPoweredMean]) -> str:
    """The common reason why the metric narrows none of the means; empty if it narrows any, or the reasons
    differ.
    """
    reasons = {each.found.mean.reason for each in means}
    return reasons.pop() if len(reasons) == 1 else ""


def _values_outside_campaign(scores: CampaignScores, metric: MetricDescription) -> dict[int, list[float]]:
    """By campaign candidate: the metric on examples outside the campaign, in a fixed order; the newest output
    of each.
    """
    campaign = scores.campaign
    candidates = {candidate.model_version_id: candidate.pk for candidate in scores.candidates}
    rows = (
        MetricResult.objects.filter(
            metric=metric.name,
            value__isnull=False,
            output__run__in={output.run_id for output in scores.outputs},
            output__candidate__in=candidates,
            output__example__split=campaign.split,
            output__sample_index=0,
        )
        .exclude(output__example__in=campaign.items.values("example"))
        .order_by("output_id")
        .values_list("output__candidate_id", "output__example_id", "value")
    )
    found: dict[int, dict[int, float]] = {pk: {} for pk in candidates.values()}
    for version_id, example_id, value in rows:
        if value is not None:
            found[candidates[version_id]][example_id] = value
    return {pk: list(values.values()) for pk, values in found.items()}
