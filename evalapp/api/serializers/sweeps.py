from typing import Any

from rest_framework import serializers

from evalapp.api.fields import Fields, Query, Shown, Text
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.runs import TrainingBody
from evalapp.jobs.models import JobState
from evalapp.runs.axes import AXES
from evalapp.runs.models import Sweep
from evalapp.runs.sweeps import MOST_LETTERS


class SweepBody(TrainingBody):
    """``hyperparameters`` are what all trainings have in common."""

    name = Text(max_length=MOST_LETTERS)
    axes = Fields(
        help_text="Lists of values by setting; every combination is trained, 20 at most: "
        f"{', '.join(AXES)}. A data_share of 0.25 is a quarter of the rows."
    )


class SweepSerializer(Shown):
    """``over`` of its ``trainings`` are over."""

    dataset_version = serializers.IntegerField(source="dataset_version_id")
    base = serializers.IntegerField(source="base_id")
    axes = serializers.DictField()
    trainings = serializers.IntegerField()
    over = serializers.IntegerField()
    created_by = CreatedByField()

    class Meta:
        model = Sweep
        fields = (
            "id", "name", "dataset_version", "base", "axes", "trainings", "over", "is_simulated", "created_by",
            "created_at",
        )  # fmt: skip


class SweepRunSerializer(serializers.Serializer[Any]):
    """A training of the sweep. ``validation_loss`` is the lowest so far, ``training_loss`` the mean of the last tenth of
    the steps.
    """

    run = serializers.IntegerField(source="run.pk")
    name = serializers.CharField(source="run.name")
    state = serializers.ChoiceField(choices=JobState.choices, source="run.job.state")
    combination = serializers.DictField(help_text="Its value for each of the sweep's axes.")
    examples = serializers.IntegerField(
        allow_null=True, help_text="Training rows that it read; null before the end."
    )
    validation_loss = serializers.FloatField(allow_null=True)
    training_loss = serializers.FloatField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    produced = serializers.IntegerField(source="run.produced_id", allow_null=True)
    is_best = serializers.BooleanField()


class SettingsRowSerializer(serializers.Serializer[Any]):
    """Trainings that differ in the seed alone."""

    settings = serializers.CharField(source="words")
    trainings = serializers.IntegerField()
    mean = serializers.FloatField()
    deviation = serializers.FloatField(allow_null=True)
    is_best = serializers.BooleanField()


class SweepTableSerializer(serializers.Serializer[Any]):
    sweep = SweepSerializer()
    runs = SweepRunSerializer(many=True, source="table.rows")
    over_seeds = SettingsRowSerializer(many=True, source="table.over_seeds")
    why_no_best = serializers.CharField(source="table.why_no_best")


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
    steps = serializers.FloatField(allow_null=True, help_text="Optimiser steps, the mean over the trainings.")
    improving = serializers.IntegerField(
        help_text="Trainings whose validation loss was the lowest at their last step."
    )


class GainSerializer(serializers.Serializer[Any]):
    """Positive is better, whichever way the measure runs."""

    before = serializers.FloatField(source="before.examples")
    after = serializers.FloatField(source="after.examples")
    total = serializers.FloatField()
    per_doubling = serializers.FloatField()
    standard_error = serializers.FloatField(allow_null=True, help_text="Of total; null with one seed.")
    may_be_steps = serializers.BooleanField(
        help_text="More steps may have bought it: after had more, and before was improving at the end of its own."
    )


class CourseSerializer(serializers.Serializer[Any]):
    settings = serializers.CharField(source="words", help_text="The other settings that differ, if any.")
    points = CurvePointSerializer(many=True)
    gains = GainSerializer(many=True)


class LearningCurveSerializer(serializers.Serializer[Any]):
    """``answer`` says in words whether more examples would help."""

    measure = MeasureChoiceSerializer(source="curve.measure")
    measures = MeasureChoiceSerializer(many=True, help_text="What the curve can be drawn of.")
    answer = serializers.ListField(child=serializers.CharField(), source="curve.answer")
    curves = CourseSerializer(many=True, source="curve.courses")
