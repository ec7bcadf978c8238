"""Trainings and dry runs."""

from rest_framework import serializers

from evalapp.api.fields import Body, Id, ReadOnlySerializer, Text
from evalapp.api.operations import operation, route
from evalapp.core.http import get_or_missing
from evalapp.runs import services
from evalapp.runs.api.runs import RunSerializer, RunView
from evalapp.runs.api.training_settings import TrainingSettings
from evalapp.runs.models import DrawnRows, SampleAnswer, TrainingPoint


class TrainingBody(Body):
    dataset_version = Id()
    base = Id(help_text="Id of a model version of kind base.")
    name = Text(max_length=120)
    hyperparameters = TrainingSettings(default=dict)
    continued_from = Id(required=False, allow_null=True, default=None)


class TrainingPointSerializer(ReadOnlySerializer):
    values = serializers.DictField()

    class Meta:
        model = TrainingPoint
        fields = ("step", "values")


class SampleAnswerSerializer(ReadOnlySerializer):
    """``row`` is the row's id in the run directory, ``row_number`` its number in the dataset version."""

    row_number = serializers.IntegerField(source="example.row_number")

    class Meta:
        model = SampleAnswer
        fields = ("id", "step", "position", "row", "row_number", "text", "is_whole")


class DrawnRowsSerializer(ReadOnlySerializer):
    """Ids of rows in the run directory; "row-12" comes from row 12 of the dataset version."""

    rows = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = DrawnRows
        fields = ("rows",)


@route("runs/training/", "api_run_training")
class TrainingStart(RunView):
    @operation("Start a training", body=TrainingBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """Trains a base, or continues an adapter, on the version's training rows. Refused if a training row
        is in an evaluation split (409 contaminated), until an owner has decided on those rows.
        """
        run = services.start_training(project=self.project, by=self.person, **self.training_arguments())
        return self.run(run.pk)


@route("runs/training/dry-run/", "api_dry_run")
class DryRunStart(RunView):
    @operation("Start a dry run", body=TrainingBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """Previews the training that this body would start. When its job has succeeded, the run's `result`
        has the tokens of three rows, with those that are trained on; lengths; truncated and dropped rows; the
        trainable share; time and memory from a few batches; and contaminated rows (`leaks`). No weights are
        stored.
        """
        run = services.start_dry_run(project=self.project, by=self.person, **self.training_arguments())
        return self.run(run.pk)


@route("runs/<int:run_id>/points/", "api_run_points")
class RunPoints(RunView):
    order = ("step",)

    @operation("List a training's points", result=TrainingPointSerializer, paged=True)
    def get(self, run_id: int) -> object:
        """Loss, learning rate and the like by step."""
        return self.page(self.run(run_id).points.all())


@route("runs/<int:run_id>/samples/", "api_run_samples")
class RunSamples(RunView):
    order = ("step", "position")

    @operation("List a training's sample answers", result=SampleAnswerSerializer, paged=True)
    def get(self, run_id: int) -> object:
        """The model's answers to the same few validation prompts, at each evaluation."""
        return self.page(self.run(run_id).sample_answers.select_related("example"))


@route("runs/<int:run_id>/drawn-rows/", "api_run_drawn_rows")
class RunDrawnRows(RunView):
    @operation("Read the rows that a training sampled", result=DrawnRowsSerializer)
    def get(self, run_id: int) -> object:
        """Only for trainings that used a share of their rows; 404 for others, which used all rows."""
        return get_or_missing(DrawnRows.objects.filter(run=self.run(run_id)))
