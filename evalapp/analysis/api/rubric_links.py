"""Two versions of a rubric, linked by what was scored under both."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.analysis.comparison.version_link import link_versions
from evalapp.api.fields import MeasureSerializer, Query
from evalapp.api.operations import ProjectView, operation, route
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.queries import versions_of


class VersionLinkQuery(Query):
    earlier = serializers.IntegerField(
        min_value=1, required=False, default=None, help_text="Number of the earlier version."
    )
    later = serializers.IntegerField(
        min_value=1, required=False, default=None, help_text="Number of the later version."
    )


class LevelReadingSerializer(serializers.Serializer[Any]):
    level = serializers.IntegerField()
    n = serializers.IntegerField()
    mean = serializers.FloatField()


class CriterionLinkSerializer(serializers.Serializer[Any]):
    """The later score minus the earlier one, on a scale of 1 to 5, by the same reviewer on the same output.
    ``equal`` counts the ``pairs`` with the same level; null if the ranges of the scales differ.
    """

    criterion = serializers.CharField(source="after.key")
    difference = MeasureSerializer(source="difference.difference")
    pairs = serializers.IntegerField()
    equal = serializers.IntegerField(allow_null=True)
    reads = serializers.ChoiceField(choices=("alike", "higher", "lower", "unclear", "unknown"))
    readings = LevelReadingSerializer(many=True)


class VersionLinkSerializer(serializers.Serializer[Any]):
    """``outputs`` and ``reviewers`` count the anchors: outputs that the same people scored under both
    versions.
    """

    criteria = CriterionLinkSerializer(many=True)
    only_before = serializers.ListField(child=serializers.CharField())
    only_after = serializers.ListField(child=serializers.CharField())
    outputs = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    is_simulated = serializers.BooleanField()


@route("rubrics/<int:rubric_id>/link/", "api_rubric_link")
class RubricLink(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS

    @operation("Link two versions of a rubric", query=VersionLinkQuery, result=VersionLinkSerializer)
    def get(self, rubric_id: int) -> object:
        """The difference between scores under two versions of a rubric, on outputs that the same people
        scored under both. Default: the latest two versions; 404 if there are not two.
        """
        versions = versions_of(get_or_missing(self.project.rubrics.all(), pk=rubric_id))
        later = self._version(versions, self.query["later"])
        earlier = self._version(versions.filter(number__lt=later.number), self.query["earlier"])
        return link_versions(earlier, later)

    @staticmethod
    def _version(versions: QuerySet[RubricVersion], number: int | None) -> RubricVersion:
        """The version with this number, or the latest."""
        found = versions.first() if number is None else versions.filter(number=number).first()
        if found is None:
            raise MissingError("There is no such version, or the first is not earlier than the second.")
        return found
