"""Removals that commit: beside what begins, sweeps or dies at the same moment, and with a whole project."""

import threading
from pathlib import Path

import pytest
from django.db import connection

from evalapp.accounts.models import Project, User
from evalapp.artifacts import removal
from evalapp.artifacts.merging import start_merge
from evalapp.artifacts.models import ArtifactKind, MergedExport, SetAside
from evalapp.artifacts.removal import remove
from evalapp.artifacts.tasks import finish_removals, merge
from evalapp.celery import app
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.decisions.deletion import delete_project
from evalapp.jobs.models import Job
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, RunCandidate
from tests.artifacts.test_storage import aside

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_that_begins_at_the_moment_of_removal_waits_and_then_counts(
    project: Project, engineer: User, adapter: ModelVersion, version: DatasetVersion
) -> None:
    """The row is held while needs are counted: who refers to it comes before, and counts, or after."""
    row = aside(adapter, engineer)
    order: list[str] = []
    counting, may_go_on = threading.Event(), threading.Event()
    why_kept = removal._why_kept

    def slowly(kind: ArtifactKind, waiting: SetAside) -> str:
        found = why_kept(kind, waiting)
        counting.set()
        may_go_on.wait(20)
        order.append("removed")
        return found

    def begin() -> None:
        counting.wait(20)
        job = Job.objects.create(project=project, task="t", title="A")
        started = Run.objects.create(
            project=project, kind="generation", name="A", dataset_version=version, job=job
        )
        may_go_on_soon = threading.Timer(0.3, may_go_on.set)
        may_go_on_soon.start()
        RunCandidate.objects.create(run=started, model_version=adapter, key="v1")
        order.append("referred")
        connection.close()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(removal, "_why_kept", slowly)
        other = threading.Thread(target=begin)
        other.start()
        remove(row=row, by=engineer)
        other.join(20)
    assert order == ["removed", "referred"]
    adapter.refresh_from_db()
    with pytest.raises(InvalidError, match="were removed"):
        folder_of(adapter)


def test_the_scheduled_work_finishes_what_a_kill_cut_off_beside_removals_that_go_on(
    engineer: User, adapter: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.loader.import_default_modules()
    assert app.conf.beat_schedule["finish-removals"]["task"] in app.tasks
    folder, row = folder_of(adapter), aside(adapter, engineer)
    move_away = removal._move_away

    def move_away_and_be_swept(kind: ArtifactKind, row: SetAside) -> Path:
        going = move_away(kind, row)
        # The removal is not committed: it is no kill that left this.
        sweeping = threading.Thread(target=swept)
        sweeping.start()
        sweeping.join()
        assert going.is_dir() and not folder.exists()
        return going

    def swept() -> None:
        finish_removals()
        connection.close()

    with monkeypatch.context() as patched:
        patched.setattr(removal, "_move_away", move_away_and_be_swept)
        # As a kill would, the commit is the last thing done.
        patched.setattr(removal, "_delete", lambda going, row: None)
        remove(row=row, by=engineer)
    assert len(list(folder.parent.iterdir())) == 1
    both = [threading.Thread(target=swept) for _ in range(2)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert list(folder.parent.iterdir()) == []


def test_a_deleted_project_takes_its_merges_along(
    project: Project, owner: User, engineer: User, adapter: ModelVersion, settings
) -> None:
    found = start_merge(version=adapter, by=engineer)
    merge(found.job_id)
    found = MergedExport.objects.get(pk=found.pk)
    folders = [Path(settings.ARTIFACTS_FOLDER) / found.folder, Path(settings.RUNS_FOLDER) / str(found.job_id)]
    folders.append(folder_of(adapter))
    assert all(folder.is_dir() for folder in folders)
    delete_project(project=project, typed_name=project.name, by=owner)
    assert not any(folder.exists() for folder in folders)
