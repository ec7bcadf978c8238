from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Body, Flag, Id, Shown, Text
from evalapp.decisions.models import SavedView


class SavedViewSerializer(Shown):
    """A comparison filtered by ``query``, the part of its URL behind “?”."""

    owner = serializers.CharField(read_only=True)

    class Meta:
        model = SavedView
        fields = ("id", "campaign", "name", "query", "is_shared", "owner", "created_at")


class SavedViewBody(Body):
    campaign = Id()
    name = Text(max_length=80)
    query = Text(max_length=4_000, help_text="As in the comparison's URL: “with=3&field.segment=retail”.")
    is_shared = Flag(default=False)


class SavedViewChange(Body):
    name = Text(max_length=80)
    is_shared = Flag()


class TokenPriceSerializer(serializers.Serializer[Any]):
    """What a million tokens cost; without a model version, of every version that has no price of its own."""

    id = serializers.IntegerField()
    model_version = serializers.IntegerField(source="model_version_id", allow_null=True)
    input_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    output_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()


class TokenPriceBody(Body):
    model_version = Id(allow_null=True, default=None)
    input_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    output_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    currency = Text(max_length=3)


class MachinePriceSerializer(serializers.Serializer[Any]):
    """What an hour of training costs."""

    hour_price = serializers.DecimalField(max_digits=13, decimal_places=6)
    currency = serializers.CharField()
    created_at = serializers.DateTimeField()


class MachinePriceBody(Body):
    hour_price = serializers.DecimalField(max_digits=13, decimal_places=6, min_value=0)
    currency = Text(max_length=3)
