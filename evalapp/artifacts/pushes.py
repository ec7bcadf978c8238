"""Pushes dataset versions to a hub: the files are written here and sent by the program `hub`.

They have the same rows as an export: none of the test split, and masked rows stay masked.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.artifacts.hub import why_not_reachable
from evalapp.artifacts.models import DatasetPush
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.datasets.exporting import data_file, exported_splits, write_folder
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import DOWNLOADABLE_SPLITS
from evalapp.jobs.executor import end_previous_program
from evalapp.jobs.models import FINAL_STATES
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work
from evalapp.runs.execution.relay import ProgramRelay
from evalapp.runs.execution.run_execution import execute_program
from evalapp.runs.programs.events import GarbageError
from evalapp.runs.programs.model_programs import why_not_runnable
from hub.spec import DATASET_FOLDER, PUSH, TOKEN_VARIABLE, PushReport, PushResult, PushSpec
from run_directory.files import write_whole
from run_directory.protocol import SPEC_FILE
from run_directory.records import RecordError

TASK = "evalapp.artifacts.tasks.push_to_hub"


def why_not_pushable() -> str:
    """A sentence that says why nothing can be pushed from here and how to fix it; empty if it can."""
    if problem := why_not_reachable():
        return problem
    if not settings.HUB_TOKEN:
        return (
            f"A push to {settings.HUB_URL} needs a token that may write. Ask the operator to set one in"
            " EVALAPP_HF_TOKEN and to start again."
        )
    return why_not_runnable()


@transaction.atomic
def start_push(
    *,
    version: DatasetVersion,
    repository: str,
    is_private: bool = True,
    splits: Sequence[str] = (),
    by: User | None,
) -> DatasetPush:
    """Queue the push of a version's rows in these splits (none: all that may be exported) to a repository.

    Returns an identical push that is still in progress instead of a second one. Raises InvalidError for an
    invalid repository name, for splits without rows, and when nothing can be pushed from here;
    NotAllowedError for the test split.
    """
    project = version.dataset.project
    repository = repository.strip()
    chosen = exported_splits(version, splits)
    _checked_spec(version, repository, settings.HUB_URL, chosen, is_private=is_private)
    if problem := why_not_pushable():
        raise InvalidError(problem)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    given = {
        "version": version, "hub": settings.HUB_URL, "repository": repository, "is_private": is_private,
        "splits": chosen,
    }  # fmt: skip
    under_way = project.dataset_pushes.filter(**given).exclude(job__state__in=FINAL_STATES)
    if (standing := under_way.select_related("job").first()) is not None:
        return standing
    job = create_job(project=project, task=TASK, title=f"Pushing {version} to {repository}", by=by)
    push = DatasetPush.objects.create(project=project, job=job, created_by=by, **given)
    data = {"repository": repository, "hub": push.hub, "is_private": is_private, "splits": chosen}
    record("dataset.push_started", by=by, obj=version, project=project, data=data)
    return push


def _checked_spec(
    version: DatasetVersion, repository: str, hub: str, splits: Sequence[str], *, is_private: bool
) -> PushSpec:
    given = {
        "kind": PUSH,
        "repository": repository,
        "hub": hub,
        "allowed": list(settings.OUTGOING_ALLOWED),
        "is_private": is_private,
        "message": str(version),
        # Delete files of an earlier version or choice of splits, so that the repository matches its card.
        "gone": [data_file(split) for split in DOWNLOADABLE_SPLITS if split not in splits],
    }
    try:
        return PushSpec.from_dict(given, where="The repository")
    except RecordError as error:
        said = str(error).split(": ", 2)[-1]
        raise InvalidError(f"{said[:1].upper()}{said[1:]}.", field="repository") from error


def push(work: Work) -> dict[str, Any]:
    """Carry out a push; a repeat after a lost worker sends what is missing and commits nothing twice."""
    found = DatasetPush.objects.select_related("version__dataset__project", "created_by").get(job=work.job)
    if found.commit:
        return _result_of(found)
    if problem := why_not_pushable():
        raise InvalidError(problem)
    folder = Path(settings.RUNS_FOLDER) / str(work.job.pk)
    try:
        return _pushed(work, found, folder)
    finally:
        # A later erasure would not reach this copy of the rows.
        shutil.rmtree(folder / DATASET_FOLDER, ignore_errors=True)


def _pushed(work: Work, push: DatasetPush, folder: Path) -> dict[str, Any]:
    end_previous_program(work)
    total = sum(push.version.counts.get(split, 0) for split in push.splits)
    spec = _checked_spec(push.version, push.repository, push.hub, push.splits, is_private=push.is_private)
    written = spec.to_json().encode()
    there = folder / SPEC_FILE
    if there.exists() and there.read_bytes() != written:
        # The settings changed since the last attempt. The hub knows what has arrived.
        shutil.rmtree(folder)
    # Written anew in each attempt, since rows may have been erased meanwhile.
    for rows in write_folder(push.version, push.splits, folder / DATASET_FOLDER):
        work.progress(rows, total, "Writing the files")
    write_whole(there, written)
    result = execute_program(
        work, ProgramRelay(work, folder), "hub", PushResult,
        variables={"HF_HUB_OFFLINE": "0", TOKEN_VARIABLE: settings.HUB_TOKEN}, needs_device=False,
    )  # fmt: skip
    if result.report is None:
        raise GarbageError("The program ended without a report. Look on the hub, then start the push again.")
    return _stored(work, push, result.report)


def _stored(work: Work, push: DatasetPush, report: PushReport) -> dict[str, Any]:
    with transaction.atomic():
        push.commit, push.url, push.is_private = report.commit, report.url, report.is_private
        push.save(update_fields=["commit", "url", "is_private"])
        data = {
            "repository": push.repository, "hub": push.hub, "is_private": push.is_private,
            "commit": push.commit, "files": report.files, "splits": push.splits,
        }  # fmt: skip
        project = push.version.dataset.project
        record("dataset.pushed", by=push.created_by, obj=push.version, project=project, data=data)
        work.fence()
    return _result_of(push)


def _result_of(push: DatasetPush) -> dict[str, Any]:
    return {
        "dataset_version": push.version_id,
        "repository": push.repository,
        "commit": push.commit,
        "url": push.url,
    }
