"""Runs of every kind, with tokens, time and cost of their answers."""

from typing import Any

from rest_framework import serializers

from evalapp.accounts.permissions import Permission
from evalapp.api.fields import CreatedByField, Paging, ReadOnlySerializer
from evalapp.api.operations import ProjectView, chosen, operation, route
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.api import JobSerializer
from evalapp.registry import queries as registry
from evalapp.runs import queries
from evalapp.runs.execution.shortage import start_with_half_batch
from evalapp.runs.models import Output, Run, RunCandidate, RunKind, RunShard
from evalapp.runs.usage import candidate_usage


class RunCandidateSerializer(ReadOnlySerializer):
    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")

    class Meta:
        model = RunCandidate
        fields = ("model_version", "label")


class RunShardSerializer(ReadOnlySerializer):
    """One shard of a generation; ``done`` of its ``outputs`` are finished."""

    worker = serializers.CharField(source="holder.worker", default="")

    class Meta:
        model = RunShard
        fields = ("number", "outputs", "done", "worker", "finished_at")


class RunSerializer(ReadOnlySerializer):
    """``rows`` accounts for every row: ``in`` = ``used`` (kept whole) + ``truncated`` + ``dropped``. A
    training also has the numbers of rows to ``train`` on and for ``validation``. ``passed_over`` counts rows
    of the version without data for the objective; ``passed_over_validation`` of them were validation rows. If
    these were all validation rows, ``draws_validation`` is true and training rows are held out instead.
    Objectives that learn from judged answers have ``judged_by``: "ratings" (with ``unrated_pairs`` passed
    over) or "pairs", whose two sides count as good and bad.

    ``rows_read`` is the number of training rows that at least one step read: lower if the training ended
    before one pass, null before its end and for other runs. ``engine_reason`` explains the choice of engine
    and device.
    """

    job = JobSerializer()
    dataset_version = serializers.IntegerField(source="dataset_version_id")
    base = serializers.IntegerField(source="base_id", allow_null=True)
    continued_from = serializers.IntegerField(source="continued_from_id", allow_null=True)
    sweep = serializers.IntegerField(source="sweep_id", allow_null=True)
    produced = serializers.IntegerField(source="produced_id", allow_null=True)
    contamination_decision = serializers.IntegerField(source="contamination_decision_id", allow_null=True)
    candidates = RunCandidateSerializer(many=True)
    shards = RunShardSerializer(many=True)
    splits = serializers.ListField(child=serializers.CharField())
    rows = serializers.DictField()
    rows_read = serializers.IntegerField(allow_null=True)
    result = serializers.DictField()
    settings = serializers.SerializerMethodField()
    created_by = CreatedByField()

    class Meta:
        model = Run
        fields = (
            "id", "kind", "name", "job", "dataset_version", "splits", "base", "continued_from", "sweep",
            "produced", "contamination_decision", "candidates", "shards",
            "settings", "rows", "rows_read", "result", "engine", "device", "engine_reason", "is_simulated",
            "is_recorded", "created_by", "created_at",
        )  # fmt: skip

    def get_settings(self, run: Run) -> dict[str, Any]:
        """The stored specification, without the server's folders."""
        hidden = ("base_folder", "continue_from", "candidates")
        return {name: value for name, value in run.spec.items() if name not in hidden}


class RunQuery(Paging):
    kind = serializers.ChoiceField(choices=RunKind.choices, required=False, default="")


def without_reserved(values: dict[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """The settings, if none of them is reserved for the server. Raises ValidationError."""
    if given := [name for name in own if name in values]:
        raise serializers.ValidationError(f"{given[0]} cannot be set in this request.")
    return values


class OutputSerializer(ReadOnlySerializer):
    """``text`` is the answer alone; ``reasoning`` is the model's reasoning before it, which is neither
    reviewed nor scored.
    """

    example = serializers.IntegerField(source="example_id")
    row_number = serializers.IntegerField(source="example.row_number")
    split = serializers.CharField(source="example.split")
    candidate = serializers.IntegerField(source="candidate_id")

    class Meta:
        model = Output
        fields = (
            "id", "example", "row_number", "split", "candidate", "sample_index", "text", "reasoning",
            "finish_reason",
            "prompt_tokens", "completion_tokens", "seconds",
        )  # fmt: skip


class CandidateUsageSerializer(serializers.Serializer[Any]):
    """Means over a candidate's answers; ``cost`` is the sum over all of them, null without a price or counted
    tokens.
    """

    candidate = serializers.IntegerField(source="candidate.pk")
    answers = serializers.IntegerField()
    refused = serializers.IntegerField()
    cut = serializers.IntegerField(help_text="Number of truncated answers.")
    cut_reasoning = serializers.IntegerField(
        help_text="Number of answers truncated during the reasoning, so that there is no answer."
    )
    prompt_tokens = serializers.FloatField(allow_null=True)
    completion_tokens = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    slow_seconds = serializers.FloatField(
        allow_null=True, help_text="95th percentile of the time for one answer."
    )
    cost = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)
    currency = serializers.CharField(allow_blank=True)


class RunUsageSerializer(serializers.Serializer[Any]):
    candidates = CandidateUsageSerializer(many=True)


class OutputQuery(Paging):
    candidate = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


class RunView(ProjectView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    def run(self, run_id: int) -> Run:
        return get_or_missing(queries.runs_of(self.project), pk=run_id)

    def dataset_version(self, pk: int) -> DatasetVersion:
        versions = queries.ready_versions(self.project)
        return chosen(versions, pk, "dataset_version", "ready dataset version with id")

    def training_arguments(self) -> dict[str, Any]:
        """The request body with its ids replaced by objects."""
        values = self.body()
        continued_from = values.pop("continued_from")
        values["dataset_version"] = self.dataset_version(values["dataset_version"])
        values["base"] = chosen(registry.bases_of(self.project), values["base"], "base", "base model")
        if continued_from is not None:
            adapters = registry.adapters_of(self.project)
            values["continued_from"] = chosen(adapters, continued_from, "continued_from", "adapter")
        return values


@route("runs/", "api_runs")
class RunList(RunView):
    @operation("List runs", query=RunQuery, result=RunSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.runs_of(self.project, kind=self.query["kind"]))


@route("runs/<int:run_id>/", "api_run")
class RunDetail(RunView):
    @operation("Read a run", result=RunSerializer)
    def get(self, run_id: int) -> object:
        """The run's row counts, its engine with the reason, its job's progress, and the model that it
        created.
        """
        return self.run(run_id)


@route("runs/<int:run_id>/half-batch/", "api_run_half_batch")
class RunHalfBatch(RunView):
    @operation("Retry a run with half the batch size", result=RunSerializer, status=202)
    def post(self, run_id: int) -> object:
        """Starts a new run in place of one that ran out of memory, with at most half the batch size; for a
        training, `accumulation_steps` is raised to keep the effective batch size. 409 for any other run.
        """
        run = self.run(run_id)
        self.body()
        return self.run(start_with_half_batch(run=run, by=self.person).pk)


@route("runs/<int:run_id>/outputs/", "api_run_outputs")
class RunOutputs(RunView):
    order = ("example_id", "id")

    @operation("List a run's answers", query=OutputQuery, result=OutputSerializer, paged=True)
    def get(self, run_id: int) -> object:
        run = self.run(run_id)
        outputs = queries.outputs_of(run)
        candidate = self.query.get("candidate")
        return self.page(outputs.filter(candidate=candidate) if candidate else outputs)


@route("runs/<int:run_id>/usage/", "api_run_usage")
class RunUsage(RunView):
    @operation("Read the tokens, time and cost of a run", result=RunUsageSerializer)
    def get(self, run_id: int) -> object:
        """Tokens, seconds and cost of each candidate's answers."""
        return {"candidates": candidate_usage(self.run(run_id))}
