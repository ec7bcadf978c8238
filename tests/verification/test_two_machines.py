"""Two real workers with folders of their own and an S3-compatible server between them.

`manage.py work` joins each, as a person would; one is killed in the middle of a training, the other goes on.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings

from evalapp.accounts.models import Project, User
from evalapp.core.installation import announce
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.env import REPOSITORY
from evalapp.jobs.models import JobState
from evalapp.jobs.services import reap_lost_jobs
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation, start_training
from run_directory.store import Store
from tests.cached_values import share_cached_values
from tests.run_directory.tiny import make_base
from tests.runs.conftest import rows_of
from tests.store_server import StoreServer, running_store

pytestmark = pytest.mark.verification
RESUMES_WITHIN_SECONDS = 30


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with running_store() as server:
        server.make_bucket("evalapp")
        yield server


class Machine:
    """A home with the base under a name of its own, and the worker that `manage.py work` starts there."""

    def __init__(self, home: Path, base: Path, server: StoreServer, store: str) -> None:
        self.home = home
        shutil.copytree(base, home / "models" / f"base of {home.name}")
        database = urlsplit(os.environ["DATABASE_URL"])
        name = django_settings.DATABASES["default"]["NAME"]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("EVALAPP_")}
        self._variables = {
            **inherited,
            **server.variables,
            "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
            "EVALAPP_HOME": str(home),
            "EVALAPP_ARTIFACTS": store,
        }

    @contextlib.contextmanager
    def working(self) -> Iterator["subprocess.Popen[str]"]:
        with (self.home / "work.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "work"],
                cwd=REPOSITORY, env=self._variables, stdout=log, stderr=subprocess.STDOUT, text=True,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def version(project: Project, engineer: User) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    return create_version(dataset=dataset, rows=[*rows_of("train", 40), *rows_of("test", 12)], by=engineer)


@pytest.fixture
def base(project: Project, engineer: User, tmp_path: Path, settings) -> ModelVersion:
    settings.MODEL_FOLDERS = [tmp_path / "web-models"]
    return register_base(
        project=project, name="Tiny", folder=make_base(tmp_path / "web-models" / "tiny"), by=engineer
    )


def until(condition: Callable[[], object], seconds: float, log: Path) -> None:
    """Wait, with the clock's duty of finding lost jobs done meanwhile."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        reap_lost_jobs()
        time.sleep(0.2)


@pytest.mark.django_db(transaction=True)
def test_a_killed_training_goes_on_on_the_other_machine_and_either_answers_with_its_adapter(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, server: StoreServer,
    tmp_path: Path, settings, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    store = settings.ARTIFACT_STORE = "s3://evalapp/shared"
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    first = Machine(tmp_path / "first", Path(base.path), server, store)
    second = Machine(tmp_path / "second", Path(base.path), server, store)
    shutil.rmtree(tmp_path / "web-models")
    share_cached_values()
    announce()

    def training(name: str) -> Run:
        return start_training(
            project=project, dataset_version=version, base=base, name=name, by=engineer,
            hyperparameters={"max_steps": 240, "batch_size": 2, "accumulation_steps": 1,
            "checkpoint_steps": 10,
                             "validation_share": 0.1, "evaluations": 4, "patience": None, "dtype": "fp32",
                             "device": "cpu", "threads": 1, "lora": {"rank": 4}},
        )  # fmt: skip

    def saved() -> str:
        return str(Store(store).read(f"runs/{run.job_id}/saves/2"))

    def state(of: Run) -> str:
        return Run.objects.values_list("job__state", flat=True).get(pk=of.pk)

    with first.working() as worker:
        run = training("killed on the first")
        until(lambda: re.search(r"checkpoint-\d+/complete", saved()), 180, first.home / "work.log")
        assert state(run) == JobState.RUNNING
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    killed = time.monotonic()
    with second.working() as worker:
        until(lambda: Run.objects.get(pk=run.pk).job.attempt == 2, 120, second.home / "work.log")
        resumed_after = time.monotonic() - killed
        whole = training("not killed")
        until(lambda: state(whole) == JobState.SUCCEEDED, 300, second.home / "work.log")
        run = Run.objects.select_related("job", "produced").get(pk=run.pk)
        whole = Run.objects.select_related("produced").get(pk=whole.pk)
        assert (run.job.state, run.job.attempt) == (JobState.SUCCEEDED, 2), run.job.error
        assert run.result["resumed_from"] >= 10
        assert losses_of(run) == losses_of(whole)
        assert run.produced is not None and whole.produced is not None
        assert run.produced.content_hash == whole.produced.content_hash
        by_second = answers(project, version, [base, run.produced], engineer, second)
        os.killpg(worker.pid, signal.SIGKILL)
    with first.working():
        by_first = answers(project, version, [base, run.produced], engineer, first)

    assert by_first == by_second
    assert len(by_first) == 24
    secret = server.variables["AWS_SECRET_ACCESS_KEY"]
    for machine in (first, second):
        for path in machine.home.rglob("*"):
            assert not (path.is_file() and secret.encode() in path.read_bytes()), path
    print(f"a killed training went on on another machine {resumed_after:.1f} s later")
    assert resumed_after <= RESUMES_WITHIN_SECONDS


def losses_of(run: Run) -> list[tuple[int, float]]:
    return list(run.points.order_by("step").values_list("step", "values__loss"))


def answers(
    project: Project, version: DatasetVersion, candidates: list[ModelVersion], by: User, machine: Machine
) -> list[tuple[int, int, str]]:
    generation = start_generation(
        project=project, dataset_version=version, splits=["test"], candidates=candidates, by=by,
        sampling={"max_tokens": 8, "engine": "transformers", "dtype": "fp32", "device": "cpu", "threads": 1},
        name=f"On {machine.home.name}",
    )  # fmt: skip
    until(lambda: Run.objects.get(pk=generation.pk).job.is_over, 180, machine.home / "work.log")
    generation.job.refresh_from_db()
    assert (generation.job.error, generation.job.state) == ("", JobState.SUCCEEDED)
    return list(
        generation.outputs.order_by("example", "candidate").values_list("example", "candidate", "text")
    )
