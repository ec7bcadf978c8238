from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Flag, List, Paging, Shown, Text
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.metrics.labels import LONGEST_LABEL, MOST_LABELS
from evalapp.scoring.labels import LONGEST_FIELD, LONGEST_PATTERN
from evalapp.scoring.models import LabelParser, ParserKind


class LabelParserSerializer(Shown):
    """How a label is read from an output to the dataset's examples."""

    labels = serializers.ListField(child=serializers.CharField(), help_text="Empty: the examples' own.")

    class Meta:
        model = LabelParser
        fields = ("kind", "pattern", "field", "ignore_case", "labels", "created_at")


class LabelParserBody(Body):
    kind = serializers.ChoiceField(choices=ParserKind.choices)
    pattern = Text(max_length=LONGEST_PATTERN, required=False, allow_blank=True, default="")
    field = Text(max_length=LONGEST_FIELD, required=False, allow_blank=True, default="")
    ignore_case = Flag(required=False, default=True)
    labels = List(child=Text(max_length=LONGEST_LABEL), required=False, default=list, max_length=MOST_LABELS)


class ClassScoreSerializer(serializers.Serializer[Any]):
    label = serializers.CharField(allow_null=True)
    precision = serializers.FloatField()
    recall = serializers.FloatField()
    f1 = serializers.FloatField()
    support = serializers.IntegerField(help_text="Outputs whose true label it is.")
    predicted = serializers.IntegerField(help_text="Outputs that say it.")


class CandidateLabelsSerializer(serializers.Serializer[Any]):
    """``matrix``: counts with the true label by row and the said one by column, in the order of ``labels``, where
    null stands for outputs that say no label.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    label = serializers.CharField(source="candidate.model_version.label")
    macro = MeasureSerializer(source="found.macro")
    weighted = MeasureSerializer(source="found.weighted")
    micro = MeasureSerializer(source="found.micro")
    labels = serializers.ListField(child=serializers.CharField(allow_null=True), source="found.labels")
    matrix = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()), source="found.matrix"
    )
    classes = ClassScoreSerializer(many=True, source="found.classes")
    unparsed = serializers.IntegerField(help_text="Outputs that say no label; they count as wrong.")
    missing = serializers.IntegerField(help_text="Outputs without a true label, or not read yet.")


class ClassificationQuery(Paging):
    pass
