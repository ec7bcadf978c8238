"""The learning curve of a sweep."""

from typing import Any

from rest_framework import serializers

from evalapp.analysis.sweeps.curve import learning_curve
from evalapp.analysis.sweeps.measures import measure_choices, values_of
from evalapp.analysis.sweeps.versions import over_versions
from evalapp.api.fields import Query
from evalapp.api.operations import operation, route
from evalapp.core.errors import InvalidError
from evalapp.runs.api.sweeps import SweepView
from evalapp.runs.training.axes import VERSION


class CurveQuery(Query):
    by = serializers.CharField(
        required=False, default="validation_loss", max_length=120, help_text="Key of one of `measures`."
    )


class MeasureChoiceSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    label = serializers.CharField(source="words")
    lower_is_better = serializers.BooleanField()


class CurvePointSerializer(serializers.Serializer[Any]):
    share = serializers.FloatField()
    examples = serializers.FloatField(help_text="Mean over the trainings.")
    mean = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    trainings = serializers.IntegerField(source="runs")
    steps = serializers.FloatField(allow_null=True, help_text="Optimiser steps, mean over the trainings.")
    improving = serializers.IntegerField(
        help_text="Number of trainings whose validation loss was lowest at their last step."
    )


class GainSerializer(serializers.Serializer[Any]):
    """Positive means better, whether the measure should be high or low."""

    before = serializers.FloatField(source="before.examples")
    after = serializers.FloatField(source="after.examples")
    total = serializers.FloatField()
    per_doubling = serializers.FloatField()
    standard_error = serializers.FloatField(
        allow_null=True, help_text="Standard error of the total; null with one seed."
    )
    may_be_steps = serializers.BooleanField(
        help_text=(
            "The gain may come from more steps: `after` had more of them, and `before` was still "
            "improving when it ended."
        )
    )


class SettingsCurveSerializer(serializers.Serializer[Any]):
    settings = serializers.CharField(source="words", help_text="Other settings that differ, if any.")
    points = CurvePointSerializer(many=True)
    gains = GainSerializer(many=True)


class VersionPointSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(source="version.number")
    examples = serializers.FloatField(source="point.examples", help_text="Mean over the trainings.")
    mean = serializers.FloatField(source="point.mean")
    low = serializers.FloatField(source="point.low")
    high = serializers.FloatField(source="point.high")
    trainings = serializers.IntegerField(source="point.runs")


class VersionStepSerializer(serializers.Serializer[Any]):
    """``total`` is positive if the result is better; the other numbers count training rows."""

    before = serializers.IntegerField(source="before.version.number")
    after = serializers.IntegerField(source="after.version.number")
    total = serializers.FloatField(source="gain.total")
    standard_error = serializers.FloatField(source="gain.standard_error", allow_null=True)
    added = serializers.IntegerField(source="changes.added")
    changed = serializers.IntegerField(source="changes.changed")
    removed = serializers.IntegerField(source="changes.removed")


class SettingsVersionsSerializer(serializers.Serializer[Any]):
    settings = serializers.CharField(source="words", help_text="Other settings that differ, if any.")
    points = VersionPointSerializer(many=True)
    steps = VersionStepSerializer(many=True)
    answer = serializers.ListField(child=serializers.CharField())


class LearningCurveSerializer(serializers.Serializer[Any]):
    """``answer`` says whether more examples would help; for a sweep over dataset versions, ``versions`` says
    whether their rows helped.
    """

    measure = MeasureChoiceSerializer(source="curve.measure")
    measures = MeasureChoiceSerializer(many=True, help_text="The measures that the curve can show.")
    answer = serializers.ListField(child=serializers.CharField(), source="curve.answer")
    curves = SettingsCurveSerializer(many=True, source="curve.courses")
    versions = SettingsVersionsSerializer(many=True)


@route("sweeps/<int:sweep_id>/curve/", "api_sweep_curve")
class SweepCurve(SweepView):
    @operation("Read a sweep's learning curve", query=CurveQuery, result=LearningCurveSerializer)
    def get(self, sweep_id: int) -> object:
        """A measure against the number of examples, the gain of each increase, and a conclusion about more
        examples.
        """
        told = self.sweep_with_table(sweep_id)
        sweep, table = told["sweep"], told["table"]
        choices = measure_choices(sweep, self.person)
        by = self.query["by"]
        measure = choices.chosen(by)
        if measure.key != by:
            known = ", ".join(each.key for each in choices.choices)
            raise InvalidError(f"This sweep has no measure {by!r}. It has {known}.", field="by")
        values = values_of(measure, sweep, table)
        versions = over_versions(table, measure, values) if VERSION in sweep.axes else []
        curve = learning_curve(table, measure, values)
        return {"curve": curve, "measures": choices.choices, "versions": versions}
