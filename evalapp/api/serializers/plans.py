"""How likely a design is to show what is expected."""

from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, List, Number, Text, Whole
from evalapp.api.serializers.common import MeasureSerializer
from evalapp.api.serializers.quality import SampledItemsSerializer
from evalapp.gates.conditions import MOST_CONDITIONS


class SpreadSerializer(serializers.Serializer[Any]):
    """Standard deviations between items, between reviewers, and of the rest."""

    item = serializers.FloatField()
    reviewer = serializers.FloatField()
    rest = serializers.FloatField()


class VarianceSerializer(serializers.Serializer[Any]):
    spread = SpreadSerializer(allow_null=True)
    reason = serializers.CharField(help_text="Why it is not known; empty where it is.")
    note = serializers.CharField()


class CriterionVarianceSerializer(serializers.Serializer[Any]):
    """Of ``scores`` where a floor is planned, of paired ``differences`` where a difference is."""

    criterion = serializers.CharField(source="criterion.key")
    scores = VarianceSerializer()
    differences = VarianceSerializer()


class PlannedDesignSerializer(serializers.Serializer[Any]):
    items = serializers.IntegerField()
    reviewers = serializers.IntegerField()
    overlap = serializers.IntegerField(source="each", help_text="Reviewers of each item.")


class DetectableSerializer(serializers.Serializer[Any]):
    """The smallest true ``difference`` (two-sided 5%) and ``distance`` from a floor by a gate's bound (one-sided 5%)
    that the campaign finds with 80% power.
    """

    criterion = serializers.CharField(source="criterion.key")
    difference = MeasureSerializer()
    distance = MeasureSerializer()


class DetectionSerializer(serializers.Serializer[Any]):
    """``design`` is the campaign's once all reviews are in; null with fewer than two items. ``sample``: the items that
    the variances are from; null where they are from all.
    """

    design = PlannedDesignSerializer(allow_null=True)
    variances = CriterionVarianceSerializer(many=True)
    sample = SampledItemsSerializer(allow_null=True)
    detectable = DetectableSerializer(many=True)


class AimBody(Body):
    criterion = Text(max_length=40, help_text="Key of a scale of the campaign's rubric.")
    kind = serializers.ChoiceField(choices=["difference", "floor"])
    expected = Number(help_text="The difference, or the mean, that you believe is there.")
    bound = Number(
        required=False,
        default=None,
        allow_null=True,
        help_text="How much worse is still as good; or the floor.",
    )
    champion = Number(
        required=False,
        default=None,
        allow_null=True,
        help_text="The champion's mean, for a margin; the mean of the campaign's first candidate without it.",
    )
    item = Number(required=False, default=None, allow_null=True, help_text="Instead of the campaign's own.")
    reviewer = Number(required=False, default=None, allow_null=True)
    rest = Number(required=False, default=None, allow_null=True)


class PlanBody(Body):
    items = Whole()
    reviewers = Whole()
    overlap = Whole(required=False, default=None, allow_null=True, help_text="Every reviewer without it.")
    level = Number(required=False, default=0.05, help_text="Chance of a false release of each, one-sided.")
    aims = List(child=AimBody(), min_length=1, max_length=MOST_CONDITIONS)


class PlannedAimSerializer(serializers.Serializer[Any]):
    criterion = serializers.CharField(source="aim.key")
    kind = serializers.CharField(source="aim.kind")
    power = MeasureSerializer()


class PlanSerializer(serializers.Serializer[Any]):
    """``joint``: the chance that every aim passes; ``items`` for 80% of it with these reviewers."""

    aims = PlannedAimSerializer(many=True)
    joint = MeasureSerializer()
    items = MeasureSerializer()
