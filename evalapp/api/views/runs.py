from typing import Any

from django.http import StreamingHttpResponse

from evalapp.accounts.permissions import Permission
from evalapp.api.operations import ProjectView, chosen, chosen_all, operation
from evalapp.api.serializers.jobs import JobSerializer
from evalapp.api.serializers.runs import (
    BatchFileBody,
    DrawnRowsSerializer,
    GenerationBody,
    OutputQuery,
    OutputsBody,
    OutputSerializer,
    OutputsUploadBody,
    RunQuery,
    RunSerializer,
    RunUsageSerializer,
    SampleAnswerSerializer,
    TrainingBody,
    TrainingPointSerializer,
)
from evalapp.core.errors import InvalidError
from evalapp.core.http import get_or_missing
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.row_ids import row_ids_of
from evalapp.registry import queries as registry
from evalapp.registry.models import EXTERNAL_KINDS, ModelVersion
from evalapp.runs import queries, services
from evalapp.runs.answers import MOST_BYTES, ImportedAnswer, read_answers
from evalapp.runs.models import TRAINING_KINDS, DrawnRows, Run
from evalapp.runs.shortage import start_with_half_batch
from evalapp.runs.usage import candidate_usage
from evalapp.scoring.services import start_scoring


class RunView(ProjectView):
    required_permission = Permission.VIEW_RUNS
    post_permission = Permission.START_RUNS

    def run(self, run_id: int) -> Run:
        return get_or_missing(queries.runs_of(self.project), pk=run_id)

    def dataset_version(self, pk: int) -> DatasetVersion:
        versions = queries.ready_versions(self.project)
        return chosen(versions, pk, "dataset_version", "ready dataset version with id")

    def asked_training(self) -> dict[str, Any]:
        """The body with what its ids name."""
        values = self.body()
        continued_from = values.pop("continued_from")
        values["dataset_version"] = self.dataset_version(values["dataset_version"])
        values["base"] = chosen(registry.bases_of(self.project), values["base"], "base", "base model")
        if continued_from is not None:
            adapters = registry.adapters_of(self.project)
            values["continued_from"] = chosen(adapters, continued_from, "continued_from", "adapter")
        return values


class RunList(RunView):
    @operation("List runs", query=RunQuery, result=RunSerializer, paged=True)
    def get(self) -> object:
        return self.page(queries.runs_of(self.project, kind=self.query["kind"]))


class RunDetail(RunView):
    @operation("Read a run", result=RunSerializer)
    def get(self, run_id: int) -> object:
        """What became of its rows, its engine and why, its job's progress, and what it made."""
        return self.run(run_id)


class TrainingStart(RunView):
    @operation("New training", body=TrainingBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """LoRA on the version's training rows, from a base or continuing an adapter. Refused where a
        training row stands in an evaluation split (409 contaminated), until an owner has decided on those rows.
        """
        run = services.start_training(project=self.project, by=self.person, **self.asked_training())
        return self.run(run.pk)


class DryRunStart(RunView):
    @operation("Start a dry run", body=TrainingBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """What a training with this body would be, in the run's `result` once its job has succeeded: tokens of
        three rows with those that are trained on, lengths, what is cut or dropped, the trainable share, time and
        memory from a few batches, and rows that leak (`leaks`). No weights are made.
        """
        run = services.start_dry_run(project=self.project, by=self.person, **self.asked_training())
        return self.run(run.pk)


class GenerationStart(RunView):
    @operation("Generate outputs", body=GenerationBody, result=RunSerializer, status=202)
    def post(self) -> object:
        """Every candidate answers every row of the splits; all stand on one base, or all are API models."""
        run = services.start_generation(project=self.project, by=self.person, **self.asked())
        return self.run(run.pk)

    def asked(self) -> dict[str, Any]:
        values = self.body()
        values["dataset_version"] = self.dataset_version(values["dataset_version"])
        candidates = registry.candidates_of(self.project)
        values["candidates"] = chosen_all(
            candidates, values["candidates"], "candidates", "candidate that can answer"
        )
        values["sampling"] = {**values["sampling"], "samples": values.pop("samples")}
        return values


class BatchFile(GenerationStart):
    @operation("Make a batch file", body=BatchFileBody, binary=True)
    def post(self) -> object:
        """The questions of such a generation to one API model, as OpenAI's batch interface takes
        them. Its output is uploaded as that candidate's answers.
        """
        lines = services.batch_file(project=self.project, **self.asked())
        return StreamingHttpResponse(lines, content_type="application/octet-stream")


class OutputsImport(RunView):
    @operation("Import outputs", body=OutputsBody, result=RunSerializer, status=201)
    def post(self) -> object:
        """Imported outputs: all of them, or none. They are scored by themselves afterwards."""
        values = self.body()
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
        return self.imported(values, rows)

    def imported(self, values: dict[str, Any], rows: Any) -> Run:
        run = services.import_outputs(
            project=self.project,
            dataset_version=self.dataset_version(values["dataset_version"]),
            candidate=self._imported_candidate(values["candidate"]),
            rows=rows,
            name=values["name"],
            by=self.person,
        )
        return self.run(run.pk)

    def _imported_candidate(self, pk: int) -> ModelVersion:
        imported = registry.versions_of(self.project).filter(kind__in=EXTERNAL_KINDS)
        return chosen(imported, pk, "candidate", "imported candidate with the id")


class OutputsUpload(OutputsImport):
    @operation("Upload answers", body=OutputsUploadBody, result=RunSerializer, status=201, upload=True)
    def post(self) -> object:
        """The same from a JSONL or CSV file."""
        values = self.body()
        file = values.pop("file")
        if file.size > MOST_BYTES:
            message = f"The file has {file.size:,} bytes; the limit is {MOST_BYTES:,}. Split it."
            raise InvalidError(message, fields={"file": [message]})
        version = self.dataset_version(values["dataset_version"])
        id_field = row_ids_of(version.examples.all()).field
        return self.imported(values, read_answers(file.file, file.name, id_field=id_field))


class RunHalfBatch(RunView):
    @operation("Try a run again with half the batch", result=RunSerializer, status=202)
    def post(self, run_id: int) -> object:
        """A run of its own, begun anew, for one whose memory was not enough: at most half the rows at a time, and a
        training's `accumulation_steps` raised so that its effective batch stays. 409 for any other run.
        """
        run = self.run(run_id)
        self.body()
        return self.run(start_with_half_batch(run=run, by=self.person).pk)


class RunPoints(RunView):
    order = ("step",)

    @operation("List a training's points", result=TrainingPointSerializer, paged=True)
    def get(self, run_id: int) -> object:
        """Loss, learning rate and the like by step."""
        return self.page(self.run(run_id).points.all())


class RunSamples(RunView):
    order = ("step", "position")

    @operation("List a training's sample answers", result=SampleAnswerSerializer, paged=True)
    def get(self, run_id: int) -> object:
        """What the model answered to the same few prompts held out, at each evaluation so far."""
        return self.page(self.run(run_id).sample_answers.select_related("example"))


class RunDrawnRows(RunView):
    @operation("Read the rows a training drew", result=DrawnRowsSerializer)
    def get(self, run_id: int) -> object:
        """There once a training that took a share of its rows has ended; 404 for others, which took them all."""
        return get_or_missing(DrawnRows.objects.filter(run=self.run(run_id)))


class RunOutputs(RunView):
    order = ("example_id", "id")

    @operation("List a run's answers", query=OutputQuery, result=OutputSerializer, paged=True)
    def get(self, run_id: int) -> object:
        run = self.run(run_id)
        outputs = queries.outputs_of(run)
        candidate = self.query.get("candidate")
        return self.page(outputs.filter(candidate=candidate) if candidate else outputs)


class RunUsage(RunView):
    @operation("Read what a run's candidates took", result=RunUsageSerializer)
    def get(self, run_id: int) -> object:
        """Tokens, seconds and cost of each candidate's answers."""
        return {"candidates": candidate_usage(self.run(run_id))}


class RunScoring(RunView):
    @operation("Score a run", result=JobSerializer, status=202)
    def post(self, run_id: int) -> object:
        """All metrics and the active rules; scoring again replaces the results."""
        run = self.run(run_id)
        self.body()
        if run.kind in TRAINING_KINDS:
            message = "A training has no answers to score. Score a generation or an import."
            raise InvalidError(message)
        return start_scoring(run=run, by=self.person)
