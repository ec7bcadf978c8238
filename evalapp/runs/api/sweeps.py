"""Sweeps: trainings that differ in a setting."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import CreatedByField, Fields, Paging, ReadOnlySerializer, Text
from evalapp.api.operations import operation, route
from evalapp.core.http import get_or_missing
from evalapp.jobs.models import JobState
from evalapp.runs import queries
from evalapp.runs.api.runs import RunView
from evalapp.runs.api.training import TrainingBody
from evalapp.runs.models import Sweep
from evalapp.runs.sweeps.results import sweep_table
from evalapp.runs.sweeps.services import MOST_LETTERS, cancel_sweep, start_sweep
from evalapp.runs.training.axes import AXES


class SweepBody(TrainingBody):
    """``hyperparameters`` are the settings that all trainings share."""

    name = Text(max_length=MOST_LETTERS)
    axes = Fields(
        help_text=(
            "Lists of values by setting; every combination is trained, 20 at most: "
            f"{', '.join(AXES)}. A data_share of 0.25 is a quarter of the rows."
        )
    )


class SweepSerializer(ReadOnlySerializer):
    """``over`` of the ``trainings`` have ended."""

    dataset_version = serializers.IntegerField(source="dataset_version_id")
    base = serializers.IntegerField(source="base_id")
    axes = serializers.DictField()
    trainings = serializers.IntegerField()
    over = serializers.IntegerField()
    created_by = CreatedByField()

    class Meta:
        model = Sweep
        fields = (
            "id", "name", "dataset_version", "base", "axes", "trainings", "over", "is_simulated",
            "created_by",
            "created_at",
        )  # fmt: skip


class SweepRunSerializer(serializers.Serializer[Any]):
    """A training of the sweep. ``validation_loss`` is the lowest so far, ``training_loss`` the mean of the
    last tenth of the steps.
    """

    run = serializers.IntegerField(source="run.pk")
    name = serializers.CharField(source="run.name")
    state = serializers.ChoiceField(choices=JobState.choices, source="run.job.state")
    combination = serializers.DictField(help_text="Value of each setting that the sweep varies.")
    examples = serializers.IntegerField(
        allow_null=True, help_text="Number of training rows used; null before the training ends."
    )
    validation_loss = serializers.FloatField(allow_null=True)
    training_loss = serializers.FloatField(allow_null=True)
    tokens = serializers.IntegerField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    produced = serializers.IntegerField(source="run.produced_id", allow_null=True)
    is_best = serializers.BooleanField()


class SettingsRowSerializer(serializers.Serializer[Any]):
    """Trainings that differ only in the seed."""

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


class SweepView(RunView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    def sweep(self, sweep_id: int) -> Sweep:
        return get_or_missing(queries.sweeps_of(self.project), pk=sweep_id)

    def sweep_with_table(self, sweep_id: int) -> dict[str, Any]:
        sweep = self.sweep(sweep_id)
        return {"sweep": sweep, "table": sweep_table(sweep)}


@route("sweeps/", "api_sweeps")
class SweepList(SweepView):
    @operation("List sweeps", query=Paging, result=SweepSerializer, paged=True)
    def get(self) -> object:
        """Newest first."""
        return self.page(queries.sweeps_of(self.project))

    @operation("Start a sweep", body=SweepBody, result=SweepSerializer, status=202)
    def post(self) -> object:
        """Starts a training for every combination of the values in `axes`: several seeds, a small grid, or
        shares of the data. All use the same validation rows. Refused for the same reasons as a training;
        starts all of them or none.
        """
        sweep = start_sweep(project=self.project, by=self.person, **self.training_arguments())
        return self.sweep(sweep.pk)


@route("sweeps/<int:sweep_id>/", "api_sweep")
class SweepDetail(SweepView):
    @operation("Read a sweep", result=SweepTableSerializer)
    def get(self, sweep_id: int) -> object:
        """Trainings with their settings, losses and cost; the best by validation loss as soon as two have
        ended.
        """
        return self.sweep_with_table(sweep_id)


@route("sweeps/<int:sweep_id>/cancel/", "api_sweep_cancel")
class SweepCancel(SweepView):
    @operation("Cancel a sweep", result=SweepTableSerializer)
    def post(self, sweep_id: int) -> object:
        """Cancels every training that has not ended; running ones save their work first. 409 if all have
        ended.
        """
        sweep = self.sweep(sweep_id)
        self.body()
        cancel_sweep(sweep=sweep, by=self.person)
        return self.sweep_with_table(sweep_id)
