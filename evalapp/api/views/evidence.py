"""What a campaign's numbers are worth: severity of reviewers, trust in metrics, and what metrics add."""

from evalapp.analysis.kept_severity import severity_shown
from evalapp.analysis.metric_trust import MOST_OUTPUTS, CriterionTrust, metric_trust
from evalapp.analysis.prediction_powered import NarrowedMean, narrowed_means
from evalapp.analysis.severity import CampaignSeverity
from evalapp.api.operations import operation
from evalapp.api.serializers.analysis import ViewQuery
from evalapp.api.serializers.evidence import (
    CriterionTrustSerializer,
    MetricTrustQuery,
    NarrowedMeanSerializer,
    NarrowedQuery,
    SeveritySerializer,
)
from evalapp.api.views.analysis import AnalysisView
from evalapp.core.errors import InvalidError


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
        found = severity_shown(view, people=self.people(), reader_id=self.person.pk)
        shown = {name: getattr(found.severity, name) for name in (*CampaignSeverity._fields, "is_connected")}
        return {**shown, "standing": found.standing, "kept": found.kept}


class MetricTrustList(AnalysisView):
    @operation(
        "Read which metric to trust", query=MetricTrustQuery, result=CriterionTrustSerializer, paged=True
    )
    def get(self, campaign_id: int) -> object:
        """By criterion, the most trusted metric first: Spearman with people over all outputs, in words."""
        scores = self.narrowed(campaign_id).scores
        if len(scores.outputs) > MOST_OUTPUTS:
            raise InvalidError(
                f"This campaign has more than {MOST_OUTPUTS:,} outputs: too many to compare every metric while "
                "you wait. Ask for agreement/?metric=… instead, one metric at a time."
            )
        return self.page(metric_trust(scores))

    def key_of(self, row: CriterionTrust) -> str:
        return row.criterion.key


class PredictionPoweredList(AnalysisView):
    @operation(
        "Read human means narrowed by a metric",
        query=NarrowedQuery,
        result=NarrowedMeanSerializer,
        paged=True,
    )
    def get(self, campaign_id: int) -> object:
        """Each candidate's mean on each scale from its reviews, alone and with the metric of all outputs.

        Of a filtered view the metric counts on the view's own outputs alone.
        """
        scores, kept, _ = self.narrowed(campaign_id)
        metric = scores.metric_named(self.query["metric"])
        return self.page(narrowed_means(scores, metric, is_view=kept is not None))

    def key_of(self, row: NarrowedMean) -> str:
        return f"{row.candidate.pk}.{row.criterion.key}"
