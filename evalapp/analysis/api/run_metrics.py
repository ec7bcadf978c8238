"""Automatic metrics, rule checks and labels over all outputs of a run."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.api.classification import LabelsSerializer
from evalapp.analysis.api.comparison import RuleShareSerializer
from evalapp.analysis.metrics.run_metrics import MOST_OUTPUTS, CandidateMetrics, run_metrics
from evalapp.api.fields import MeasureSerializer
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing
from evalapp.runs.models import TRAINING_KINDS
from evalapp.runs.queries import runs_of
from evalapp.scoring.models import CorpusMetric


class CorpusMetricSerializer(serializers.ModelSerializer[CorpusMetric]):
    """A metric of a whole split, such as BLEU; it is not a mean over outputs."""

    class Meta:
        model = CorpusMetric
        fields = ("split", "metric", "value", "reason", "n", "signature")
        read_only_fields = fields


class CandidateMetricsSerializer(serializers.Serializer[Any]):
    """``metrics`` are means over outputs, keyed by the metric's name. ``labels`` is null without a label
    parser.
    """

    model_version = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.label")
    outputs = serializers.IntegerField()
    metrics = serializers.SerializerMethodField()
    rules = serializers.SerializerMethodField()
    corpus = serializers.SerializerMethodField()
    labels = LabelsSerializer(allow_null=True)

    @extend_schema_field(serializers.DictField(child=MeasureSerializer()))
    def get_metrics(self, row: CandidateMetrics) -> Any:
        names = [metric.name for metric in self.context["metrics"]]
        return {
            name: MeasureSerializer(measure).data for name, measure in zip(names, row.metrics, strict=True)
        }

    @extend_schema_field(RuleShareSerializer(many=True))
    def get_rules(self, row: CandidateMetrics) -> Any:
        shares = zip(self.context["rules"], row.rules, strict=True)
        found = [{"rule": rule.pk, "passed": measure} for rule, measure in shares]
        return RuleShareSerializer(found, many=True).data

    @extend_schema_field(CorpusMetricSerializer(many=True))
    def get_corpus(self, row: CandidateMetrics) -> Any:
        return CorpusMetricSerializer([row.corpus[key] for key in sorted(row.corpus)], many=True).data


class MetricChangeSerializer(serializers.Serializer[Any]):
    """A metric of a candidate's answers to counterfactual variants minus that of its answers to the
    originals, over pairs. ``adjusted_p`` is Holm-adjusted over the variants and metrics of the candidate.
    """

    perturbation = serializers.CharField(source="variant.perturbation")
    value = serializers.CharField(source="variant.value")
    metric = serializers.CharField(source="metric.name")
    model_version = serializers.IntegerField(source="candidate.pk")
    difference = MeasureSerializer(source="difference.difference")
    adjusted = MeasureSerializer(help_text="The difference with the interval that the verdict uses.")
    p = MeasureSerializer(source="difference.p")
    adjusted_p = serializers.FloatField(allow_null=True)
    verdict = serializers.ChoiceField(
        choices=("better", "worse", "different", "undecided", "untested"),
        help_text="Verdict on the variants; “different” if the metric has no better direction.",
    )


class RunMetricsSerializer(serializers.Serializer[Any]):
    drawn_of = serializers.IntegerField(
        help_text=f"Of how many outputs {MOST_OUTPUTS:,} were drawn at random; 0 where all are counted."
    )
    candidates = serializers.SerializerMethodField()

    counterfactuals = MetricChangeSerializer(
        many=True, help_text="If the rows are counterfactual pairs: the changes, clearest first."
    )

    @extend_schema_field(CandidateMetricsSerializer(many=True))
    def get_candidates(self, found: Any) -> Any:
        context = {"metrics": found.metrics, "rules": found.rules}
        return CandidateMetricsSerializer(found.candidates, many=True, context=context).data


@route("runs/<int:run_id>/metrics/", "api_run_metrics")
class RunMetricsDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read a run's metrics", result=RunMetricsSerializer)
    def get(self, run_id: int) -> object:
        """Over all outputs of a generation or an import, reviewed or not."""
        run = get_or_missing(runs_of(self.project).exclude(kind__in=TRAINING_KINDS), pk=run_id)
        return run_metrics(run)
