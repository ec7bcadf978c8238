"""Generated and imported outputs."""

import json
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evalapp.api.fields import Body, Fields, Id, List, Text, Whole
from evalapp.api.operations import chosen, chosen_all, operation, route
from evalapp.datasets.models import Split
from evalapp.datasets.row_ids import item_field_of
from evalapp.imports.pages import ImportFile
from evalapp.registry import queries as registry
from evalapp.registry.models import EXTERNAL_KINDS, ModelVersion
from evalapp.runs import services
from evalapp.runs.api.runs import RunSerializer, RunView, without_reserved
from evalapp.runs.generation.answers import (
    LONGEST_ANSWER,
    LONGEST_REASONING,
    MOST_BYTES,
    ImportedAnswer,
    read_answers,
)
from evalapp.runs.generation.shards import MOST_SHARDS
from evalapp.runs.models import Run

MOST_INLINE_ANSWERS = 10_000
_ITEM_FIELD = "Metadata field that contains the row ids given as “item”; default: “item”, “id” or similar."
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
            "description": "Texts that end an answer; they are removed from the answer.",
        },
        "seed": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "default": 42},
        "json_schema": {
            "oneOf": [
                {"type": "object", "additionalProperties": True},
                {"type": "string", "description": "The schema as JSON text."},
                {"type": "null"},
            ],
            "description": (
                "A JSON schema (2020-12) for every answer. An answer that is truncated at max_tokens"
                " (finish_reason length) is incomplete JSON. vLLM and endpoints support it; transformers"
                " does not."
            ),
        },
        "engine": {"type": "string", "enum": ["auto", "vllm", "vllm-cpu", "transformers"], "default": "auto"},
        "batch_size": {
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "null: the engine chooses.",
        },
        "dtype": {"type": "string", "enum": _FORMATS, "default": "auto"},
        "device": {"type": "string", "enum": ["auto", "cpu", "cuda"], "default": "auto"},
        "threads": {"type": ["integer", "null"], "minimum": 1, "description": "null: all cores."},
        "prefix_caching": {"type": "boolean", "default": True},
        "shards": {
            "type": "integer",
            "minimum": 1,
            "maximum": MOST_SHARDS,
            "default": 1,
            "description": "Number of shards; each free worker takes one.",
        },
    },
}
"""Settings of a generation, besides its candidates and rows."""


@extend_schema_field(SAMPLING_SHAPE)
class Sampling(Fields):
    """Settings of a generation; a schema given as an object is stored as text."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        values = super().to_internal_value(data)
        if isinstance(schema := values.get("json_schema"), dict):
            values["json_schema"] = json.dumps(schema, ensure_ascii=False)
        return values


class BatchFileBody(Body):
    dataset_version = Id()
    splits = List(child=serializers.ChoiceField(choices=Split.choices), min_length=1, max_length=4)
    candidates = List(child=Id(), min_length=1, max_length=50)
    sampling = Sampling(default=dict, help_text="API models only take the sampling fields up to json_schema.")
    samples = Whole(min_value=1, max_value=32, default=1, help_text="Number of answers per row.")

    def validate_sampling(self, values: dict[str, Any]) -> dict[str, Any]:
        return without_reserved(values, ("samples",))


class GenerationBody(BatchFileBody):
    name = Text(max_length=120)


class AnswerBody(Body):
    """Identify the row by ``item`` (its id in the rows' metadata), ``prompt`` or ``row`` (its number in the
    dataset version). If you give several, they must identify the same row. ``row`` alone is refused if the
    rows have ids.
    """

    text = Text(max_length=LONGEST_ANSWER)
    reasoning = Text(
        max_length=LONGEST_REASONING,
        required=False,
        allow_blank=True,
        default="",
        help_text="The model's reasoning before the answer; a <think> part of the text is moved here.",
    )
    item = Text(max_length=1_000, required=False, allow_blank=True, default="")
    row = Whole(min_value=1, required=False, allow_null=True, default=None)
    prompt = Text(max_length=1_000_000, required=False, allow_null=True, default=None)
    sample = Whole(max_value=32_767, default=0)


class OutputsBody(Body):
    dataset_version = Id()
    candidate = Id(help_text="Id of a model version of kind imported or endpoint.")
    name = Text(max_length=120)
    item_field = Text(max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD)
    rows = List(child=AnswerBody(), min_length=1, max_length=MOST_INLINE_ANSWERS)


class OutputsUploadBody(Body):
    dataset_version = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    candidate = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    name = serializers.CharField(max_length=120)
    item_field = serializers.CharField(
        max_length=200, required=False, default="", allow_blank=True, help_text=_ITEM_FIELD
    )
    file = ImportFile(
        most_bytes=MOST_BYTES,
        help_text=(
            "JSONL or CSV with “item”, “prompt” or “row”, and “text” or a column named like the "
            "candidate; or the output of an OpenAI batch."
        ),
    )


@route("runs/generation/", "api_run_generation")
class GenerationStart(RunView):
    @operation("Generate outputs", body=GenerationBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """Every candidate answers every row of the splits. All candidates must have the same base, or all
        must be API models.
        """
        run = services.start_generation(project=self.project, by=self.person, **self.generation_arguments())
        return self.run(run.pk)

    def generation_arguments(self) -> dict[str, Any]:
        values = self.body()
        values["dataset_version"] = self.dataset_version(values["dataset_version"])
        candidates = registry.candidates_of(self.project)
        values["candidates"] = chosen_all(
            candidates, values["candidates"], "candidates", "candidate that can answer"
        )
        values["sampling"] = {**values["sampling"], "samples": values.pop("samples")}
        return values


@route("runs/generation/batch-file/", "api_batch_file")
class BatchFile(GenerationStart):
    @operation("Create a batch file", body=BatchFileBody, binary=True)
    def post(self) -> object:
        """The prompts of a generation by one API model, in OpenAI's batch format. Upload the batch's output
        as this candidate's outputs.
        """
        lines = services.batch_file(project=self.project, **self.generation_arguments())
        return StreamingHttpResponse(lines, content_type="application/octet-stream")


@route("runs/outputs/", "api_run_import")
class OutputsImport(RunView):
    @operation("Import outputs", body=OutputsBody, result=RunSerializer, status=201)
    def post(self) -> object:
        """Imports all outputs or none, then scores them automatically."""
        values = self.body()
        version = self.dataset_version(values["dataset_version"])
        values["item_field"] = item_field_of(version.examples.all(), values["item_field"], of=version)
        rows = [
            ImportedAnswer(
                text=row["text"],
                reasoning=row["reasoning"],
                item=row["item"],
                example_row=row["row"],
                prompt=row["prompt"],
                sample=row["sample"],
                place=f"rows.{position}",
            )
            for position, row in enumerate(values.pop("rows"))
        ]
        return self.import_outputs(values, rows)

    def import_outputs(self, values: dict[str, Any], rows: Any) -> Run:
        run = services.import_outputs(
            project=self.project,
            dataset_version=self.dataset_version(values["dataset_version"]),
            candidate=self._imported_candidate(values["candidate"]),
            rows=rows,
            item_field=values["item_field"],
            name=values["name"],
            by=self.person,
        )
        return self.run(run.pk)

    def _imported_candidate(self, pk: int) -> ModelVersion:
        imported = registry.versions_of(self.project).filter(kind__in=EXTERNAL_KINDS)
        return chosen(imported, pk, "candidate", "imported candidate with the id")


@route("runs/outputs/upload/", "api_run_upload")
class OutputsUpload(OutputsImport):
    @operation("Upload outputs", body=OutputsUploadBody, result=RunSerializer, status=201, upload=True)
    def post(self) -> object:
        """Imports outputs as above, from a JSONL or CSV file."""
        values = self.body()
        file = values.pop("file")
        version = self.dataset_version(values["dataset_version"])
        values["item_field"] = item_field_of(version.examples.all(), values["item_field"], of=version)
        candidate = self._imported_candidate(values["candidate"])
        rows = read_answers(file.file, file.name, id_field=values["item_field"], candidate=candidate.label)
        return self.import_outputs(values, rows)
