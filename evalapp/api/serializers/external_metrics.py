from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Id, Number, Shown, Text, Whole
from evalapp.scoring.external import LONGEST_NAME, LONGEST_SOURCE
from evalapp.scoring.models import Better, ExternalMetric


class ExternalMetricSerializer(Shown):
    """``metric`` is its name in a comparison: never one of the product's own."""

    class Meta:
        model = ExternalMetric
        fields = ("id", "metric", "name", "better", "smallest", "largest", "source", "created_at")


class ExternalMetricBody(Body):
    name = Text(max_length=LONGEST_NAME)
    better = serializers.ChoiceField(choices=Better.choices)
    smallest = Number(required=False, allow_null=True, default=None, help_text="Of its scale.")
    largest = Number(required=False, allow_null=True, default=None, help_text="Of its scale.")
    source = Text(max_length=LONGEST_SOURCE, required=False, allow_blank=True, default="")


class ScoreBody(Body):
    """The output by its id, or by the row's number in the run's dataset version and the candidate's label."""

    value = Number()
    output = Id(required=False)
    row = Whole(min_value=1, required=False)
    candidate = Text(max_length=80, required=False)
    sample = Whole(required=False, default=0)


class ScoresBody(Body):
    run = Id(required=False, help_text="Needed where scores name row and candidate.")
    scores = ScoreBody(many=True, allow_empty=False)


class ScoreFileBody(Body):
    run = serializers.IntegerField(required=False, min_value=1, help_text="As above.")
    file = serializers.FileField(help_text="JSONL or CSV with the same fields, in UTF-8.")


class StoredScoresSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Another value stood there.")
    unchanged = serializers.IntegerField()


class ExternalScoreSerializer(serializers.Serializer[Any]):
    output = serializers.IntegerField(source="output_id")
    value = serializers.FloatField()
