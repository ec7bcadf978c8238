"""One row of every kind of models, runs and metrics, for the access matrix."""

from types import SimpleNamespace

from evalapp.artifacts.models import DatasetPush, HubDownload, MergedExport
from evalapp.jobs.models import Job
from evalapp.llm_judges.models import LLMJudge, LLMScore
from evalapp.registry.models import Endpoint, Model, ModelVersion
from evalapp.runs.models import (
    ContaminationDecision,
    DrawnRows,
    Output,
    Run,
    RunCandidate,
    RunShard,
    SampleAnswer,
    Sweep,
    TrainingPoint,
)
from evalapp.scoring.models import CorpusMetric, ExternalMetric, LabelParser, MetricResult, RuleCheck

DIGEST = "0" * 64


def add_models(world: SimpleNamespace) -> None:
    _models_and_runs(world)
    _artifacts(world)
    _metrics(world)


def _models_and_runs(world: SimpleNamespace) -> None:
    project = world.project
    world.model = Model.objects.create(project=project, name="Answers")
    world.model_version = ModelVersion.objects.create(
        model=world.model, project=project, number=1, label="Answers", kind="imported"
    )
    world.sweep = Sweep.objects.create(
        project=project,
        name="Sweep",
        dataset_version=world.dataset_version,
        base=world.model_version,
        axes={"seed": [1, 2]},
    )
    world.run = Run.objects.create(
        project=project,
        sweep=world.sweep,
        kind="import",
        name="Run",
        job=world.job,
        dataset_version=world.dataset_version,
        splits=["feedback"],
    )
    world.contamination_decision = ContaminationDecision.objects.create(
        project=project, dataset_version=world.dataset_version, reason="Asked for.", rows=[], rows_hash=DIGEST
    )
    RunCandidate.objects.create(run=world.run, model_version=world.model_version, key="answers")
    TrainingPoint.objects.create(run=world.run, step=1, values={"loss": 1.0})
    SampleAnswer.objects.create(
        run=world.run, step=1, position=0, row="row-1", example=world.example, text="So.", is_whole=True
    )
    DrawnRows.objects.create(run=world.run, rows=["row-1"])
    RunShard.objects.create(run=world.run, number=0, outputs=1)
    world.output = Output.objects.create(
        run=world.run, example=world.example, candidate=world.model_version, text="An answer."
    )


def _artifacts(world: SimpleNamespace) -> None:
    project = world.project
    jobs = [
        Job.objects.create(project=project, task="t", title=title) for title in ("Merge", "Download", "Push")
    ]
    world.merged_export = MergedExport.objects.create(
        project=project, model_version=world.model_version, job=jobs[0]
    )
    world.hub_download = HubDownload.objects.create(
        project=project,
        name="Tiny",
        hub="https://hub.example",
        repository="house/tiny",
        revision="main",
        job=jobs[1],
    )
    world.dataset_push = DatasetPush.objects.create(
        project=project, version=world.dataset_version, hub="https://hub.example",
        repository="house/letters", splits=["feedback"], job=jobs[2],
    )  # fmt: skip


def _metrics(world: SimpleNamespace) -> None:
    project = world.project
    world.rule = RuleCheck.objects.create(
        project=project, name="Short", kind="contains", params={"text": "goal", "ignore_case": True}
    )
    MetricResult.objects.create(output=world.output, metric="rouge_l", signature="s", value=0.5)
    world.judge = LLMJudge.objects.create(
        project=project,
        criterion=world.criterion,
        name="Judge",
        url="https://models.example/v1",
        model="judge-1",
        prompt="{answer}",
    )
    world.model_endpoint = Endpoint.objects.create(
        project=project, name="House server", url="https://models.example/v1"
    )
    LLMScore.objects.create(judge=world.judge, output=world.output, state="answered", value=3)
    LabelParser.objects.create(dataset=world.dataset, kind="exact")
    world.external = ExternalMetric.objects.create(project=project, name="Toxicity")
    CorpusMetric.objects.create(
        run=world.run,
        candidate=world.model_version,
        split="feedback",
        metric="bleu",
        signature="s",
        value=1.0,
        n=1,
    )
