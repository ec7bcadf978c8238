"""Programs on a real Ray head: the same endings as beside the worker, with folders of the node's own."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.env_machines import RaySettings
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.ray_cluster import ClusterError, RayCluster
from evalapp.jobs.services import request_cancel, retry_job
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation, start_look, start_training
from evalapp.runs.tasks import carry_out_generation, carry_out_look, carry_out_training
from tests.installations import eventually, free_port
from tests.run_directory.tiny import make_base
from tests.runs.conftest import rows_of

pytestmark = pytest.mark.verification
STOPPED_WITHIN_SECONDS = 10


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Iterator[RayCluster]:
    """A head whose node has a home and a copy of the base of its own."""
    node = tmp_path_factory.mktemp("node")
    shutil.copytree(tiny, node / "models" / "as the node calls it")
    port, dashboard = free_port(), free_port()
    # Sockets below it: the path must be short.
    temporary = Path(f"/tmp/ray-{os.getpid()}")
    binaries = Path(sys.executable).parent
    process = subprocess.Popen(
        [
            *(str(binaries / "ray"), "start", "--head", "--block", f"--port={port}", "--num-cpus=2", "--num-gpus=0"),
            *("--min-worker-port=0", "--max-worker-port=0"),
            *("--include-dashboard=true", f"--dashboard-port={dashboard}", f"--temp-dir={temporary}"),
            *("--disable-usage-stats", "--node-ip-address=127.0.0.1", "--object-store-memory=100000000"),
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, cwd=node,
        env={**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "EVALAPP_HOME": str(node)},
    )  # fmt: skip
    address = f"http://127.0.0.1:{dashboard}"
    try:
        eventually(lambda: process.poll() is None and _answers(address), 180, "Ray's dashboard answers")
        yield RayCluster(address)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        for pid in _below(temporary):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
        shutil.rmtree(temporary, ignore_errors=True)


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/api/jobs/", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def _below(temporary: Path) -> list[int]:
    """Ray's processes, which leave the group that started them, name the head's folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and str(temporary).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


@pytest.fixture
def base(
    project: Project, engineer: User, tiny: Path, tmp_path: Path, settings, cluster: RayCluster
) -> ModelVersion:
    settings.MODEL_FOLDERS = [tmp_path / "models"]
    settings.RUNS_FOLDER, settings.ARTIFACTS_FOLDER = tmp_path / "runs", tmp_path / "artifacts"
    settings.ARTIFACT_STORE = f"file://{tmp_path / 'store'}"
    settings.RAY = RaySettings(cluster._address, gpus=0, python="python")
    folder = shutil.copytree(tiny, tmp_path / "models" / "tiny")
    return register_base(project=project, name="Tiny", folder=folder, by=engineer)


@pytest.fixture
def version(project: Project, engineer: User) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    return create_version(dataset=dataset, rows=[*rows_of("train", 12), *rows_of("test", 4)], by=engineer)


class Runs:
    def __init__(self, project: Project, by: User, version: DatasetVersion, base: ModelVersion) -> None:
        self._common = {"project": project, "dataset_version": version, "by": by}
        self._base = base

    def training(self, name: str, start=start_training, **settings: object) -> Run:
        chosen = {"max_steps": 4, "batch_size": 2, "accumulation_steps": 1, "validation_share": 0.0, "threads": 1,
                  "checkpoint_steps": 2, "dtype": "fp32", "device": "cpu", "lora": {"rank": 4}, **settings}  # fmt: skip
        return start(base=self._base, name=name, hyperparameters=chosen, **self._common)

    def generation(self, candidates: list[ModelVersion]) -> Run:
        sampling = {"max_tokens": 4, "engine": "transformers", "dtype": "fp32", "device": "cpu"}
        return start_generation(
            splits=["test"], candidates=candidates, name="Answers", sampling=sampling, **self._common
        )


@pytest.fixture
def runs(project: Project, engineer: User, version: DatasetVersion, base: ModelVersion) -> Runs:
    return Runs(project, engineer, version, base)


def losses(run: Run) -> list[tuple[int, float]]:
    return list(run.points.order_by("step").values_list("step", "values__loss"))


@pytest.mark.django_db(transaction=True)
def test_a_training_and_its_answers_are_the_same_as_beside_the_worker(
    runs: Runs, base: ModelVersion, settings
) -> None:
    look = runs.training("A look", start=start_look)
    carry_out_look(look.job_id)
    look = Run.objects.select_related("job").get(pk=look.pk)
    assert (look.job.error, look.job.state, look.rows["used"]) == ("", JobState.SUCCEEDED, 12)
    there = runs.training("On the cluster")
    carry_out_training(there.job_id)
    there = Run.objects.select_related("job", "produced").get(pk=there.pk)
    assert (there.job.error, there.job.state) == ("", JobState.SUCCEEDED)
    assert there.produced is not None
    generation = runs.generation([base, there.produced])
    carry_out_generation(generation.job_id)
    generation.job.refresh_from_db()
    assert (generation.job.error, generation.job.state) == ("", JobState.SUCCEEDED)
    assert generation.outputs.count() == 8

    settings.RAY = None
    here = runs.training("Here")
    carry_out_training(here.job_id)
    assert losses(there) == losses(here)
    assert len(losses(here)) == 4


@pytest.mark.django_db(transaction=True)
def test_a_cancel_saves_and_another_try_goes_on_from_there(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs.training("To be stopped", max_steps=5000, checkpoint_steps=5000)
    working = threading.Thread(target=carry_out_training, args=[run.job_id])
    working.start()
    try:
        eventually(lambda: Job.objects.get(pk=run.job_id).progress_done >= 2, 180, "two steps are done")
        request_cancel(job=Job.objects.get(pk=run.job_id), by=None)
        asked = time.monotonic()
        working.join(90)
        stopped_after = time.monotonic() - asked
    finally:
        working.join(180)
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.error) == (JobState.CANCELLED, "")
    farthest = job.progress_done

    retry_job(job=job, by=None)
    again = threading.Thread(target=carry_out_training, args=[run.job_id])
    again.start()
    eventually(lambda: Job.objects.get(pk=run.job_id).progress_done > farthest, 180, "it goes on")
    request_cancel(job=Job.objects.get(pk=run.job_id), by=None)
    again.join(180)
    stages = [event.text for event in job.events.order_by("pk")]
    assert any(text.startswith("Training on") and ", from step " in text for text in stages), stages
    print(f"stopped {stopped_after:.1f} s after the cancel")
    assert stopped_after <= STOPPED_WITHIN_SECONDS


@pytest.mark.django_db(transaction=True)
def test_what_the_node_lacks_is_said_on_the_run(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, tmp_path: Path
) -> None:
    folder = make_base(tmp_path / "models" / "other", seed=7)
    other = register_base(project=project, name="Other", folder=folder, by=engineer)
    folder.rename(tmp_path / "models" / "known to the worker alone")
    run = Runs(project, engineer, version, other).training("Without its base")
    carry_out_training(run.job_id)
    run.job.refresh_from_db()
    assert run.job.state == JobState.FAILED
    assert "The base “Other, Base” is in no model folder of" in run.job.error


def test_a_cluster_that_is_away_is_told_with_its_address() -> None:
    with pytest.raises(ClusterError, match=r"The Ray cluster at http://127\.0\.0\.1:9 does not answer"):
        RayCluster("http://127.0.0.1:9").jobs("evalapp-")
