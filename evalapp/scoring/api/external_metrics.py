"""External metrics and their scores."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import Body, Flag, Id, List, Number, ReadOnlySerializer, Text, Whole
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.imports.pages import ImportFile
from evalapp.runs.models import Run
from evalapp.scoring import external
from evalapp.scoring.external import LONGEST_NAME, LONGEST_SOURCE, StoredScores
from evalapp.scoring.external_rows import LONGEST_ITEM, MOST_BYTES, MOST_SCORES, GivenScore, read_scores
from evalapp.scoring.models import Better, ExternalMetric, MetricResult
from evalapp.scoring.score_join import item_field_of_run, labels_of

_ITEM_FIELD = "Metadata field that contains the row ids given as “item”; default: “item”, “id” or similar."
_CHECKS_ONLY = "Store nothing; report which scores match an output, by which key, and which do not."


class ExternalMetricSerializer(ReadOnlySerializer):
    """``metric`` is the metric's name in the results; it is never the name of a built-in metric."""

    class Meta:
        model = ExternalMetric
        fields = ("id", "metric", "name", "better", "smallest", "largest", "source", "created_at")


class ExternalMetricBody(Body):
    name = Text(max_length=LONGEST_NAME)
    better = serializers.ChoiceField(choices=Better.choices)
    smallest = Number(required=False, allow_null=True, default=None, help_text="Lowest value of the scale.")
    largest = Number(required=False, allow_null=True, default=None, help_text="Highest value of the scale.")
    source = Text(max_length=LONGEST_SOURCE, required=False, allow_blank=True, default="")


class ScoreBody(Body):
    """Identify the output by its id, or by the candidate's label and the row: ``item`` (the row's value of
    the metadata field ``item_field``) or, if rows have no ids, ``row`` (its number in the run's dataset
    version).
    """

    value = Number()
    output = Id(required=False)
    item = Text(max_length=LONGEST_ITEM, required=False)
    row = Whole(min_value=1, required=False)
    candidate = Text(max_length=80, required=False)
    sample = Whole(required=False, default=0)


class ScoresBody(Body):
    run = Id(required=False, help_text="Id of the run; required if scores give item or row, and candidate.")
    item_field = Text(max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD)
    checks_only = Flag(required=False, default=False, help_text=_CHECKS_ONLY)
    scores = List(child=ScoreBody(), min_length=1, max_length=MOST_SCORES)


class ScoreFileBody(Body):
    run = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="Id of the run; required if scores give item or row, and candidate.",
    )
    item_field = serializers.CharField(
        max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD
    )
    checks_only = serializers.BooleanField(required=False, default=False, help_text=_CHECKS_ONLY)
    file = ImportFile(
        most_bytes=MOST_BYTES,
        help_text=(
            "UTF-8 JSONL or CSV with the same fields; instead of candidate and value, there can be a "
            "column for each candidate of the run."
        ),
    )


class StoredScoresSerializer(serializers.Serializer[Any]):
    added = serializers.IntegerField()
    changed = serializers.IntegerField(help_text="Number of scores that replaced another value.")
    unchanged = serializers.IntegerField()
    joined_by = serializers.DictField(
        child=serializers.IntegerField(),
        help_text=(
            "Number of scores matched by “output id”, by a metadata field (its name) or by “row number”."
        ),
    )
    without_score = serializers.IntegerField(
        allow_null=True, help_text="Number of the run's outputs without a score; null without a run."
    )
    problems = serializers.SerializerMethodField(help_text="Scores that cannot be used; empty after storing.")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_problems(self, stored: StoredScores) -> list[str]:
        return stored.problems.messages()


class ExternalScoreSerializer(serializers.Serializer[Any]):
    output = serializers.IntegerField(source="output_id")
    value = serializers.FloatField()


class ExternalView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    def metric(self, metric_id: int) -> ExternalMetric:
        return get_or_missing(external.external_metrics_of(self.project), pk=metric_id)

    def named_run(self, pk: int | None) -> Run | None:
        return None if pk is None else chosen(self.project.runs.all(), pk, "run", "run with the id")


@route("external-metrics/", "api_external_metrics")
class ExternalMetricList(ExternalView):
    @operation("List external metrics", result=ExternalMetricSerializer, paged=True)
    def get(self) -> object:
        return self.page(external.external_metrics_of(self.project))

    @operation(
        "Create an external metric", body=ExternalMetricBody, result=ExternalMetricSerializer, status=201
    )
    def post(self) -> object:
        """400 if the name is that of a built-in metric, 409 if it is in use."""
        return external.create_external_metric(project=self.project, by=self.person, **self.body())


@route("external-metrics/<int:metric_id>/", "api_external_metric")
class ExternalMetricDetail(ExternalView):
    @operation("Read an external metric", result=ExternalMetricSerializer)
    def get(self, metric_id: int) -> object:
        return self.metric(metric_id)

    @operation("Delete an external metric", status=204)
    def delete(self, metric_id: int) -> object:
        """Deletes the metric's scores, too."""
        external.delete_external_metric(metric=self.metric(metric_id), by=self.person)
        return Response(status=204)


@route("external-metrics/<int:metric_id>/scores/", "api_external_scores")
class ExternalScores(ExternalView):
    order = ("output_id",)

    @operation("List external scores", result=ExternalScoreSerializer, paged=True)
    def get(self, metric_id: int) -> object:
        return self.page(MetricResult.objects.filter(metric=self.metric(metric_id).metric))

    @operation("Store external scores", body=ScoresBody, result=StoredScoresSerializer)
    def post(self, metric_id: int) -> object:
        """Stores all or none. A new score replaces an existing score of the same output; repeating a request
        changes nothing. 400 for scores with only a row number if the rows have ids.
        """
        metric = self.metric(metric_id)
        values = self.body()
        run = self.named_run(values.get("run"))
        scores = (
            GivenScore(place=f"scores.{position}", **each) for position, each in enumerate(values["scores"])
        )
        return external.store_scores(
            metric=metric,
            scores=scores,
            run=run,
            item_field=item_field_of_run(run, values["item_field"]),
            checks_only=values["checks_only"],
            by=self.person,
            field="scores",
        )


@route("external-metrics/<int:metric_id>/file/", "api_external_score_file")
class ExternalScoreFile(ExternalView):
    required_permission = Permission.START_RUNS

    @operation("Upload external scores", body=ScoreFileBody, result=StoredScoresSerializer, upload=True)
    def post(self, metric_id: int) -> object:
        """Stores scores as above, from a JSONL or CSV file."""
        metric = self.metric(metric_id)
        values = self.body()
        file = values["file"]
        run = self.named_run(values.get("run"))
        item_field = item_field_of_run(run, values["item_field"])
        return external.store_scores(
            metric=metric,
            scores=read_scores(file.file, file.name, item_field=item_field, candidates=labels_of(run)),
            run=run,
            item_field=item_field,
            checks_only=values["checks_only"],
            by=self.person,
        )
