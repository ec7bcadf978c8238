from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Flag, Shown, Text
from evalapp.scoring.forms import FORMS
from evalapp.scoring.models import RuleCheck


class RuleCheckSerializer(Shown):
    """A rule of the house; ``params`` depend on ``kind``."""

    params = serializers.DictField()

    class Meta:
        model = RuleCheck
        fields = ("id", "name", "kind", "params", "position", "is_active", "created_at")


class RuleCheckBody(Body):
    name = Text(max_length=80)
    kind = serializers.ChoiceField(choices=list(FORMS))
    params = Fields(default=dict)


class RuleCheckChange(Body):
    name = Text(max_length=80)
    params = Fields()
    is_active = Flag()
