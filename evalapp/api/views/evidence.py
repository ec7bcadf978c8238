"""What a campaign's numbers are worth: severity of reviewers, trust in metrics, and what metrics add."""

from typing import TypeVar

from evalapp.analysis.kept_metrics import ShownMetrics
from evalapp.analysis.kept_severity import severity_shown
from evalapp.analysis.metric_trust import CriterionTrust
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.prediction_powered import PredictionPoweredMean
from evalapp.analysis.severity import CampaignSeverity
from evalapp.api.operations import operation
from evalapp.api.serializers.analysis import ViewQuery
from evalapp.api.serializers.evidence import (
    CriterionTrustSerializer,
    MetricTrustQuery,
    PredictionPoweredMeanSerializer,
    PredictionPoweredQuery,
    SeveritySerializer,
)
from evalapp.api.views.analysis import AnalysisView, not_computed

Row = TypeVar("Row")


class SeverityDetail(AnalysisView):
    criterion_keys: dict[int, str]

    @operation("Read scores adjusted for severity", query=ViewQuery, result=SeveritySerializer)
    def get(self, campaign_id: int) -> object:
        """Candidates as if every reviewer had scored all their answers, and how severe each reviewer is.

        Where nothing can be fitted the lists are empty and ``reason`` says why. More than 3,000 scores are
        fitted by a job, and the figures are as ``standing`` says.
        """
        view = self.view(campaign_id)
        self.criterion_keys = dict(view.campaign.rubric_version.criteria.values_list("pk", "key"))
        found = severity_shown(view, reviewer_type=self.reviewer_type(), reader_id=self.person.pk)
        shown = {name: getattr(found.severity, name) for name in (*CampaignSeverity._fields, "is_connected")}
        return {**shown, "standing": found.standing, "coverage": found.coverage}


class MetricsView(AnalysisView):
    def shown_metrics(self, campaign_id: int) -> ShownMetrics:
        return ShownMetrics(
            self.view(campaign_id), reviewer_type=self.reviewer_type(), reader_id=self.person.pk
        )


def _computed(rows: list[Row] | None) -> list[Row]:
    if rows is None:
        raise not_computed(AnalysisKind.METRICS)
    return rows


class MetricTrustList(MetricsView):
    @operation(
        "Read which metric to trust", query=MetricTrustQuery, result=CriterionTrustSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """By criterion, the most trusted metric first: Spearman with people over all outputs, in words.

        Of more than 500 outputs it is what computations/ was last asked for.
        """
        return self.page(_computed(self.shown_metrics(campaign_id).trust))

    def key_of(self, row: CriterionTrust) -> str:
        return row.criterion.key


class PredictionPoweredList(MetricsView):
    @operation(
        "Read prediction-powered human means",
        query=PredictionPoweredQuery,
        result=PredictionPoweredMeanSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Each candidate's mean on each scale from its reviews, alone and with the metric of all outputs.

        Of a filtered view the metric counts on the view's own outputs alone. Of a campaign with more than 20,000
        scores it is what computations/ was last asked for.
        """
        shown = self.shown_metrics(campaign_id)
        _computed(shown.metrics if shown.is_computed else None)
        return self.page(_computed(shown.means_with(shown.metric_named(self.query["metric"]))))

    def key_of(self, row: PredictionPoweredMean) -> str:
        return f"{row.candidate.pk}.{row.criterion.key}"
