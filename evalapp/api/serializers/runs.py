import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Id, List, Paging, Shown, Text, Whole
from evalapp.api.serializers.common import CreatedByField
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.datasets.models import Split
from evalapp.runs.answers import LONGEST_ANSWER, LONGEST_REASONING
from evalapp.runs.models import (
    DrawnRows,
    Output,
    Run,
    RunCandidate,
    RunKind,
    RunShard,
    SampleAnswer,
    TrainingPoint,
)
from evalapp.runs.shards import MOST_SHARDS

MOST_INLINE_ANSWERS = 10_000
_FORMATS = ["auto", "bf16", "fp32"]
SAMPLING_SHAPE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "max_tokens": {"type": "integer", "minimum": 1, "default": 512},
        "temperature": {
            "type": "number",
            "minimum": 0,
            "maximum": 10,
            "default": 0,
            "description": "0: greedy.",
        },
        "top_p": {"type": "number", "exclusiveMinimum": 0, "maximum": 1, "default": 1},
        "top_k": {"type": "integer", "minimum": 0, "default": 0, "description": "0: all tokens."},
        "repetition_penalty": {"type": "number", "exclusiveMinimum": 0, "maximum": 10, "default": 1},
        "stop": {
            "type": "array",
            "items": {"type": "string", "minLength": 1},
            "description": "Texts that end an answer; they are cut off it.",
        },
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 42},
        "json_schema": {
            "oneOf": [
                {"type": "object", "additionalProperties": True},
                {"type": "string", "description": "The same as text."},
                {"type": "null"},
            ],
            "description": "A JSON schema (2020-12) that every answer follows that ends by itself; one that is cut at "
            "max_tokens (finish_reason length) is no whole JSON. vLLM and endpoints support it; transformers does not.",
        },
        "engine": {"type": "string", "enum": ["auto", "vllm", "vllm-cpu", "transformers"], "default": "auto"},
        "batch_size": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "Null: what suits the engine.",
        },
        "dtype": {"type": "string", "enum": _FORMATS, "default": "auto"},
        "device": {"type": "string", "enum": ["auto", "cpu", "cuda"], "default": "auto"},
        "threads": {"type": ["integer", "null"], "minimum": 1, "description": "Null: every core."},
        "prefix_caching": {"type": "boolean", "default": True},
        "shards": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_SHARDS,
            "default": 1,
            "description": "Parts to split the rows into, for as many workers as are free.",
        },
    },
}
"""What a generation may be asked for, beside its candidates and rows."""


class RunCandidateSerializer(Shown):
    model_version = serializers.IntegerField(source="model_version_id")
    label = serializers.CharField(source="model_version.label")

    class Meta:
        model = RunCandidate
        fields = ("model_version", "label")


class RunShardSerializer(Shown):
    """A part of a generation whose rows are split: ``done`` of ``outputs`` answers are there."""

    worker = serializers.CharField(source="holder.worker", default="")

    class Meta:
        model = RunShard
        fields = ("number", "outputs", "done", "worker", "finished_at")


class RunSerializer(Shown):
    """``rows`` says what became of every row: ``in`` = ``used`` (kept whole) + ``truncated`` + ``dropped``; of a training
    also how many of these were there to ``train`` on and for ``validation``, and how many rows of the version had nothing
    for its objective and were ``passed_over`` (``passed_over_validation`` of them were to validate; where these were all
    such rows, ``draws_validation``); of kto, whether ``judged_by`` "ratings" (with ``unrated_pairs`` passed over) or the
    sides of "pairs". ``rows_read`` is how many of the first at
    least one step read: fewer where the training ended before one pass; null before its end, and where none is trained.
    ``engine_reason`` says why this engine and device.
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
        """The stored specification without the server's own folders."""
        hidden = ("base_folder", "continue_from", "candidates")
        return {name: value for name, value in run.spec.items() if name not in hidden}


class RunQuery(Paging):
    kind = serializers.ChoiceField(choices=RunKind.choices, required=False, default="")


class TrainingBody(Body):
    dataset_version = Id()
    base = Id(help_text="Id of a model version of kind base.")
    name = Text(max_length=120)
    hyperparameters = Fields(default=dict, help_text="Fields of docs/run-directory.md's training settings.")
    continued_from = Id(required=False, allow_null=True, default=None)

    own_folders = ("base_folder", "continue_from", "rows", "data_sha256")

    def validate_hyperparameters(self, values: dict[str, Any]) -> dict[str, Any]:
        return without_own(values, self.own_folders)


@extend_schema_field(SAMPLING_SHAPE)
class Sampling(Fields):
    """Settings of a generation; a schema given as an object is kept as the text of it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values = super().to_internal_value(data)
        if isinstance(schema := values.get("json_schema"), dict):
            values["json_schema"] = json.dumps(schema, ensure_ascii=False)
        return values


class BatchFileBody(Body):
    dataset_version = Id()
    splits = List(child=serializers.ChoiceField(choices=Split.choices), min_length=1, max_length=4)
    candidates = List(child=Id(), min_length=1, max_length=50)
    sampling = Sampling(default=dict, help_text="API models take the sampling's own, up to json_schema.")
    samples = Whole(min_value=1, max_value=32, default=1, help_text="Answers to each row.")

    def validate_sampling(self, values: dict[str, Any]) -> dict[str, Any]:
        return without_own(values, ("samples",))


class GenerationBody(BatchFileBody):
    name = Text(max_length=120)


def without_own(values: dict[str, Any], own: tuple[str, ...]) -> dict[str, Any]:
    """The settings, if none of them is the product's to set."""
    if given := [name for name in own if name in values]:
        raise serializers.ValidationError(f"{given[0]} cannot be set here.")
    return values


class AnswerBody(Body):
    """The row by ``item`` (its id in the rows' metadata), ``prompt`` or ``row`` (its number in the dataset version);
    where several are given they must name the same. ``row`` alone is refused where the rows have ids.
    """

    text = Text(max_length=LONGEST_ANSWER)
    reasoning = Text(
        max_length=LONGEST_REASONING,
        required=False,
        allow_blank=True,
        default="",
        help_text="What the model thought before it; a <think> part of the text becomes this, too.",
    )
    item = Text(max_length=1_000, required=False, allow_blank=True, default="")
    row = Whole(min_value=1, required=False, allow_null=True, default=None)
    prompt = Text(max_length=1_000_000, required=False, allow_null=True, default=None)
    sample = Whole(max_value=32_767, default=0)


class OutputsBody(Body):
    dataset_version = Id()
    candidate = Id(help_text="Id of a model version of kind imported or endpoint.")
    name = Text(max_length=120)
    rows = List(child=AnswerBody(), min_length=1, max_length=MOST_INLINE_ANSWERS)


class OutputsUploadBody(Body):
    dataset_version = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    candidate = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    name = serializers.CharField(max_length=120)
    file = serializers.FileField(
        help_text="JSONL or CSV with “item”, “prompt” or “row”, and “text”; or the output of an OpenAI batch."
    )


class TrainingPointSerializer(Shown):
    values = serializers.DictField()

    class Meta:
        model = TrainingPoint
        fields = ("step", "values")


class SampleAnswerSerializer(Shown):
    """``row`` is the row's id in the run directory, ``row_number`` its number in the dataset version."""

    row_number = serializers.IntegerField(source="example.row_number")

    class Meta:
        model = SampleAnswer
        fields = ("id", "step", "position", "row", "row_number", "text", "is_whole")


class DrawnRowsSerializer(Shown):
    """Ids of the rows in the run directory: "row-12" was made of row 12 of the dataset version."""

    rows = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = DrawnRows
        fields = ("rows",)


class OutputSerializer(Shown):
    """``text`` is the answer alone; ``reasoning`` what the model thought before it, neither reviewed nor scored."""

    example = serializers.IntegerField(source="example_id")
    row_number = serializers.IntegerField(source="example.row_number")
    split = serializers.CharField(source="example.split")
    candidate = serializers.IntegerField(source="candidate_id")

    class Meta:
        model = Output
        fields = (
            "id", "example", "row_number", "split", "candidate", "sample_index", "text", "reasoning", "finish_reason",
            "prompt_tokens", "completion_tokens", "seconds",
        )  # fmt: skip


class CandidateUsageSerializer(serializers.Serializer[Any]):
    """Means over a candidate's answers; ``cost`` is of all of them, null without a price or counted tokens."""

    candidate = serializers.IntegerField(source="candidate.pk")
    answers = serializers.IntegerField()
    refused = serializers.IntegerField()
    cut = serializers.IntegerField(help_text="Answers that ended at the longest length.")
    cut_reasoning = serializers.IntegerField(
        help_text="Those of them that were cut while the model still reasoned, so that there is no answer."
    )
    prompt_tokens = serializers.FloatField(allow_null=True)
    completion_tokens = serializers.FloatField(allow_null=True)
    seconds = serializers.FloatField(allow_null=True)
    slow_seconds = serializers.FloatField(allow_null=True, help_text="95% of the answers took at most that.")
    cost = serializers.DecimalField(max_digits=20, decimal_places=6, allow_null=True)
    currency = serializers.CharField(allow_blank=True)


class RunUsageSerializer(serializers.Serializer[Any]):
    candidates = CandidateUsageSerializer(many=True)


class OutputQuery(Paging):
    candidate = serializers.IntegerField(required=False, min_value=1, max_value=2**63 - 1)
