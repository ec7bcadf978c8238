"""The recorded cycle: the results of one live demonstration's model programs, which fill the pages at the
first start.

Everything after the models (scores, reviews, export) is done again when it is restored. Weights are not
recorded: a recorded adapter has its lineage but cannot generate.
"""

import gzip
import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.datasets.models import DatasetVersion, Split
from evalapp.demo import training_settings
from evalapp.demo.models import Demonstration
from evalapp.demo.stage_set import first_data
from evalapp.jobs.models import Job, JobEvent, JobState
from evalapp.registry.models import Model, ModelKind, ModelVersion
from evalapp.runs.models import Output, Run, RunCandidate, RunKind, TrainingPoint
from evalapp.runs.services import GENERATION_TASK, TRAINING_TASK

RECORDING = Path(__file__).parent / "recorded_cycle.json.gz"
_TRAINING_FIELDS = ("spec", "rows", "result", "engine", "device", "engine_reason")


def save_recording(demonstration: Demonstration, path: Path = RECORDING) -> int:
    """Write a finished live demonstration to ``path``; returns the number of recorded outputs.

    Paths of this machine are reduced to their last part.
    """
    made = demonstration.objects_made
    recording: dict[str, Any] = {
        "made_at": (demonstration.finished_at or timezone.now()).isoformat(),
        "first_training": _training(made["first_training"]),
        "second_training": _training(made["second_training"]),
        "first_generation": _generation(made["first_generation"], made),
        "second_generation": _generation(made["second_generation"], made),
    }
    text = json.dumps(recording, ensure_ascii=False, sort_keys=True)
    # Without a timestamp, the same recording gives the same file.
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    generations = (recording["first_generation"], recording["second_generation"])
    return sum(len(outputs) for each in generations for outputs in each["outputs"].values())


def _training(run_id: int) -> dict[str, Any]:
    run = Run.objects.select_related("job").get(pk=run_id)
    kept = {name: _without_folders(getattr(run, name)) for name in _TRAINING_FIELDS}
    return {
        **kept,
        "seconds": _seconds(run.job),
        "points": [[each.step, each.values] for each in run.points.order_by("step")],
    }


def _generation(run_id: int, made: dict[str, int]) -> dict[str, Any]:
    run = Run.objects.select_related("job").get(pk=run_id)
    names = {made[name]: name for name in ("base", "prompt", "v1", "v2") if name in made}
    outputs: dict[str, list[list[Any]]] = {}
    for output in run.outputs.select_related("example").order_by("candidate_id", "example_id"):
        outputs.setdefault(names[output.candidate_id], []).append(
            [
                output.example.row_number, output.text, output.finish_reason, output.prompt_tokens,
                output.completion_tokens, output.seconds,
            ]
        )  # fmt: skip
    kept = {name: _without_folders(getattr(run, name)) for name in _TRAINING_FIELDS}
    return {**kept, "seconds": _seconds(run.job), "splits": run.splits, "outputs": outputs}


def _seconds(job: Job) -> float:
    return (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_folders(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    if isinstance(value, str) and value.startswith("/"):
        return Path(value).name
    return value


@cache
def load_recording(path: Path = RECORDING) -> dict[str, Any]:
    recording: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return recording


def recorded_at() -> datetime:
    """End of the recorded live demonstration."""
    return datetime.fromisoformat(load_recording()["made_at"])


def _ended_at(name: str) -> datetime:
    """End of a recorded program's run: the four runs are placed one directly after the other."""
    order = ("first_training", "first_generation", "second_training", "second_generation")
    later = order[order.index(name) + 1 :]
    return recorded_at() - timedelta(seconds=sum(load_recording()[each]["seconds"] for each in later))


def restore_first_run(project: Project, *, by: User) -> dict[str, int]:
    """Store the recorded base, prompt and v1 with their runs and outputs; returns ids by name."""
    recording = load_recording()
    data = first_data(project)
    model = Model.objects.create(
        project=project,
        name=f"{training_settings.BASE_NAME} (recorded)",
        description="Answers without weights",
        created_by=by,
    )
    base = _version(model, 1, "Base (recorded)", ModelKind.BASE, by=by)
    prompt = _version(
        model, 2, "Prompt (recorded)", ModelKind.PROMPT, by=by, base=base,
        system_prompt=training_settings.PROMPT_SYSTEM, prompt_template=training_settings.PROMPT_TEMPLATE,
    )  # fmt: skip
    v1 = _version(model, 3, "v1 (recorded)", ModelKind.LORA, by=by, base=base)
    training = _restore_training(recording, "first_training", "v1 (recorded)", data, v1, by=by)
    generation = _restore_generation(
        recording,
        "first_generation",
        "base, prompt, v1 (recorded)",
        data,
        {"base": base, "prompt": prompt, "v1": v1},
        by=by,
    )
    return {
        "base": base.pk, "prompt": prompt.pk, "v1": v1.pk, "first_training": training.pk,
        "first_generation": generation.pk,
    }  # fmt: skip


def restore_second_run(
    project: Project, data: DatasetVersion, made: dict[str, int], *, by: User
) -> dict[str, int]:
    """Store the recorded v2, trained on ``data`` and continued from v1, with its outputs."""
    recording = load_recording()
    v1 = ModelVersion.objects.select_related("model", "base").get(pk=made["v1"])
    v2 = _version(
        v1.model, 4, "v2 (recorded)", ModelKind.LORA, by=by, base=v1.base, parent=v1, is_simulated=True
    )
    training = _restore_training(
        recording, "second_training", "v2 (recorded)", data, v2, by=by, continued_from=v1, is_simulated=True
    )
    generation = _restore_generation(
        recording,
        "second_generation",
        "v2 (recorded)",
        first_data(project),
        {"v2": v2},
        by=by,
        is_simulated=True,
    )
    return {"v2": v2.pk, "second_training": training.pk, "second_generation": generation.pk}


def _version(
    model: Model, number: int, label: str, kind: ModelKind, *, by: User, **fields: Any
) -> ModelVersion:
    version = ModelVersion.objects.create(
        model=model, project=model.project, number=number, label=label, kind=kind, is_recorded=True,
        created_by=by, **fields,
    )  # fmt: skip
    record("model.restored", by=by, obj=version, project=model.project, data={"recorded": True})
    return version


def _restore_training(
    recording: dict[str, Any], name: str, title: str, data: DatasetVersion, produced: ModelVersion, *,
    by: User,
    **fields: Any,
) -> Run:  # fmt: skip
    kept = recording[name]
    run = _restored_run(
        kept, _ended_at(name), data, by=by, kind=RunKind.TRAINING, name=title, splits=[Split.TRAIN], **fields
    )
    run.base, run.produced = produced.base, produced
    run.save(update_fields=["base", "produced"])
    TrainingPoint.objects.bulk_create(
        TrainingPoint(run=run, step=step, values=values) for step, values in kept["points"]
    )
    return run


def _restore_generation(
    recording: dict[str, Any], name: str, title: str, data: DatasetVersion, candidates: dict[str,
    ModelVersion], *,
    by: User, **fields: Any,
) -> Run:  # fmt: skip
    kept = recording[name]
    run = _restored_run(
        kept,
        _ended_at(name),
        data,
        by=by,
        kind=RunKind.GENERATION,
        name=title,
        splits=kept["splits"],
        **fields,
    )
    examples = dict(data.examples.filter(split__in=kept["splits"]).values_list("row_number", "id"))
    for key, version in candidates.items():
        RunCandidate.objects.create(run=run, model_version=version, key=f"candidate-{version.pk}")
        Output.objects.bulk_create(_outputs(run, version, kept["outputs"][key], examples))
    return run


def _outputs(
    run: Run, version: ModelVersion, kept: Iterable[list[Any]], examples: dict[int, int]
) -> Iterable[Output]:
    for row_number, text, finish_reason, prompt_tokens, completion_tokens, seconds in kept:
        yield Output(
            run=run, example_id=examples[row_number], candidate=version, text=text,
            finish_reason=finish_reason,
            prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, seconds=seconds,
        )  # fmt: skip


def _restored_run(
    kept: dict[str, Any],
    ended_at: datetime,
    data: DatasetVersion,
    *,
    by: User,
    kind: RunKind,
    name: str,
    **fields: Any,
) -> Run:
    job = Job.objects.create(
        project=data.dataset.project,
        task=TRAINING_TASK if kind == RunKind.TRAINING else GENERATION_TASK,
        title=f"{RunKind(kind).label} of {name}",
        queue="models",
        state=JobState.SUCCEEDED,
        created_by=by,
        started_at=ended_at - timedelta(seconds=kept["seconds"]),
        finished_at=ended_at,
        result={"recorded": True, "seconds": kept["seconds"]},
    )
    # Updated afterwards, because created_at is set on insertion.
    Job.objects.filter(pk=job.pk).update(created_at=job.started_at)
    JobEvent.objects.create(
        job=job,
        attempt=1,
        text="Made by this same pipeline and included in the demonstration; the log itself was not kept.",
    )
    run = Run.objects.create(
        project=data.dataset.project,
        kind=kind,
        name=name,
        job=job,
        dataset_version=data,
        is_recorded=True,
        created_by=by,
        **{field: kept[field] for field in _TRAINING_FIELDS},
        **fields,
    )
    Run.objects.filter(pk=run.pk).update(created_at=job.started_at)
    record("run.restored", by=by, obj=run, project=run.project, data={"recorded": True})
    return run
