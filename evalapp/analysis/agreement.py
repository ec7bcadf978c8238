"""How far reviewers agree, and how far metrics follow people: tables of Measures."""

from typing import NamedTuple

from evalapp.analysis.differences import SEED
from evalapp.analysis.scores import CampaignScores
from evalapp.measure import Measure, one_reason
from evalapp.metrics.catalogue import MetricDescription
from evalapp.rubrics.drafts import MOST_BUTTONS
from evalapp.rubrics.models import Criterion, CriterionKind
from evalapp.stats.agreement import krippendorff_alpha, percent_agreement
from evalapp.stats.correlation import segment_correlation

REPLICATES = 500


class AgreementRow(NamedTuple):
    """``within_one`` is for scales only, on which one level is a step that people can tell."""

    criterion: Criterion
    alpha: Measure
    exact: Measure
    within_one: Measure | None

    @property
    def reason(self) -> str:
        """Why all of it is undefined; "" where something is defined."""
        return one_reason((self.alpha, self.exact, self.within_one))


class CorrelationRow(NamedTuple):
    criterion: Criterion
    spearman: Measure
    within_item: Measure


def agreement_rows(scores: CampaignScores) -> list[AgreementRow]:
    """Ordinal alpha (nominal for yes/no) and percent agreement over all outputs of the campaign."""
    rows = []
    for criterion in scores.criteria:
        ratings = scores.ratings(criterion, as_designed=True)
        is_scale = criterion.kind == CriterionKind.SCALE
        within = percent_agreement(ratings, within=1.0, seed=SEED, replicates=REPLICATES)
        rows.append(
            AgreementRow(
                criterion,
                krippendorff_alpha(
                    ratings, scale="ordinal" if is_scale else "nominal", seed=SEED, replicates=REPLICATES
                ),
                percent_agreement(ratings, seed=SEED, replicates=REPLICATES),
                within if is_scale and len(criterion.levels) <= MOST_BUTTONS else None,
            )
        )
    return rows


def correlation_rows(scores: CampaignScores, metric: MetricDescription) -> list[CorrelationRow]:
    """Spearman of each criterion's output means with a metric, over all outputs and within items."""
    items = [output.item_id for output in scores.outputs]
    automatic = [output.metrics.get(metric.name) for output in scores.outputs]
    rows = []
    for criterion in scores.scales:
        means = scores.output_means(criterion)
        human = [means.get(output.item_output_id) for output in scores.outputs]
        overall, within = (
            segment_correlation(
                items, human, automatic, within_item=within_item, seed=SEED, replicates=REPLICATES
            )
            for within_item in (False, True)
        )
        rows.append(CorrelationRow(criterion, overall, within))
    return rows
