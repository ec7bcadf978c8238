from typing import Any

from rest_framework import serializers

from evalapp.datasets.rows import ROLES


class MeasureSerializer(serializers.Serializer[Any]):
    """A number with what it rests on, or the reason why there is none (docs/measures.md)."""

    value = serializers.FloatField(allow_null=True)
    n = serializers.IntegerField(help_text="How many units it rests on.")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of the interval.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end of the interval.")
    reason = serializers.CharField(help_text="Why there is no value; empty where there is one.")
    note = serializers.CharField()
    signature = serializers.CharField(help_text="How it was made: name, version, options, seed.")


class MessageSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=ROLES)
    content = serializers.CharField()


class CreatedByField(serializers.CharField):
    """The person's name as pages show it, or null where they were removed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, read_only=True, **options)
