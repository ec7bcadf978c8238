"""Write operations that start runs. Every setting is checked by the programs' own specifications."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.datasets.models import DatasetVersion, Split, VersionState
from evalapp.datasets.queries import TRAINING_SPLITS
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job
from evalapp.registry.models import STANDING_KINDS, ModelKind, ModelVersion
from evalapp.runs.contamination.contamination_guard import is_quick, refuse_contamination
from evalapp.runs.generation.answers import REFUSED, ImportedAnswer, MatchedAnswer, match_answers
from evalapp.runs.generation.batch_files import batch_lines
from evalapp.runs.generation.masked_answers import masked_answers, with_masked_prompts
from evalapp.runs.generation.shards import checked_shards
from evalapp.runs.models import Output, Run, RunCandidate, RunKind
from evalapp.runs.programs import inputs, settings_checks
from evalapp.runs.programs.directory import candidate_specs
from evalapp.runs.programs.ingest import most_reasons
from evalapp.runs.programs.model_programs import why_not_runnable
from evalapp.runs.run_limits import require_room
from evalapp.runs.signals import outputs_stored
from evalapp.runs.training.training_rows import too_few_rows
from inference.spec import GenerationSpec, SamplingParameters
from run_directory.records import RecordError
from training.objectives import objective_of
from training.spec import MODEL_MAKERS, TrainingSpec

TRAINING_TASK = "evalapp.runs.tasks.carry_out_training"
DRY_RUN_TASK = "evalapp.runs.tasks.carry_out_dry_run"
GENERATION_TASK = "evalapp.runs.tasks.carry_out_generation"
ENDPOINT_TASK = "evalapp.runs.tasks.carry_out_asking"
IMPORT_WORK = "evalapp.runs.services.import_outputs"
"""Task name of an import's job, which is complete on creation."""
METHOD = TrainingSpec.method
"""The default method of a training."""
MOST_SAMPLES = 32
_BATCH = 1000


def start_training(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    base: ModelVersion,
    name: str,
    hyperparameters: dict[str, Any],
    by: User | None,
    continued_from: ModelVersion | None = None,
) -> Run:
    """Queue a training on the version's training rows.

    ``hyperparameters`` are fields of ``training.spec.TrainingSpec`` (``lora`` is a mapping); missing ones
    have their defaults. Raises InvalidError for a setting that the program would reject or a version without
    training rows, and ContaminatedError for training rows in an evaluation split that no owner has decided
    on.
    """
    spec = checked_training(project, dataset_version, base, continued_from, hyperparameters)
    decision = refuse_contamination(dataset_version).decision if is_quick(dataset_version) else None
    with transaction.atomic():
        job = queue_run(project, TRAINING_TASK, f"Training of {name}", by)
        return create_run(
            job,
            by=by,
            kind=RunKind.TRAINING,
            name=name,
            contamination_decision=decision,
            **fields_of_training(dataset_version, base, continued_from, spec),
        )


def start_dry_run(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    base: ModelVersion,
    name: str,
    hyperparameters: dict[str, Any],
    by: User | None,
    continued_from: ModelVersion | None = None,
) -> Run:
    """Queue a dry run of ``start_training`` with the same arguments; it stores no weights.

    Raises InvalidError likewise. Contaminated rows raise nothing: the dry run reports them.
    """
    spec = checked_training(project, dataset_version, base, continued_from, hyperparameters)
    with transaction.atomic():
        job = queue_run(project, DRY_RUN_TASK, f"Dry run of {name}", by)
        return create_run(
            job,
            by=by,
            kind=RunKind.DRY_RUN,
            name=name,
            **fields_of_training(dataset_version, base, continued_from, spec),
        )


def start_training_of(*, dry_run: Run, by: User | None) -> Run:
    """Queue the training of a dry run, with the same name and settings.

    Raises ConflictError for any other run, and the errors of ``start_training``.
    """
    if dry_run.kind != RunKind.DRY_RUN or dry_run.base is None:
        raise ConflictError("Only a dry run can be turned into a training.")
    return start_training(
        project=dry_run.project,
        dataset_version=dry_run.dataset_version,
        base=dry_run.base,
        continued_from=dry_run.continued_from,
        name=dry_run.name,
        hyperparameters=dry_run.hyperparameters,
        by=by,
    )


def checked_training(
    project: Project,
    dataset_version: DatasetVersion,
    base: ModelVersion,
    continued_from: ModelVersion | None,
    hyperparameters: dict[str, Any],
) -> TrainingSpec:
    _require_ready(project, dataset_version)
    _require_kind(project, base, STANDING_KINDS, "base", "Choose a base model of this project.")
    if continued_from is not None:
        _require_kind(
            project, continued_from, {ModelKind.LORA}, "continued_from", "Choose an adapter of this project."
        )
        _require_continuable(continued_from, base, str(hyperparameters.get("method", METHOD)))
    if not dataset_version.counts.get(Split.TRAIN):
        _refuse(
            "dataset_version",
            f"{dataset_version} has no training rows. Choose a version with a training split.",
        )
    rows = sum(dataset_version.counts.get(split, 0) for split in TRAINING_SPLITS)
    spec = _training_spec(hyperparameters, continued_from=continued_from, rows=rows)
    settings_checks.require_possible_training(spec, base)
    if reason := too_few_rows(dataset_version, objective_of(spec.objective)):
        _refuse("dataset_version", reason)
    return spec


def fields_of_training(
    dataset_version: DatasetVersion,
    base: ModelVersion,
    continued_from: ModelVersion | None,
    spec: TrainingSpec,
) -> dict[str, Any]:
    """Fields that the run of a training and of its dry run share."""
    return {
        "dataset_version": dataset_version,
        "splits": [split for split in TRAINING_SPLITS if dataset_version.counts.get(split)],
        "base": base,
        "continued_from": continued_from,
        "spec": spec.to_dict(),
        "is_simulated": (
            dataset_version.is_simulated
            or base.is_simulated
            or bool(continued_from and continued_from.is_simulated)
        ),
    }


def batch_file(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    splits: Sequence[str],
    candidates: Sequence[ModelVersion],
    sampling: dict[str, Any],
) -> Iterable[str]:
    """The questions of a generation by one API model, as lines of an OpenAI batch's input.

    Raises InvalidError like ``start_generation``, and for more than one candidate or one that is not an API
    model.
    """
    _require_ready(project, dataset_version)
    _rows_of(dataset_version, splits)
    if _shared_base(project, candidates) is not None or len(candidates) > 1:
        _refuse("candidates", "A batch file is for one API model. Choose one such candidate.")
    samples, settings_of_run, _ = _split_settings(sampling)
    settings_checks.require_schema(settings_of_run)
    return batch_lines(
        dataset_version,
        splits=splits,
        candidate=candidates[0],
        sampling=_sampling(settings_of_run),
        samples=samples,
    )


def start_generation(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    splits: Sequence[str],
    candidates: Sequence[ModelVersion],
    sampling: dict[str, Any],
    name: str,
    by: User | None,
) -> Run:
    """Queue the answers of all candidates to all rows of the splits.

    ``sampling`` has fields of ``inference.spec.SamplingParameters`` and ``samples`` (answers per row, default
    1), and optionally ``engine``, ``batch_size``, ``dtype``, ``device``, ``threads``, ``prefix_caching`` and
    ``shards``, which API models do not accept. Raises InvalidError when the candidates do not share one base,
    or for a setting that the program would reject.
    """
    _require_ready(project, dataset_version)
    rows = _rows_of(dataset_version, splits)
    base = _shared_base(project, candidates)
    samples, settings_of_run, around = _split_settings(sampling)
    settings_checks.require_schema(settings_of_run)
    with transaction.atomic():
        job = queue_run(
            project,
            ENDPOINT_TASK if base is None else GENERATION_TASK,
            f"Generation of {name}",
            by,
            queue="default" if base is None else "models",
            samples=samples,
            shards=checked_shards(around.pop("shards", 1), has_base=base is not None),
        )
        run = create_run(
            job,
            by=by,
            kind=RunKind.GENERATION,
            name=name,
            dataset_version=dataset_version,
            splits=list(dict.fromkeys(splits)),
            base=base,
            is_simulated=dataset_version.is_simulated or any(each.is_simulated for each in candidates),
        )
        RunCandidate.objects.bulk_create(
            RunCandidate(run=run, model_version=version, key=f"candidate-{version.pk}")
            for version in candidates
        )
        run.spec = (
            _endpoint_spec(run, settings_of_run, rows=rows * samples)
            if base is None
            else _generation_spec(run, settings_of_run, around, rows=rows * samples).to_dict()
        )
        run.save(update_fields=["spec"])
        return run


@transaction.atomic
def import_outputs(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    candidate: ModelVersion,
    rows: Iterable[ImportedAnswer],
    name: str,
    by: User | None,
    item_field: str = "",
    is_recorded: bool = False,
    is_simulated: bool = False,
) -> Run:
    """Store all imported outputs or none. ``item_field`` is the metadata field that ``item`` refers to, ""
    for the rows' ids.

    Raises ImportProblemsError with every invalid row: one that matches no example of the version, repeats
    one, or is empty.
    """
    _require_ready(project, dataset_version)
    if candidate.project_id != project.pk:
        _refuse("candidate", "Choose a candidate of this project.")
    rows = with_masked_prompts(project, rows)
    answers = masked_answers(project, match_answers(rows, dataset_version, item_field=item_field))
    job = queue_run(project, IMPORT_WORK, f"Import of {name}", by, notifies=False)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.SUCCEEDED,
        started_at=Now(),
        finished_at=Now(),
        progress_done=len(answers),
        progress_total=len(answers),
        result={"outputs": len(answers)},
    )
    job.refresh_from_db()
    run = create_run(
        job,
        by=by,
        kind=RunKind.IMPORT,
        name=name,
        dataset_version=dataset_version,
        splits=sorted({answer.split for answer in answers}),
        rows=_row_account(answers),
        engine="imported",
        engine_reason="The outputs were imported.",
        is_recorded=is_recorded,
        is_simulated=is_simulated,
    )
    RunCandidate.objects.create(run=run, model_version=candidate, key=f"candidate-{candidate.pk}")
    outputs = (_output(run, candidate, answer) for answer in answers)
    Output.objects.bulk_create(outputs, batch_size=_BATCH)
    outputs_stored.send(sender=Run, run=run)
    return run


def _output(run: Run, candidate: ModelVersion, answer: MatchedAnswer) -> Output:
    return Output(
        run=run,
        example_id=answer.example_id,
        candidate=candidate,
        sample_index=answer.sample,
        text=answer.text,
        reasoning=answer.reasoning,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        completion_tokens=answer.completion_tokens,
    )


def _row_account(answers: Sequence[MatchedAnswer]) -> dict[str, Any]:
    reasons = Counter(answer.refusal for answer in answers if answer.finish_reason == REFUSED)
    refused = reasons.total()
    counts = {"in": len(answers), "used": len(answers) - refused, "truncated": 0, "dropped": refused}
    return {**counts, "reasons": most_reasons(reasons)}


_FIELDS_BESIDE_SAMPLING = ("engine", "batch_size", "dtype", "device", "threads", "prefix_caching", "shards")


def queue_run(
    project: Project,
    task: str,
    title: str,
    by: User | None,
    *,
    notifies: bool = True,
    queue: str = "models",
    **params: Any,
) -> Job:
    if not notifies:
        return Job.objects.create(project=project, task=task, title=title[:200], created_by=by, params=params)
    require_room(project)
    if queue == "models" and (problem := why_not_runnable()):
        raise ConflictError(problem, code="models_not_installed")
    return create_job(project=project, task=task, title=title, by=by, params=params, queue=queue)


def create_run(job: Job, *, by: User | None, name: str, **fields: Any) -> Run:
    name = checked_name(name, of="the run")
    run = Run.objects.create(project=job.project, job=job, name=name, created_by=by, **fields)
    data = {"kind": run.kind, "dataset_version": run.dataset_version_id, "splits": run.splits}
    record("run.started", by=by, obj=run, project=job.project, data=data)
    return run


def _training_spec(
    hyperparameters: dict[str, Any], *, continued_from: ModelVersion | None, rows: int
) -> TrainingSpec:
    fixed = {
        "base_folder": inputs.BASE,
        "continue_from": inputs.CONTINUED_FROM if continued_from else None,
        "rows": rows,
    }
    try:
        return TrainingSpec.from_dict({**hyperparameters, **fixed}, where="Settings")
    except RecordError as error:
        raise settings_checks.refused_settings(error) from error


def _generation_spec(
    run: Run, sampling: dict[str, Any], around: dict[str, Any], *, rows: int
) -> GenerationSpec:
    spec = {
        **around,
        "base_folder": inputs.BASE,
        "candidates": [candidate.to_dict() for candidate in candidate_specs(run)],
        "rows": rows,
        "sampling": sampling,
    }
    try:
        checked = GenerationSpec.from_dict(spec, where="Settings")
    except RecordError as error:
        raise settings_checks.refused_settings(error) from error
    settings_checks.require_possible_generation(checked, run.base)
    return checked


def _split_settings(settings_of_run: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, Any]]:
    """Split the settings: samples per row, the sampling fields, and the rest. Raises InvalidError for invalid
    samples.
    """
    own = dict(settings_of_run)
    samples = int(own.pop("samples", 1))
    if not 1 <= samples <= MOST_SAMPLES:
        _refuse("samples", f"Choose 1 to {MOST_SAMPLES} answers for each row.")
    if samples > 1 and not own.get("temperature"):
        _refuse(
            "samples", "At temperature 0 all answers to a row are the same. Raise it, or generate one answer."
        )
    around = {key: own.pop(key) for key in _FIELDS_BESIDE_SAMPLING if key in own}
    return samples, own, around


def _sampling(settings_of_run: dict[str, Any]) -> SamplingParameters:
    try:
        return SamplingParameters.from_dict(settings_of_run, where="Settings")
    except RecordError as error:
        raise settings_checks.refused_settings(error) from error


def _endpoint_spec(run: Run, sampling: dict[str, Any], *, rows: int) -> dict[str, Any]:
    candidates = [
        {
            "key": entry.key,
            "url": entry.model_version.endpoint.origin if entry.model_version.endpoint else "",
            "system_prompt": entry.model_version.system_prompt,
            "template": entry.model_version.prompt_template,
            **entry.model_version.config,
        }
        for entry in run.candidates.select_related("model_version__endpoint").order_by("pk")
    ]
    return {"candidates": candidates, "rows": rows, "sampling": _sampling(sampling).to_dict()}


def _shared_base(project: Project, candidates: Sequence[ModelVersion]) -> ModelVersion | None:
    """The base of all candidates; None if all are API models. Raises InvalidError otherwise."""
    if not candidates:
        _refuse("candidates", "Choose at least one candidate.")
    if len({version.pk for version in candidates}) < len(candidates):
        _refuse("candidates", "A candidate was chosen twice.")
    bases: dict[int, ModelVersion] = {}
    for version in candidates:
        if version.project_id != project.pk or version.kind == ModelKind.IMPORTED:
            _refuse(
                "candidates", f"“{version.label}” cannot generate here, because its outputs are imported."
            )
        base = version if version.kind in STANDING_KINDS else version.base
        if base is not None:
            bases[base.pk] = base
    asked = [version for version in candidates if version.kind == ModelKind.ENDPOINT]
    if len(asked) == len(candidates):
        return None
    if asked:
        _refuse(
            "candidates",
            f"“{asked[0].label}” is an API model, the others run here. Start one run for each kind.",
        )
    if len(bases) > 1:
        names = ", ".join(sorted(f"“{base.model.name}: {base.label}”" for base in bases.values()))
        _refuse("candidates", f"The candidates have different bases ({names}). Start one run for each base.")
    return next(iter(bases.values()))


def _rows_of(version: DatasetVersion, splits: Sequence[str]) -> int:
    if unknown := [split for split in splits if split not in Split.values]:
        _refuse("splits", f"There is no split {unknown[0]!r}.")
    rows = sum(int(version.counts.get(split, 0)) for split in set(splits))
    if not rows:
        _refuse("splits", f"{version} has no rows in the chosen splits. Choose one that has.")
    return rows


def _require_ready(project: Project, version: DatasetVersion) -> None:
    if version.dataset.project_id != project.pk or version.state != VersionState.READY:
        _refuse("dataset_version", "Choose a dataset version of this project whose import has finished.")


def _require_kind(
    project: Project, version: ModelVersion, kinds: Collection[str], field: str, message: str
) -> None:
    if version.project_id != project.pk or version.kind not in kinds:
        _refuse(field, message)


def _require_continuable(adapter: ModelVersion, base: ModelVersion, method: str) -> None:
    if adapter.base_id != base.pk:
        _refuse(
            "continued_from",
            f"“{adapter.label}” belongs to another base than “{base.model.name}: {base.label}”.",
        )
    if method in MODEL_MAKERS:
        _refuse(
            "continued_from",
            f"This method produces a full model and cannot start from the adapter “{adapter.label}”. Choose"
            " the adapter's method, or start without it.",
        )
    if (method == "rslora") != bool(adapter.config.get("rslora")):
        own = "rsLoRA" if adapter.config.get("rslora") else "LoRA or QLoRA"
        _refuse(
            "continued_from",
            f"“{adapter.label}” does not fit this method, which scales adapters differently. Choose {own},"
            " or start without it.",
        )


def _refuse(field: str, message: str) -> None:
    raise InvalidError(message, field=field)
