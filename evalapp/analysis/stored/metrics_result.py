"""Trust in metrics for pages and API: computed at once, or stored by a job."""

from functools import cached_property
from typing import Any

from evalapp.analysis.metrics import metric_trust
from evalapp.analysis.metrics.metric_trust import CriterionTrust, computed_metrics
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean, prediction_powered_means
from evalapp.analysis.models import AnalysisKind, StoredAnalysis
from evalapp.analysis.scores.campaign_scores import CampaignScores, metric_named
from evalapp.analysis.scores.filtered_scores import FilterCoverage, FilteredScores, load_filtered
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.stored.serialisation import OutdatedError, from_json
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    Freshness,
    freshness_of,
    is_large,
    stored_of,
    stored_values_of,
    subjects_of,
)
from evalapp.metrics.metric import MetricDescription
from evalapp.metrics.registry import HEADLINE_METRIC
from evalapp.reviews.counts import CampaignCounts, campaign_counts
from evalapp.reviews.pseudonyms import ReviewerNames, shown_names
from evalapp.rubrics.models import Criterion


class MetricsResult:
    """Computed on demand. ``reviewer_type`` as in `load_scores`.

    Trust in metrics is stored for more than `metric_trust.MOST_OUTPUTS` outputs; the prediction-powered means
    of one metric for a large campaign.
    """

    def __init__(self, view: ComparisonFilter, *, reviewer_type: str, reader_id: int | None) -> None:
        self.view, self.reviewer_type, self.reader_id = view, reviewer_type, reader_id
        self.campaign = view.campaign
        self.request = AnalysisRequest(AnalysisKind.METRICS, reviewer_type, view=view.view)
        self.is_large = is_large(self.campaign, reviewer_type=reviewer_type)
        self._subjects = subjects_of(self.campaign)

    @cached_property
    def freshness(self) -> Freshness | None:
        """Freshness of the stored numbers; None if everything was computed just now."""
        if not self._is_stored:
            return None
        return freshness_of(self.campaign, self.request, self._stored if self._values else None, self._counts)

    @property
    def is_computed(self) -> bool:
        """Whether means are available: for a large campaign, a job may not have computed them yet."""
        return not self.is_large or bool(self._values)

    @property
    def coverage(self) -> FilterCoverage | None:
        return self._values.get("coverage") if self.is_large else self._filtered.coverage

    @property
    def scales(self) -> list[Criterion]:
        return [each for each in self._subjects.criteria.values() if each.rules.has_mean]

    @property
    def has_answers(self) -> bool:
        """Whether any scale has a score."""
        return bool(self.scales and (self.is_large or self._scores.answers))

    @property
    def names(self) -> ReviewerNames:
        numbers = None if self.is_large else self._scores.numbers
        return shown_names(self.campaign, numbers=numbers, reader_id=self.reader_id)

    @cached_property
    def metrics(self) -> list[MetricDescription]:
        """The computed metrics."""
        if self.is_large:
            return list(self._values.get("metrics", ()))
        return computed_metrics(self._scores)

    def metric(self, name: str) -> MetricDescription | None:
        """The named metric, else the headline metric, else the first computed one."""
        by_name = {metric.name: metric for metric in self.metrics}
        names = (name, HEADLINE_METRIC, *by_name)
        return next((by_name[each] for each in names if each in by_name), None)

    def metric_named(self, name: str) -> MetricDescription:
        """The metric of that name. Raises InvalidError for an unknown name."""
        if not self.is_large:
            return self._scores.metric_named(name)
        return metric_named(name, {metric.name: metric for metric in self.metrics})

    @cached_property
    def trust(self) -> list[CriterionTrust] | None:
        """Trust in the metrics by criterion; None until a job has computed it."""
        return self._values.get("trust") if self._is_stored else metric_trust.metric_trust(self._scores)

    def means_with(self, metric: MetricDescription) -> list[PredictionPoweredMean] | None:
        """The prediction-powered means of the metric; None before a job has computed them."""
        if not self.is_large:
            return prediction_powered_means(self._scores, metric, is_view=self.view.is_filtered)
        result = stored_values_of(self.campaign, self.request, metric.name).get(metric.name)
        try:
            found: list[PredictionPoweredMean] | None = result and from_json(
                result["prediction_powered"], self._subjects
            )
        except OutdatedError:
            return None
        return found

    @cached_property
    def _filtered(self) -> FilteredScores:
        return load_filtered(self.view, reviewer_type=self.reviewer_type)

    @property
    def _scores(self) -> CampaignScores:
        return self._filtered.scores

    @cached_property
    def _is_stored(self) -> bool:
        return self.is_large or len(self._scores.outputs) > metric_trust.MOST_OUTPUTS

    @cached_property
    def _counts(self) -> CampaignCounts:
        return campaign_counts(self.campaign, reviewer_type=self.reviewer_type)

    @cached_property
    def _stored(self) -> StoredAnalysis | None:
        return stored_of(self.campaign, self.request)

    @cached_property
    def _values(self) -> dict[str, Any]:
        """The stored numbers for all readers; empty without readable ones."""
        if self._stored is None:
            return {}
        try:
            return {name: from_json(value, self._subjects) for name, value in self._stored.result.items()}
        except OutdatedError:
            return {}
