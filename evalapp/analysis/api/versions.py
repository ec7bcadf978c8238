"""Progress over a dataset's versions."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.versions.progress import ProgressRow, progress_of
from evalapp.analysis.versions.reasons import reason_changes
from evalapp.api.fields import MeasureSerializer
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.http import get_or_missing


class ProgressStepSerializer(serializers.Serializer[Any]):
    """``change`` is the difference from the previous version, paired by item; null for the first version."""

    version = serializers.IntegerField(source="version.number")
    mean = MeasureSerializer()
    change = MeasureSerializer(allow_null=True)
    others = serializers.IntegerField(help_text="Number of further items that its models answered.")


class ProgressRowSerializer(serializers.Serializer[Any]):
    """A criterion or metric on the ``shared`` items, which the models of all versions answered."""

    key = serializers.CharField()
    label = serializers.CharField()
    lower_is_better = serializers.BooleanField(
        allow_null=True, help_text="Null if neither direction is better."
    )
    shared = serializers.IntegerField()
    steps = ProgressStepSerializer(many=True)
    left_out = serializers.SerializerMethodField(help_text="Versions whose models answered other items.")

    def get_left_out(self, row: ProgressRow) -> list[int]:
        return [version.number for version in row.left_out]


class ReasonStepSerializer(serializers.Serializer[Any]):
    """``before`` and ``after`` are shares of reviews that give the reason; ``rows`` counts new training rows
    made from such reviews.
    """

    label = serializers.CharField()
    criterion = serializers.CharField()
    before = serializers.FloatField()
    after = serializers.FloatField()
    rows = serializers.IntegerField()


class ReasonChangeSerializer(serializers.Serializer[Any]):
    before = serializers.IntegerField(source="before.number")
    after = serializers.IntegerField(source="after.number")
    items = serializers.IntegerField()
    steps = ReasonStepSerializer(many=True)


class DatasetProgressSerializer(serializers.Serializer[Any]):
    """``hidden`` lists campaigns that you review blind; their scores are left out."""

    versions = serializers.ListField(child=serializers.IntegerField())
    measures = ProgressRowSerializer(many=True)
    reasons = ReasonChangeSerializer(many=True)
    hidden = serializers.ListField(child=serializers.IntegerField())


@route("datasets/<int:dataset_id>/progress/", "api_dataset_progress")
class DatasetProgressDetail(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Read progress over versions", result=DatasetProgressSerializer)
    def get(self, dataset_id: int) -> object:
        """Scores and metrics of the models trained on each version, on the items that all of them answered,
        and reasons in reviews beside the new training rows.
        """
        dataset = get_or_missing(self.project.datasets.select_related("project"), pk=dataset_id)
        found = progress_of(dataset, self.person)
        versions = [each.version for each in found.trained]
        return {
            "versions": [version.number for version in versions],
            "measures": found.rows,
            "reasons": reason_changes(dataset, versions, found.seen),
            "hidden": [campaign.pk for campaign in found.hidden],
        }
