"""What a reviewer sets up and talks about beside the items: keys, and the calibration round."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.review_keys import REVIEW_KEYS
from evalapp.api.fields import Body, Fields, Flag, Text, Whole
from evalapp.campaigns.calibration import LONGEST_NOTE

_ACTIONS = ", ".join(key.action for key in REVIEW_KEYS)


class ReviewKeysSerializer(serializers.Serializer[Any]):
    """My single-letter keys, by action; while they are off the letters are kept. Scores are given by figures."""

    enabled = serializers.BooleanField()
    keys = serializers.DictField(child=serializers.CharField())


class ReviewKeysBody(Body):
    enabled = Flag()
    keys = Fields(
        child=Text(max_length=1),
        default=dict,
        help_text=f"Letters by action, each once; an action that is not named keeps its own. Actions: {_ACTIONS}.",
    )


class GivenSerializer(serializers.Serializer[Any]):
    """What one person gave; ``answers`` follow ``columns``, empty where nothing was answered."""

    name = serializers.CharField(help_text="You, or a pseudonym.")
    answers = serializers.ListField(child=serializers.CharField(allow_blank=True))
    comment = serializers.CharField(allow_blank=True)


class ShownTextSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()
    text = serializers.CharField(allow_blank=True)


class CalibrationPartSerializer(serializers.Serializer[Any]):
    """An answer that was rated, or answers that were compared, as they stood before me."""

    heading = serializers.CharField()
    shown = ShownTextSerializer(many=True)
    given = GivenSerializer(many=True)


class CalibrationNoteSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    text = serializers.CharField()
    written_at = serializers.DateTimeField()


class CalibrationItemSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="What a note on it names.")
    request = serializers.CharField(source="item.example.prompt_text", allow_blank=True)
    parts = CalibrationPartSerializer(many=True)
    notes = CalibrationNoteSerializer(many=True)


class OwnCalibrationSerializer(serializers.Serializer[Any]):
    """``items`` are empty until I have given all of mine, so that others' answers cannot move them."""

    is_done = serializers.BooleanField()
    columns = serializers.ListField(child=serializers.CharField())
    items = CalibrationItemSerializer(many=True)


class CalibrationNoteBody(Body):
    item = Whole(min_value=1, help_text="The item's number in the round.")
    text = Text(max_length=LONGEST_NOTE)
