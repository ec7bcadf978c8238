"""Agreement of reviewers, and correlation of metrics with people, as tables of Measures."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from evalapp.analysis.comparison.differences import SEED
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.reference_candidates import compared_outputs
from evalapp.measure import Measure, one_reason, signature
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion
from evalapp.stats.agreement import krippendorff_alpha, percent_agreement
from evalapp.stats.correlation import METHODS, segment_correlation, system_correlation
from evalapp.stats.pair_ranking import pairwise_accuracy

REPLICATES = 500


class AgreementRow(NamedTuple):
    """``within_one``: only for scales on which people can tell neighbouring levels apart."""

    criterion: Criterion
    alpha: Measure
    exact: Measure
    within_one: Measure | None

    @property
    def reason(self) -> str:
        """Why every measure is undefined; "" if any is defined."""
        return one_reason((self.alpha, self.exact, self.within_one))


class CorrelationRow(NamedTuple):
    """A criterion against a metric: Spearman over all outputs, within items, and between the candidates'
    means; Kendall's tau-b and Pearson over all outputs; the share of pairs of an item's outputs that both
    order alike.
    ``left_out``: the excluded candidates, as in `ComparedOutputs`.
    """

    criterion: Criterion
    spearman: Measure
    within_item: Measure
    between: Measure
    kendall: Measure
    pearson: Measure
    pairs: Measure
    left_out: str = ""


def agreement_rows(scores: CampaignScores) -> list[AgreementRow]:
    """Ordinal alpha (nominal for yes/no) and percent agreement over all outputs of the campaign."""
    rows = []
    for criterion in scores.criteria:
        ratings = scores.ratings(criterion, as_designed=True)
        within = percent_agreement(ratings, within=1.0, seed=SEED, replicates=REPLICATES)
        rows.append(
            AgreementRow(
                criterion,
                krippendorff_alpha(
                    ratings, scale=criterion.rules.agreement_scale, seed=SEED, replicates=REPLICATES
                ),
                percent_agreement(ratings, seed=SEED, replicates=REPLICATES),
                within if criterion.rules.has_mean and not criterion.rules.is_typed else None,
            )
        )
    return rows


def correlation_rows(scores: CampaignScores, metric: MetricDescription) -> list[CorrelationRow]:
    """Correlations of each criterion's output means with a metric. A metric that compares with the reference
    is correlated without candidates that are the reference; the notes then say so.
    """
    outputs, note = compared_outputs(scores, metric)
    items = [output.item_id for output in outputs]
    candidates = [output.candidate_id for output in outputs]
    automatic = [output.metrics.get(metric.name) for output in outputs]
    segment, system = (
        partial(correlation, groups=scores.groups, seed=SEED, replicates=REPLICATES)
        for correlation in (segment_correlation, partial(system_correlation, candidates))
    )
    rows = []
    for criterion in scores.scales:
        means = scores.output_means(criterion)
        human = [means.get(output.item_output_id) for output in outputs]
        spearman, kendall, pearson = (
            segment(items, human, automatic, method=method).with_note(note) for method in METHODS
        )
        pairs = _pairs_alike(scores, criterion, metric, items=items, human=human, automatic=automatic)
        rows.append(
            CorrelationRow(
                criterion,
                spearman,
                segment(items, human, automatic, within_item=True).with_note(note),
                system(items, human, automatic).with_note(note),
                kendall,
                pearson,
                pairs.with_note(note),
                left_out=note,
            )
        )
    return rows


def _pairs_alike(
    scores: CampaignScores,
    criterion: Criterion,
    metric: MetricDescription,
    *,
    items: Sequence[int],
    human: Sequence[float | None],
    automatic: Sequence[float | None],
) -> Measure:
    if metric.better == "none":
        reason = "the metric has no better direction"
        return Measure.undefined(reason, signature=signature("pairwise-accuracy"))
    if criterion.lower_is_better:
        human = [None if value is None else -value for value in human]
    if metric.better == "lower":
        automatic = [None if value is None else -value for value in automatic]
    return pairwise_accuracy(items, human, automatic, groups=scores.groups, seed=SEED, replicates=REPLICATES)
