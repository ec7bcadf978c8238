from collections.abc import Sequence
from typing import NamedTuple

from django.db.models import Count, Prefetch, Q, QuerySet

from evalapp.accounts.models import Project
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.datasets.queries import examples_of
from evalapp.jobs.models import FINAL_STATES
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.runs.models import Output, Run, RunCandidate, RunKind, RunShard, Sweep, TrainingPoint

MOST_SAMPLES = 24


def runs_of(project: Project, *, kind: str = "") -> QuerySet[Run]:
    """The project's runs with everything that lists show; ``kind`` is a RunKind, or "" for all."""
    candidates = RunCandidate.objects.select_related("model_version").order_by("pk")
    runs = Run.objects.filter(project=project).select_related(
        "project",
        "job",
        "job__created_by",
        "dataset_version__dataset",
        "base__model",
        "produced",
        "sweep",
        "created_by",
    )
    shards = RunShard.objects.select_related("holder").order_by("number")
    runs = runs.select_related(
        "continued_from",
        "contamination_decision__decided_by",
        "contamination_decision__dataset_version__dataset",
    )
    runs = runs.prefetch_related(
        Prefetch("candidates", queryset=candidates), Prefetch("shards", queryset=shards)
    )
    return runs.filter(kind=kind) if kind in RunKind.values else runs


def sweeps_of(project: Project) -> QuerySet[Sweep]:
    """The project's sweeps, annotated with the number of trainings and of ended ones (``over``)."""
    over = Q(runs__job__state__in=FINAL_STATES)
    sweeps = Sweep.objects.filter(project=project).select_related(
        "project", "dataset_version__dataset", "base__model", "created_by"
    )
    return sweeps.annotate(trainings=Count("runs"), over=Count("runs", filter=over))


def outputs_of(run: Run, *, candidate: ModelVersion | None = None) -> QuerySet[Output]:
    """The run's outputs, unordered, with example and candidate."""
    outputs = run.outputs.select_related("example", "candidate")
    return outputs.filter(candidate=candidate) if candidate is not None else outputs


def sample_outputs(run: Run) -> list[Output]:
    """The candidates' outputs for the run's first examples, ordered by example: three examples, or fewer of
    many candidates; the first `MOST_SAMPLES`.
    """
    examples = max(1, min(3, MOST_SAMPLES // max(1, run.candidates.count())))
    first = examples_of(run.dataset_version, run.splits).values_list("pk", flat=True)[:examples]
    outputs = outputs_of(run).filter(example__in=list(first), sample_index=0)
    return list(outputs.order_by("example__row_number", "candidate_id")[:MOST_SAMPLES])


def trainable_versions(project: Project) -> QuerySet[DatasetVersion]:
    """Ready versions with training rows, newest first."""
    return ready_versions(project).filter(counts__train__gt=0)


def ready_versions(project: Project) -> QuerySet[DatasetVersion]:
    ready = DatasetVersion.objects.filter(dataset__project=project, state=VersionState.READY)
    return ready.select_related("dataset").order_by("-pk")


def points_of(run: Run) -> list[TrainingPoint]:
    return list(run.points.order_by("step"))


class GenerationUse(NamedTuple):
    """A run in which a model version generated outputs, and how many."""

    run: Run
    outputs: int


def generation_uses_of(version: ModelVersion, *, count: int = 20) -> list[GenerationUse]:
    """The latest runs in which the version generated outputs."""
    entries = (
        RunCandidate.objects.filter(model_version=version)
        .select_related("run__job", "run__dataset_version__dataset")
        .order_by("-run_id")[:count]
    )
    runs = [entry.run for entry in entries]
    counted = (
        Output.objects.filter(run__in=runs, candidate=version).values("run").annotate(number=Count("pk"))
    )
    numbers = {row["run"]: row["number"] for row in counted}
    return [GenerationUse(run, numbers.get(run.pk, 0)) for run in runs]


def prompts_tried(project: Project) -> list[tuple[ModelVersion, int]]:
    """Each base of the project on which prompts were tried, with the number of prompts."""
    bases = ModelVersion.objects.filter(project=project, derived__kind=ModelKind.PROMPT).select_related(
        "model"
    )
    return [(base, base.tried) for base in bases.annotate(tried=Count("derived")).order_by("model__name")]


def position_among_tried(prompt: ModelVersion) -> tuple[int, int]:
    """Position of this prompt among those tried on its base or endpoint model, and their number."""
    tried = ModelVersion.objects.filter(base=prompt.base_id, kind=ModelKind.PROMPT)
    if prompt.kind == ModelKind.ENDPOINT:
        same = ModelVersion.objects.filter(endpoint=prompt.endpoint_id, config__model=prompt.config["model"])
        tried = same.exclude(system_prompt="", prompt_template="", config__examples__isnull=True)
    return tried.filter(pk__lte=prompt.pk).count(), tried.count()


def training_of(version: ModelVersion) -> Run | None:
    """The run that trained a version, or None if it was trained elsewhere."""
    return (
        Run.objects.filter(produced=version)
        .select_related("job", "dataset_version__dataset", "continued_from", "created_by", "sweep")
        .first()
    )


def split_counts(version: DatasetVersion) -> Sequence[tuple[str, int]]:
    """Labels and row counts of the splits that have rows, in the usual order."""
    return [(split.label, version.counts[split]) for split in Split if version.counts.get(split)]
