"""Two machines with folders of their own and a store between them: workers are real processes."""

import json
import shutil
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import reap_lost_jobs
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation
from evalapp.runs.tasks import carry_out_generation
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
    Job.objects.filter(pk=training.job_id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    reap_lost_jobs()
    assert second.work(training).wait(60) == 0

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


def test_a_machine_without_the_base_says_which_and_where_to_copy_it_from(
    training: Run, base: ModelVersion, tmp_path: Path, store: str, settings
) -> None:
    registered = Path(base.path)
    settings.ARTIFACT_STORE = store
    settings.MODEL_FOLDERS = [tmp_path / "empty"]
    assert folder_of(base) == registered
    shutil.rmtree(registered)

    from evalapp.runs.tasks import carry_out_training

    carry_out_training(training.job_id)

    training.job.refresh_from_db()
    assert training.job.state == JobState.FAILED
    assert f"The base “{base.model.name}” is in no model folder of " in training.job.error
    assert f"Copy the folder {registered} of the machine that has it" in training.job.error


def test_a_run_goes_on_while_the_store_is_away_and_fails_at_the_end_with_what_to_do(
    training: Run, tmp_path: Path, settings
) -> None:
    blocked = tmp_path / "blocked"
    settings.ARTIFACT_STORE = f"file://{blocked}/store"
    blocked.write_text("a file where the store's folder should be")

    from evalapp.runs.tasks import carry_out_training

    carry_out_training(training.job_id)

    training.job.refresh_from_db()
    assert training.job.state == JobState.FAILED
    assert "The store file://" in training.job.error
    assert "Try again when it can be reached" in training.job.error

    blocked.unlink()
    from evalapp.jobs.services import retry_job

    retry_job(job=training.job, by=None)
    carry_out_training(training.job_id)
    training.job.refresh_from_db()
    assert (training.job.error, training.job.state) == ("", JobState.SUCCEEDED)
