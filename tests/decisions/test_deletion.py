"""A project goes whole, with its files, once, and never under a job that is at work."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import LazySettings
from django.db import connection
from django.test import Client
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import MissingError
from evalapp.datasets.models import DatasetImport
from evalapp.decisions import left_files
from evalapp.decisions.deletion import _referring_first, delete_project, paths_to_project
from evalapp.decisions.models import LeftFiles
from evalapp.decisions.tasks import remove_left_files
from evalapp.exports.models import Export
from evalapp.exports.writing import export_folder
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import request_cancel
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for
from tests.access_objects import make_world
from tests.cast import make_user
from tests.factories import make_adapter

ClientFor = Callable[[User | None], Client]
# Rows that belong to a person, to nobody, or to Django itself.
OUTSIDE_PROJECTS = {"User", "OneTimeLink", "ApiToken", "AuditEvent", "LeftFiles", "SetAside"}


def test_a_project_goes_only_by_its_owner_and_its_typed_name(
    client_for: ClientFor, owner: User, manager: User, project: Project, other_project: Project
) -> None:
    path = f"/projects/{project.slug}/settings/delete/"
    assert client_for(manager).post(path, {"typed_name": project.name}).status_code == 403
    assert client_for(owner).post(path, {"typed_name": "summaries"}).status_code == 400
    assert Project.objects.count() == 2
    assert client_for(owner).post(path, {"typed_name": project.name}).status_code == 302
    assert list(Project.objects.all()) == [other_project]
    event = AuditEvent.objects.get(action="project.deleted")
    assert (event.project_id, event.project_label, event.actor_id) == (project.pk, "Summaries", owner.pk)


def test_deletion_knows_a_way_to_every_table_of_a_project() -> None:
    known = {model.__name__ for model in paths_to_project()}
    ours = {model.__name__ for model in apps.get_app_config("evalapp").get_models()}
    assert ours - known == OUTSIDE_PROJECTS | {"Project"}


def test_deletion_takes_referring_tables_first() -> None:
    paths = paths_to_project()
    order = _referring_first(paths)
    for position, model in enumerate(order):
        first_step = paths[model].split("__")[0]
        target = model._meta.get_field(first_step).related_model
        assert target is Project or order.index(target) > position


def test_deletion_takes_every_row_of_the_project_and_none_of_another(
    client_for: ClientFor, owner: User, reviewer: User, project: Project, other_project: Project
) -> None:
    make_world(project, reviewer=reviewer)
    make_world(other_project, reviewer=make_user("elsewhere"))

    def counts(of: Project) -> dict[str, int]:
        return {
            model.__name__: model._base_manager.filter(**{path: of.pk}).count()
            for model, path in paths_to_project().items()
        }

    assert [name for name, count in counts(project).items() if not count] == []
    kept = counts(other_project)
    client_for(owner).post(f"/projects/{project.slug}/settings/delete/", {"typed_name": project.name})
    connection.check_constraints()
    assert set(counts(project).values()) == {0}
    assert counts(other_project) == kept


def test_a_job_at_work_is_named_and_nothing_is_deleted(
    client_for: ClientFor, owner: User, project: Project
) -> None:
    job = Job.objects.create(
        project=project,
        task="evalapp.tests.none",
        title="Training of v3",
        state=JobState.RUNNING,
        lease_expires_at=timezone.now() + timedelta(minutes=1),
    )
    path, typed = f"/projects/{project.slug}/settings/delete/", {"typed_name": project.name}

    response = client_for(owner).post(path, typed)

    assert response.status_code == 409
    assert "“Training of v3” (running)" in response.text
    assert f'href="/projects/{project.slug}/runs/jobs/?state=active"' in response.text
    assert Project.objects.filter(pk=project.pk).exists()
    assert not AuditEvent.objects.filter(action="project.deleted").exists()

    request_cancel(job=job, by=owner)
    assert "“Training of v3” (cancelling)" in client_for(owner).post(path, typed).text
    # Its worker is gone: nothing would ever end it while the product is stopped.
    Job.objects.update(lease_expires_at=timezone.now())
    assert client_for(owner).post(path, typed).status_code == 302


def test_a_job_that_waits_goes_with_its_project(owner: User, project: Project) -> None:
    Job.objects.create(project=project, task="evalapp.tests.none", title="Training of v3")
    delete_project(project=project, typed_name=project.name, by=owner)
    assert not Job.objects.exists()


def test_a_second_deletion_is_told_of_the_first(owner: User, project: Project) -> None:
    delete_project(project=project, typed_name=project.name, by=owner)
    with pytest.raises(MissingError, match="deleted already"):
        delete_project(project=project, typed_name=project.name, by=owner)
    assert AuditEvent.objects.filter(action="project.deleted").count() == 1


@pytest.fixture
def files(project: Project, reviewer: User, settings: LazySettings, tmp_path: Path) -> list[Path]:
    """Something on the disk for each kind of file that a project has."""
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.RUNS_FOLDER, settings.ARTIFACTS_FOLDER = tmp_path / "runs", tmp_path / "artifacts"
    world = make_world(project, reviewer=reviewer)
    adapter = make_adapter(project, "v1", dataset_version=world.dataset_version)
    ModelVersion.objects.filter(pk=adapter.pk).update(path="adapters/abc")
    upload = tmp_path / "uploads" / DatasetImport.objects.get().stored_name
    adapter_folder = tmp_path / "artifacts" / "adapters" / "abc"
    folders = [folder_for(run) for run in Run.objects.all()]
    folders += [export_folder(Export.objects.get()), adapter_folder]
    for file in (upload, *(folder / "inside" / "file" for folder in folders)):
        file.parent.mkdir(parents=True)
        file.write_text("content")
    return [upload, *folders]


def test_the_files_of_a_project_go_after_its_rows(
    files: list[Path],
    owner: User,
    project: Project,
    tmp_path: Path,
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    kept = tmp_path / "runs" / "another" / "file"
    kept.parent.mkdir()
    kept.write_text("content")
    with django_capture_on_commit_callbacks(execute=True):
        delete_project(project=project, typed_name=project.name, by=owner)
        assert all(path.exists() for path in files)
    assert not any(path.exists() for path in files)
    assert kept.exists()
    assert not LeftFiles.objects.exists()


def test_files_that_a_crash_left_are_removed_by_the_sweep(
    files: list[Path], owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing runs on commit here: the process has died by then.
    delete_project(project=project, typed_name=project.name, by=owner)
    assert all(path.exists() for path in files)

    def refused(path: Path) -> None:
        raise PermissionError(f"{path} is in use")

    with monkeypatch.context() as patched:
        patched.setattr(left_files, "_remove", refused)
        remove_left_files()
    assert LeftFiles.objects.exists()

    remove_left_files()
    assert not any(path.exists() for path in files)
    assert not LeftFiles.objects.exists()


def test_a_row_without_a_name_takes_no_other_file_with_it(
    files: list[Path], owner: User, project: Project
) -> None:
    LeftFiles.objects.create(files={"uploads": [""], "runs": [""], "artifacts": [""]})
    remove_left_files()
    assert all(path.exists() for path in files)


def test_an_adapter_that_another_project_has_too_is_kept(
    files: list[Path], owner: User, project: Project, other_project: Project
) -> None:
    adapter = make_adapter(
        other_project,
        "the same",
        dataset_version=make_world(other_project, reviewer=make_user("elsewhere")).dataset_version,
    )
    ModelVersion.objects.filter(pk=adapter.pk).update(path="adapters/abc")
    delete_project(project=project, typed_name=project.name, by=owner)
    remove_left_files()
    assert [path.name for path in files if path.exists()] == ["abc"]
