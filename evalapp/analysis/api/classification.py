"""Classification: each candidate's predicted labels against the true ones."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.api.shared import AnalysisView
from evalapp.analysis.metrics.classification import CandidateLabels, classification_of
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.api.fields import MeasureSerializer, Paging
from evalapp.api.operations import operation, route


class ClassScoreSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(allow_null=True)
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    support = serializers.IntegerField(help_text="Number of outputs with this true label.")
    predicted = serializers.IntegerField(help_text="Number of outputs with this predicted label.")


class LabelsSerializer(serializers.Serializer[Any]):
    """``matrix`` has counts, with the true label by row and the predicted label by column, in the order of
    ``labels``; null stands for unparsed outputs. ``macro`` averages the labels that have at least one true
    case.
    """

    macro = MeasureSerializer(source="found.macro")
    weighted = MeasureSerializer(source="found.weighted")
    micro = MeasureSerializer(source="found.micro")
    labels = serializers.ListField(child=serializers.CharField(allow_null=True), source="found.labels")
    matrix = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()), source="found.matrix"
    )
    classes = ClassScoreSerializer(many=True, source="found.classes")
    unparsed = serializers.IntegerField(help_text="Outputs without a predicted label; they count as wrong.")
    missing = serializers.IntegerField(help_text="Outputs without a true label, or not parsed yet.")


class CandidateLabelsSerializer(LabelsSerializer):
    """Predicted labels of one candidate against the true labels."""

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")


class ClassificationQuery(Paging):
    pass


@route("campaigns/<int:campaign_id>/analysis/classification/", "api_classification")
class ClassificationList(AnalysisView):
    @operation("Read F1 of labels", query=ClassificationQuery, result=CandidateLabelsSerializer, paged=True)
    def get(self, campaign_id: int) -> object:
        """One entry per candidate, with its confusion matrix; empty if the dataset has no label parser."""
        return self.page(classification_of(load_scores(self.campaign(campaign_id))))

    def key_of(self, row: CandidateLabels) -> str:
        return f"{row.candidate.position:06d}"
