from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Flag, Id, List, Number, Shown, Text, Whole
from evalapp.scoring.external import LONGEST_NAME, LONGEST_SOURCE, StoredScores
from evalapp.scoring.external_rows import LONGEST_ITEM, MOST_SCORES, told
from evalapp.scoring.models import Better, ExternalMetric

_ITEM_FIELD = "The rows' metadata field that “item” names; left out: their ids (“item”, “id” or the like)."
_CHECKS_ONLY = "Store nothing; tell what would be joined by what, and what cannot be."


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
    """The output by its id, or by the candidate's label and the row: ``item``, its value of the metadata field
    ``item_field``, or ``row``, its number in the run's dataset version, where the rows have no ids.
    """

    value = Number()
    output = Id(required=False)
    item = Text(max_length=LONGEST_ITEM, required=False)
    row = Whole(min_value=1, required=False)
    candidate = Text(max_length=80, required=False)
    sample = Whole(required=False, default=0)


class ScoresBody(Body):
    run = Id(required=False, help_text="Needed where scores name item or row, and candidate.")
    item_field = Text(max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD)
    checks_only = Flag(required=False, default=False, help_text=_CHECKS_ONLY)
    scores = List(child=ScoreBody(), min_length=1, max_length=MOST_SCORES)


class ScoreFileBody(Body):
    run = serializers.IntegerField(required=False, min_value=1, help_text="As above.")
    item_field = serializers.CharField(
        max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD
    )
    checks_only = serializers.BooleanField(required=False, default=False, help_text=_CHECKS_ONLY)
    file = serializers.FileField(help_text="JSONL or CSV with the same fields, in UTF-8.")


class StoredScoresSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Another value stood there.")
    unchanged = serializers.IntegerField()
    joined_by = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many were joined by “output id”, by a metadata field (its name) or by “row number”.",
    )
    without_score = serializers.IntegerField(
        allow_null=True, help_text="Outputs of the run that no score names; null without a run."
    )
    problems = serializers.SerializerMethodField(help_text="Scores that cannot be used; empty once stored.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_problems(self, stored: StoredScores) -> list[str]:
        return told(stored.problems)


class ExternalScoreSerializer(serializers.Serializer[Any]):
    output = serializers.IntegerField(source="output_id")
    value = serializers.FloatField()
