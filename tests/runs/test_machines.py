"""Two machines with folders of their own and a store between them: workers are real processes."""

import json
import shutil
import signal
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs import starting
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import reap_lost_jobs, retry_job
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation
from evalapp.runs.tasks import carry_out_generation, carry_out_training
from run_directory.store import Store
from tests.runs.conftest import Behave
from tests.runs.test_killed_worker import start_worker, wait_until


class Machine:
    """A home with its own copy of the base, under a name of its own, and the store's address."""

    def __init__(self, home: Path, base: Path, store: str, python: Path, *, behaviour: dict) -> None:
        self.home, self.python = home, python
        self.runs = home / "runs"
        self.runs.mkdir(parents=True)
        (self.runs / "behaviour.json").write_text(json.dumps(behaviour))
        shutil.copytree(base, home / "models" / f"small of {home.name}")
        self.variables = {"EVALAPP_ARTIFACTS": store, "EVALAPP_MODEL_FOLDERS": str(home / "models")}

    def work(self, run: Run):
        return start_worker(run.job_id, self.home, self.python, **self.variables)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"file://{tmp_path / 'store'}"


@pytest.mark.django_db(transaction=True)
def test_another_machine_goes_on_where_a_killed_one_stopped(
    training: Run, base: ModelVersion, behave: Behave, tmp_path: Path, store: str, settings,
    project: Project, engineer: User, version: DatasetVersion,
) -> None:  # fmt: skip
    python, registered = settings.MODEL_PYTHON, Path(base.path)
    first = Machine(tmp_path / "first", registered, store, python, behaviour={"do": "succeed", "hang_at": 2})
    second = Machine(tmp_path / "second", registered, store, python, behaviour={"do": "succeed"})
    shutil.rmtree(registered)
    folder = first.runs / str(training.job_id)
    worker = first.work(training)
    wait_until((folder / "hangs").exists)
    wait_until(lambda: "checkpoint-2/complete" in saved_names(store, training))

    worker.send_signal(signal.SIGKILL)
    worker.wait()
    Job.objects.filter(pk=training.job_id).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    reap_lost_jobs()
    assert second.work(training).wait(600) == 0

    run = Run.objects.select_related("job", "produced").get(pk=training.pk)
    assert (run.job.error, run.job.state, run.job.attempt) == ("", JobState.SUCCEEDED, 2)
    assert run.result["resumed_from"] == 2
    losses = list(run.points.order_by("step").values_list("step", "values__loss"))
    assert losses == [(1, 2.0), (2, 1.0), (3, 2.0 / 3), (4, 0.5)]
    assert (second.runs / str(training.job_id) / "inputs" / "base").resolve().parent == second.home / "models"
    assert "checkpoint" not in saved_names(store, training), "what was trained is kept, not how far it was"

    # A third machine has neither the run nor the adapter, and answers with it.
    assert run.produced is not None
    settings.ARTIFACT_STORE = store
    settings.ARTIFACTS_FOLDER = tmp_path / "third" / "artifacts"
    settings.MODEL_FOLDERS = [second.home / "models"]
    generation = start_generation(
        project=project, dataset_version=version, splits=["test"], candidates=[base, run.produced],
        sampling={"max_tokens": 8}, name="Test answers", by=engineer,
    )  # fmt: skip
    carry_out_generation(generation.job_id)

    generation.job.refresh_from_db()
    assert (generation.job.error, generation.job.state) == ("", JobState.SUCCEEDED)
    assert generation.outputs.count() == 6
    assert (folder_of(run.produced) / "adapter_model.safetensors").is_file()
    assert folder_of(run.produced).is_relative_to(tmp_path / "third")


def saved_names(store: str, run: Run) -> str:
    return str(Store(store).read(f"runs/{run.job_id}/saves/{2 * Job.objects.get(pk=run.job_id).attempt}"))


@pytest.mark.django_db(transaction=True)
def test_a_machine_without_the_base_leaves_the_run_to_one_that_has_it(
    training: Run, base: ModelVersion, engineer: User, client: Client, tmp_path: Path, store: str, settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settings.HOME = tmp_path
    rung: list[str] = []
    monkeypatch.setattr(starting, "notify", rung.append)
    registered = Path(base.path)
    second = Machine(
        tmp_path / "second", registered, store, settings.MODEL_PYTHON, behaviour={"do": "succeed"}
    )
    settings.ARTIFACT_STORE = store
    settings.MODEL_FOLDERS = [tmp_path / "empty"]
    assert folder_of(base) == registered
    shutil.rmtree(registered)

    starting.start_next_of("models")
    starting.start_next_of("models")

    job = Job.objects.get(pk=training.job_id)
    assert (job.state, job.attempt, job.lost_attempts, job.error, rung) == (JobState.QUEUED, 1, 0, "", [])
    (sentence,) = job.lacks
    assert sentence.startswith(f"{socket.gethostname()} has no folder of the base “{base.model.name}”: ")
    assert f"Copy the folder {registered} there from the machine that has it" in sentence
    assert job.events.get(level="warning").text == f"{sentence} It waits for a worker that has it."
    assert not (Path(settings.RUNS_FOLDER) / str(job.pk)).exists(), "nothing was begun here"
    client.force_login(engineer)
    slug = training.project.slug
    for page in (reverse("run_detail", args=[slug, training.pk]), reverse("run_queue", args=[slug])):
        assert "It waits for a worker that has it." in client.get(page).content.decode()

    # It is noticed when the folder has been put there, and nothing is said twice before.
    for left in ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"):
        job.left_by[socket.gethostname()]["at"] = left
        Job.objects.filter(pk=job.pk).update(left_by=job.left_by)
        starting.start_next_of("models")
    job.refresh_from_db()
    assert (job.state, job.attempt, job.events.filter(level="warning").count()) == (JobState.QUEUED, 3, 1)

    assert second.work(training).wait(600) == 0
    job.refresh_from_db()
    assert (job.error, job.state, job.lacks) == ("", JobState.SUCCEEDED, [])


def test_where_one_folder_serves_all_a_base_that_is_gone_fails_the_run_and_says_what_to_do(
    training: Run, base: ModelVersion
) -> None:
    shutil.rmtree(base.path)

    carry_out_training(training.job_id)

    training.job.refresh_from_db()
    assert training.job.state == JobState.FAILED
    assert f"{socket.gethostname()} has no folder {base.path}, where the base" in training.job.error
    assert "Put it back or mount it there" in training.job.error


def test_a_run_goes_on_while_the_store_is_away_and_fails_at_the_end_with_what_to_do(
    training: Run, tmp_path: Path, settings
) -> None:
    blocked = tmp_path / "blocked"
    settings.ARTIFACT_STORE = f"file://{blocked}/store"
    blocked.write_text("a file where the store's folder should be")

    carry_out_training(training.job_id)

    training.job.refresh_from_db()
    assert training.job.state == JobState.FAILED
    assert "The store file://" in training.job.error
    assert "Try again when it can be reached" in training.job.error

    blocked.unlink()
    retry_job(job=training.job, by=None)
    carry_out_training(training.job_id)
    training.job.refresh_from_db()
    assert (training.job.error, training.job.state) == ("", JobState.SUCCEEDED)
