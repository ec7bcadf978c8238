"""Imports models from a hub: the program `hub` downloads them, then they are registered as bases."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.artifacts.merging import move_whole
from evalapp.artifacts.models import HubDownload
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, ProblemError
from evalapp.core.names import checked_name
from evalapp.core.outgoing import OutgoingRefusedError, checked_url
from evalapp.jobs.executor import end_previous_program
from evalapp.jobs.models import FINAL_STATES
from evalapp.jobs.services import create_job
from evalapp.jobs.work import AttemptLost, Work
from evalapp.registry.chat_templates import checked_template
from evalapp.registry.services import register_base
from evalapp.runs.execution.relay import ProgramRelay
from evalapp.runs.execution.run_execution import execute_program
from evalapp.runs.programs.events import GarbageError
from evalapp.runs.programs.model_programs import why_not_runnable
from hub.spec import PARTS_FOLDER, TOKEN_VARIABLE, HubReport, HubResult, HubSpec
from run_directory.files import sha256_of, write_whole
from run_directory.protocol import MODEL_FOLDER, SPEC_FILE
from run_directory.records import RecordError

TASK = "evalapp.artifacts.tasks.import_from_hub"
MOST_LABEL_LETTERS = 80
HUB_HOSTS = "huggingface.co, *.huggingface.co and *.hf.co"
"""Hosts of huggingface.co and of its files."""


def why_not_reachable() -> str:
    """A sentence that says why the hub cannot be reached from here and how to fix it; empty if it can."""
    try:
        checked_url(settings.HUB_URL)
    except OutgoingRefusedError as error:
        host = urlsplit(settings.HUB_URL).hostname
        hosts = HUB_HOSTS if host == "huggingface.co" else host
        return f"{error.message} For {settings.HUB_URL} name {hosts}."
    return ""


@transaction.atomic
def start_download(
    *,
    project: Project,
    repository: str,
    name: str = "",
    revision: str = "main",
    chat_template: str = "",
    by: User | None,
) -> HubDownload:
    """Queue the download of one commit of a hub's model. ``name`` is its name here, by default that on the
    hub.

    Returns an identical download that is still in progress instead of a second one. Raises InvalidError for
    an invalid model name or template or an unreachable hub, and ConflictError when the project has a model of
    this name.
    """
    name = checked_name(name or repository, of="the model")
    _checked_spec(repository.strip(), revision.strip() or "main", checked_template(chat_template))
    if problem := why_not_reachable() or why_not_runnable():
        raise InvalidError(problem)
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    if project.models.filter(name=name).exists():
        raise ConflictError(
            f"The project has a model called “{name}” already. Choose another name.", field="name"
        )
    under_way = project.hub_downloads.filter(
        hub=settings.HUB_URL,
        repository=repository.strip(),
        revision=revision.strip() or "main",
        name=name,
        chat_template=chat_template,
    ).exclude(job__state__in=FINAL_STATES)
    if (standing := under_way.select_related("job").first()) is not None:
        return standing
    job = create_job(project=project, task=TASK, title=f"Importing {repository.strip()} from the hub", by=by)
    download = HubDownload.objects.create(
        project=project,
        name=name,
        hub=settings.HUB_URL,
        repository=repository.strip(),
        revision=revision.strip() or "main",
        chat_template=chat_template,
        job=job,
        created_by=by,
    )
    data = {"repository": download.repository, "revision": download.revision, "hub": download.hub}
    record("model.download_started", by=by, obj=download, project=project, data=data)
    return download


def _checked_spec(repository: str, revision: str, chat_template: str, hub: str = "") -> HubSpec:
    given = {
        "repository": repository,
        "revision": revision,
        "hub": hub or settings.HUB_URL,
        "allowed": list(settings.OUTGOING_ALLOWED),
        "chat_template": chat_template or None,
    }
    try:
        return HubSpec.from_dict(given, where="The hub's model")
    except RecordError as error:
        field = "revision" if "revision" in str(error) else "repository"
        raise InvalidError(f"{str(error).partition(': ')[2].capitalize()}.", field=field) from error


def import_model(work: Work) -> dict[str, Any]:
    """Carry out a download; a repeat after a lost worker continues from the files that have arrived."""
    download = HubDownload.objects.select_related("project", "created_by", "produced").get(job=work.job)
    if download.produced is not None:
        return {"model_version": download.produced.pk}
    if problem := why_not_runnable():
        raise InvalidError(problem)
    folder = Path(settings.RUNS_FOLDER) / str(work.job.pk)
    with _without_places(download, folder):
        return _downloaded(work, download, folder)


def _downloaded(work: Work, download: HubDownload, folder: Path) -> dict[str, Any]:
    end_previous_program(work)
    if not (folder / SPEC_FILE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        spec = _checked_spec(download.repository, download.revision, download.chat_template, download.hub)
        write_whole(folder / SPEC_FILE, spec.to_json().encode())
    token = {TOKEN_VARIABLE: settings.HUB_TOKEN} if settings.HUB_TOKEN else {}
    result = execute_program(
        work, ProgramRelay(work, folder), "hub", HubResult,
        variables={"HF_HUB_OFFLINE": "0", **token}, needs_device=False,
    )  # fmt: skip
    if result.report is None:
        raise GarbageError("The program ended without a report. Nothing was kept; start it again.")
    work.enter("Registering the base")
    return _register(work, download, folder, result.report)


@contextmanager
def _without_places(download: HubDownload, folder: Path) -> Iterator[None]:
    """Replace the server's folders by the model's name in error messages, since users must not see them."""

    def told(text: str) -> str:
        for place in (folder / MODEL_FOLDER, folder / PARTS_FOLDER):
            text = text.replace(str(place), download.repository)
        kept = Path(settings.HUB_FOLDER) / _folder_name(download.repository)
        text = re.sub(rf"{re.escape(str(kept))}/[0-9a-f-]+", f"what was kept of {download.repository}", text)
        for place in (folder, Path(settings.HUB_FOLDER), Path(settings.HOME)):
            text = text.replace(str(place), "the server’s folder")
        return text

    try:
        yield
    except ProblemError as error:
        error.message = told(error.message)
        raise
    except AttemptLost as error:
        raise AttemptLost(told(str(error))) from error


def _register(work: Work, download: HubDownload, run: Path, report: HubReport) -> dict[str, Any]:
    target = _place_of(download, report)
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        move_whole(run / MODEL_FOLDER, target)
    if bad := [name for name, sha256 in report.files.items() if sha256_of(target / name) != sha256]:
        raise GarbageError(
            f"{bad[0]} in {target} is not the file that was downloaded. Remove the folder, then try again."
        )
    origin = {
        "repository": report.repository, "revision": download.revision, "commit": report.commit,
        "hub": download.hub, "license": report.license,
        "gave_template": report.gave_template,
    }  # fmt: skip
    with transaction.atomic():
        version = register_base(
            project=download.project, name=download.name, folder=target, by=download.created_by,
            label=_label_of(download, report), facts={"hub": origin}, job=work.job,
        )  # fmt: skip
        download.produced = version
        download.save(update_fields=["produced"])
        work.fence()
    return {"model_version": version.pk}


def _place_of(download: HubDownload, report: HubReport) -> Path:
    """A commit's folder, shared by all projects; separate for each template given with it."""
    name = report.commit[:12]
    if report.gave_template:
        name += f"-{hashlib.sha256(download.chat_template.encode()).hexdigest()[:8]}"
    return Path(settings.HUB_FOLDER) / _folder_name(report.repository) / name


def _folder_name(repository: str) -> str:
    return repository.replace("/", "--")


def _label_of(download: HubDownload, report: HubReport) -> str:
    """Repository and requested revision, without the organisation if that would be too long."""
    revision = download.revision
    # The beginning of a commit id suffices here; the whole id is stored with the origin.
    shown = revision[:12] if revision == report.commit else revision
    for name in (report.repository, report.repository.rpartition("/")[2]):
        if len(label := f"{name} ({shown})") <= MOST_LABEL_LETTERS:
            return label
    return label[:MOST_LABEL_LETTERS]
