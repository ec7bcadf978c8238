from typing import Any

from rest_framework import serializers

from evalapp.analysis.tuning_answer import Verdict
from evalapp.api.serializers.analysis import (
    CoverageSerializer,
    DifferenceSerializer,
    StandingSerializer,
    UsageSerializer,
    ViewQuery,
)
from evalapp.api.serializers.common import MeasureSerializer


class TuningQuery(ViewQuery):
    candidate = serializers.CharField(
        required=False,
        default="",
        max_length=20,
        help_text="Id of a tuned model version; else one is proposed.",
    )
    campaign = serializers.CharField(
        required=False,
        default="",
        max_length=20,
        help_text="Where it is held against a prompt; else the most reviewed.",
    )


class TuningAnswerSerializer(serializers.Serializer[Any]):
    """``more_reviews`` of each candidate would decide an open one, if the difference stays; null where that is not
    to be expected.
    """

    verdict = serializers.ChoiceField(choices=[each.value for each in Verdict])
    words = serializers.CharField()
    more_reviews = serializers.IntegerField(allow_null=True)


class ContestantSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk", help_text="In the campaign.")
    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")
    kind = serializers.CharField(source="model_version.kind")


class TriesSerializer(serializers.Serializer[Any]):
    """Which of the prompts tried on the base this is."""

    number = serializers.IntegerField()
    of = serializers.IntegerField()


class MetricDifferenceSerializer(serializers.Serializer[Any]):
    """``difference`` is of the same items; null of a large campaign, where it is not computed."""

    metric = serializers.CharField(source="metric.name")
    tuned = MeasureSerializer()
    other = MeasureSerializer()
    difference = MeasureSerializer(allow_null=True)


class AgainstSerializer(serializers.Serializer[Any]):
    """The tuned candidate less this one."""

    candidate = ContestantSerializer(source="row.candidate")
    tries = TriesSerializer(source="named_tries", allow_null=True)
    differences = DifferenceSerializer(source="pairs", many=True)
    metrics = MetricDifferenceSerializer(many=True)


class DecodingDifferenceSerializer(serializers.Serializer[Any]):
    setting = serializers.CharField()
    values = serializers.ListField(
        child=serializers.CharField(allow_blank=True), help_text="By candidate, in order."
    )


class DecodingSerializer(serializers.Serializer[Any]):
    """Whether the answers were decoded alike; ``unknown`` names candidates whose outputs were imported."""

    is_same = serializers.BooleanField()
    differences = DecodingDifferenceSerializer(many=True)
    unknown = serializers.ListField(child=serializers.IntegerField())
    shared = serializers.CharField()


class EarnedBackSerializer(serializers.Serializer[Any]):
    """``answers`` after which the training has cost less than this prompt; null where it never does."""

    candidate = serializers.IntegerField()
    answers = serializers.IntegerField(allow_null=True)


class TrainingCostSerializer(serializers.Serializer[Any]):
    seconds = serializers.FloatField()
    trainings = serializers.IntegerField()
    cost = serializers.FloatField(allow_null=True)
    currency = serializers.CharField(allow_blank=True)
    unknown = serializers.CharField(allow_blank=True)
    earned_back = EarnedBackSerializer(many=True)


class TuningStepSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    is_done = serializers.BooleanField()


class TuningSerializer(serializers.Serializer[Any]):
    """``steps`` say what is left to do where there is no answer yet; everything else is null or empty then."""

    candidate = ContestantSerializer(allow_null=True)
    campaign = serializers.IntegerField(allow_null=True)
    answer = TuningAnswerSerializer(allow_null=True)
    against = AgainstSerializer(many=True)
    usage = UsageSerializer(many=True)
    decoding = DecodingSerializer(allow_null=True)
    training = TrainingCostSerializer(allow_null=True)
    coverage = CoverageSerializer(allow_null=True)
    standing = StandingSerializer(allow_null=True)
    steps = TuningStepSerializer(many=True)
