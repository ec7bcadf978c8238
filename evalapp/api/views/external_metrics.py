"""Scores computed elsewhere, for machines that compute them."""

from rest_framework.response import Response

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, operation
from evalapp.api.serializers.external_metrics import (
    ExternalMetricBody,
    ExternalMetricSerializer,
    ExternalScoreSerializer,
    ScoreFileBody,
    ScoresBody,
    StoredScoresSerializer,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.runs.models import Run
from evalapp.scoring import external
from evalapp.scoring.external_rows import MOST_BYTES, GivenScore, read_scores
from evalapp.scoring.models import ExternalMetric, MetricResult
from evalapp.scoring.score_join import item_field_of


class ExternalView(ProjectView):
    required_permission = Permission.VIEW_ANALYSIS
    post_permission = Permission.START_RUNS

    def metric(self, metric_id: int) -> ExternalMetric:
        return get_or_missing(external.external_metrics_of(self.project), pk=metric_id)

    def named_run(self, pk: int | None) -> Run | None:
        return None if pk is None else chosen(self.project.runs.all(), pk, "run", "run with the id")


class ExternalMetricList(ExternalView):
    @operation("List external metrics", result=ExternalMetricSerializer, paged=True)
    def get(self) -> object:
        return self.page(external.external_metrics_of(self.project))

    @operation(
        "Make an external metric", body=ExternalMetricBody, result=ExternalMetricSerializer, status=201
    )
    def post(self) -> object:
        """400 for a name of the product's own metrics, 409 for one that is there."""
        return external.create_external_metric(project=self.project, by=self.person, **self.body())


class ExternalMetricDetail(ExternalView):
    @operation("Read an external metric", result=ExternalMetricSerializer)
    def get(self, metric_id: int) -> object:
        return self.metric(metric_id)

    @operation("Delete an external metric", status=204)
    def delete(self, metric_id: int) -> object:
        """Its scores go with it."""
        external.delete_external_metric(metric=self.metric(metric_id), by=self.person)
        return Response(status=204)


class ExternalScores(ExternalView):
    order = ("output_id",)

    @operation("List external scores", result=ExternalScoreSerializer, paged=True)
    def get(self, metric_id: int) -> object:
        return self.page(MetricResult.objects.filter(metric=self.metric(metric_id).metric))

    @operation("Store external scores", body=ScoresBody, result=StoredScoresSerializer)
    def post(self, metric_id: int) -> object:
        """All or none; a score that an output has already is replaced, and the same again changes nothing.

        400 for scores that name their row by number alone where the rows have ids.
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
            item_field=item_field_of(run, values["item_field"]),
            checks_only=values["checks_only"],
            by=self.person,
            field="scores",
        )


class ExternalScoreFile(ExternalView):
    required_permission = Permission.START_RUNS

    @operation("Upload external scores", body=ScoreFileBody, result=StoredScoresSerializer, upload=True)
    def post(self, metric_id: int) -> object:
        """The same from a JSONL or CSV file."""
        metric = self.metric(metric_id)
        values = self.body()
        file = values["file"]
        if file.size > MOST_BYTES:
            message = f"The file has {file.size:,} bytes; the limit is {MOST_BYTES:,}. Split it."
            raise InvalidError(message, fields={"file": [message]})
        run = self.named_run(values.get("run"))
        item_field = item_field_of(run, values["item_field"])
        return external.store_scores(
            metric=metric,
            scores=read_scores(file.file, file.name, item_field=item_field),
            run=run,
            item_field=item_field,
            checks_only=values["checks_only"],
            by=self.person,
        )
