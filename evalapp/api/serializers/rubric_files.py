from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Query, Text
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.rubrics.interchange import LARGEST_FILE


class RubricFileBody(Body):
    yaml = Text(max_length=LARGEST_FILE)
    name = Text(max_length=120, allow_blank=True, default="", help_text="Instead of the file's own.")


class RubricFileSerializer(serializers.Serializer[Any]):
    yaml = serializers.CharField()


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
    """Later less earlier, on 1 to 5, by the same reviewer on the same output. ``equal``: how many of the
    ``pairs`` answers are the same level; null where the ranges differ.
    """

    criterion = serializers.CharField(source="after.key")
    difference = MeasureSerializer(source="difference.difference")
    pairs = serializers.IntegerField()
    equal = serializers.IntegerField(allow_null=True)
    reads = serializers.ChoiceField(choices=("alike", "higher", "lower", "unclear", "unknown"))
    readings = LevelReadingSerializer(many=True)


class VersionLinkSerializer(serializers.Serializer[Any]):
    """``outputs`` and ``reviewers`` count the anchors: what the same people scored under both versions."""

    criteria = CriterionLinkSerializer(many=True)
    only_before = serializers.ListField(child=serializers.CharField())
    only_after = serializers.ListField(child=serializers.CharField())
    outputs = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    is_simulated = serializers.BooleanField()
