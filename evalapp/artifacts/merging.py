"""Merges adapters into their bases, for export as full models."""

import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from evalapp.accounts.models import User
from evalapp.artifacts.models import MergedExport, MergeFormat
from evalapp.audit.services import record
from evalapp.core import artifacts
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import Example, Split
from evalapp.jobs.executor import end_previous_program
from evalapp.jobs.models import FINAL_STATES, JobState
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelKind, ModelVersion
from evalapp.registry.quantized import why_not_trainable
from evalapp.runs.execution.relay import ProgramRelay
from evalapp.runs.execution.run_execution import execute_program
from evalapp.runs.programs.events import GarbageError
from evalapp.runs.programs.model_programs import why_not_runnable
from evalapp.runs.queries import training_of
from run_directory.bases import check_base
from run_directory.files import sync_folder, sync_tree, write_whole
from run_directory.model_files import UnusableModelError
from run_directory.protocol import MODEL_FOLDER, SPEC_FILE
from training.merge_spec import MergeReport, MergeResult, MergeSpec

TASK = "evalapp.artifacts.tasks.merge"
DEFAULT_PROMPTS = (
    "Hello! What can you do for me?",
    "Explain in two sentences why the sky is blue.",
    "Write a short, friendly e-mail that moves a meeting to Friday.",
    "What is 17 times 3?",
)
"""Test prompts for a version whose training prompts are unknown here."""
_PROMPTS = 4
_LONGEST_PROMPT = 4_000


@transaction.atomic
def start_merge(*, version: ModelVersion, by: User | None, dtype: str = MergeFormat.BASE) -> MergedExport:
    """Queue the merge of an adapter into its base, or return one in this format that exists or is in
    progress.

    Raises ConflictError for a version that cannot be merged, and InvalidError for an unknown format or when
    no model program runs.
    """
    _require_mergeable(version, dtype)
    # Prevents two simultaneous requests from starting two merges.
    ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    standing = existing_merge(version, dtype)
    if standing is not None:
        return standing
    job = create_job(
        project=version.project,
        task=TASK,
        title=f"Merging {version.label} into its base",
        by=by,
        queue="models",
    )
    merged = MergedExport.objects.create(
        project=version.project, model_version=version, dtype=dtype, job=job, created_by=by
    )
    record(
        "model.merge_started",
        by=by,
        obj=version,
        project=version.project,
        data={"job": job.pk, "dtype": dtype},
    )
    return merged


def existing_merge(version: ModelVersion, dtype: str) -> MergedExport | None:
    """The newest merge in this format that is complete or in progress."""
    merges = version.merged_exports.filter(dtype=dtype, removed_at=None).select_related("job")
    usable = merges.exclude(job__state__in=[state for state in FINAL_STATES if state != JobState.SUCCEEDED])
    return usable.order_by("-pk").first()


def why_not_mergeable(version: ModelVersion) -> str:
    """Why the version cannot be merged, as a sentence; empty for an adapter whose weights and base are
    here.
    """
    if version.kind != ModelKind.LORA:
        return "Only an adapter can be merged into its base; this version is not an adapter."
    if not version.has_weights_here:
        return f"The weights of “{version.label}” are not on this server, so they cannot be merged."
    if version.set_aside_at is not None:
        return f"“{version.label}” is set aside for removal, so it cannot be merged. Keep it first."
    if version.base is None or not version.base.has_weights_here:
        return f"The base of “{version.label}” is not on this server, so nothing can be merged into it."
    return why_not_trainable(version.base)


def _require_mergeable(version: ModelVersion, dtype: str) -> None:
    if reason := why_not_mergeable(version):
        raise ConflictError(reason)
    if dtype not in MergeFormat.values:
        raise InvalidError(
            f"There is no format {dtype!r}; choose {', '.join(MergeFormat.values)}.", field="dtype"
        )
    if problem := why_not_runnable():
        raise InvalidError(problem)


def merge(work: Work) -> dict[str, Any]:
    """Carry out a merge; a repeat after a lost worker merges again and keeps one model."""
    merged = MergedExport.objects.select_related(
        "project", "created_by", "model_version__project", "model_version__base__model"
    ).get(job=work.job)
    if problem := why_not_runnable():
        raise InvalidError(problem)
    folder = Path(settings.RUNS_FOLDER) / str(work.job.pk)
    end_previous_program(work)
    if not (folder / SPEC_FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / SPEC_FILE, _spec_of(merged).to_json().encode())
    result = execute_program(work, ProgramRelay(work, folder), "training.merge", MergeResult)
    if result.report is None:
        raise GarbageError("The program ended without a report. Nothing was kept; start it again.")
    work.enter("Storing the model")
    return _keep(work, merged, folder, result.report)


def _spec_of(merged: MergedExport) -> MergeSpec:
    version = merged.model_version
    assert version.base is not None
    base = folder_of(version.base)
    try:
        fingerprint = check_base(base).fingerprint
    except UnusableModelError as error:
        raise InvalidError(f"The base cannot be used any more: {error}.") from error
    if fingerprint != version.base.content_hash:
        raise InvalidError(
            f"The base in {base} has other weights than when it was registered, so nothing is merged into"
            " it. Put the old weights back, or register the base again."
        )
    return MergeSpec(
        base_folder=str(base),
        base_fingerprint=fingerprint,
        adapter_folder=str(folder_of(version)),
        adapter_sha256=version.content_hash,
        prompts=_prompts_of(version),
        dtype=merged.dtype,  # type: ignore[arg-type]  # a value of MergeFormat
    )


def _prompts_of(version: ModelVersion) -> tuple[str, ...]:
    """A few training prompts, on which a lost adapter shows best."""
    run = training_of(version)
    if run is None:
        return DEFAULT_PROMPTS
    rows = Example.objects.filter(version=run.dataset_version, split=Split.TRAIN).order_by("row_number")
    found = [example.prompt_text[:_LONGEST_PROMPT].strip() for example in rows.only("messages")[:_PROMPTS]]
    return tuple(text for text in found if text) or DEFAULT_PROMPTS


def _keep(work: Work, merged: MergedExport, run: Path, report: MergeReport) -> dict[str, Any]:
    """Move the model to the artifacts and record that it is complete."""
    target = Path(settings.ARTIFACTS_FOLDER) / "merged" / str(merged.pk)
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        move_whole(run / MODEL_FOLDER, target)
    found = check_base(target).fingerprint
    if found != report.fingerprint:
        raise GarbageError(
            f"What was merged in {run} is not what result.json describes. Nothing was kept; start it again."
        )
    path = str(target.relative_to(settings.ARTIFACTS_FOLDER))
    # Pages may be served by another machine.
    artifacts.keep(path)
    with transaction.atomic():
        merged.folder = path
        merged.size_bytes = report.size_bytes
        merged.result = report.to_dict()
        merged.save(update_fields=["folder", "size_bytes", "result"])
        version = merged.model_version
        data = {"fingerprint": report.fingerprint, "dtype": report.dtype, "size_bytes": report.size_bytes}
        record("model.merged", by=merged.created_by, obj=version, project=merged.project, data=data)
        work.fence()
    return {"merged_export": merged.pk}


def move_whole(source: Path, target: Path) -> None:
    """Move a folder atomically, also across disks. ``target`` must not exist."""
    try:
        source.rename(target)
    except OSError:
        beside = target.with_name(f".{target.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        shutil.copytree(source, beside)
        sync_tree(beside)
        beside.rename(target)
    sync_folder(target.parent)
