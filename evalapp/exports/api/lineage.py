"""From a review to the adapters it trained, and back."""

from typing import Any

from django.db.models import prefetch_related_objects
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, operation, route
from evalapp.exports.api.exports import ExportRowSerializer, ExportSerializer
from evalapp.exports.lineage import model_lineage, review_lineage
from evalapp.registry.api.models import ModelVersionSerializer
from evalapp.runs.api.runs import RunSerializer


class ReviewLineageSerializer(serializers.Serializer[Any]):
    """Lineage of a review: the rows it became in exports, and the runs that trained on them."""

    review = serializers.IntegerField(source="review.pk")
    campaign = serializers.IntegerField(source="review.campaign_id")
    candidate = serializers.CharField(source="review.item_output.candidate")
    rows = ExportRowSerializer(many=True)
    runs = RunSerializer(many=True)


class LineageStepSerializer(serializers.Serializer[Any]):
    version = ModelVersionSerializer()
    run = RunSerializer(allow_null=True)
    exports = ExportSerializer(many=True)
    rows = ExportRowSerializer(many=True)


class ModelLineageSerializer(serializers.Serializer[Any]):
    """Lineage of a model: its adapters, runs, data and the feedback behind them, newest first."""

    steps = LineageStepSerializer(many=True)


@route("reviews/<int:review_id>/lineage/", "api_review_lineage")
class ReviewLineage(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    @operation("Follow a review to models", result=ReviewLineageSerializer)
    def get(self, review_id: int) -> object:
        """From a review to the adapters that were trained on it."""
        return review_lineage(self.project, review_id)


@route("models/<int:version_id>/lineage/", "api_model_lineage")
class ModelLineage(ProjectView):
    required_permission = Permission.VIEW_EXPORTS

    @operation("Follow a model back to reviews", result=ModelLineageSerializer)
    def get(self, version_id: int) -> object:
        """From an adapter to the reviews that it was trained on."""
        found = model_lineage(self.project, version_id)
        prefetch_related_objects([step.version for step in found.steps], "model", "created_by")
        return found
