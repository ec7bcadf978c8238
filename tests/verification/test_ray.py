"""Programs on a real Ray head: the same endings as beside the worker, with folders of the node's own."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.artifacts.merging import start_merge
from evalapp.artifacts.models import MergeFormat
from evalapp.artifacts.tasks import merge
from evalapp.core.installation import this_installation
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.env_machines import RaySettings
from evalapp.jobs import ray_cluster, ray_executor
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.ray_cluster import ClusterError, RayCluster
from evalapp.jobs.services import request_cancel, retry_job
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.execution.shard_workers import HELP_TASK
from evalapp.runs.models import Run
from evalapp.runs.services import start_dry_run, start_generation, start_training
from evalapp.runs.tasks import carry_out_dry_run, carry_out_generation, carry_out_help, carry_out_training
from tests.installations import eventually
from tests.ray_head import RayHead, running_head
from tests.run_directory.tiny import make_base
from tests.runs.conftest import rows_of
from tests.store_server import StoreServer, running_store

pytestmark = pytest.mark.verification
STOPPED_WITHIN_SECONDS = 10
GIVEN_UP_AFTER_SECONDS = 30
"""By Ray, when a job finds no room; 900 by default."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def server() -> Iterator[StoreServer]:
    with running_store() as server:
        server.make_bucket("evalapp")
        yield server


def node_with(tiny: Path, home: Path) -> Path:
    """A home with a copy of the base of its own."""
    shutil.copytree(tiny, home / "models" / "as the node calls it")
    return home


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, tiny: Path, server: StoreServer) -> Iterator[RayHead]:
    """Two GPUs as far as Ray knows: it counts them, and looks for none."""
    variables = {**server.variables, "RAY_JOB_START_TIMEOUT_SECONDS": str(GIVEN_UP_AFTER_SECONDS)}
    with running_head(node_with(tiny, tmp_path_factory.mktemp("node")), gpus=2, variables=variables) as head:
        yield head


@pytest.fixture
def base(
    project: Project, engineer: User, tiny: Path, tmp_path: Path, settings, head: RayHead,
    server: StoreServer,
    monkeypatch: pytest.MonkeyPatch,
) -> ModelVersion:  # fmt: skip
    settings.MODEL_FOLDERS = [tmp_path / "models"]
    settings.RUNS_FOLDER, settings.ARTIFACTS_FOLDER = tmp_path / "runs", tmp_path / "artifacts"
    settings.ARTIFACT_STORE = "s3://evalapp/shared"
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    settings.RAY = RaySettings(head.address, gpus=0, python="python")
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
        chosen = {"max_steps": 4, "batch_size": 2, "accumulation_steps": 1, "validation_share": 0.0,
                  "threads": 1,
                  "checkpoint_steps": 2, "dtype": "fp32", "device": "cpu", "lora": {"rank": 4},
                  **settings}  # fmt: skip
        return start(base=self._base, name=name, hyperparameters=chosen, **self._common)

    def generation(self, candidates: list[ModelVersion], **settings: object) -> Run:
        sampling = {"max_tokens": 4, "engine": "transformers", "dtype": "fp32", "device": "cpu", **settings}
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
    dry_run = runs.training("A dry run", start=start_dry_run)
    carry_out_dry_run(dry_run.job_id)
    dry_run = Run.objects.select_related("job").get(pk=dry_run.pk)
    assert (dry_run.job.error, dry_run.job.state, dry_run.rows["used"]) == ("", JobState.SUCCEEDED, 12)
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


@pytest.mark.django_db(transaction=True)
def test_parts_of_a_generation_are_answered_on_the_cluster_by_two_workers_as_the_whole_is_here(
    runs: Runs, base: ModelVersion, settings
) -> None:
    run = runs.generation([base], shards=3)
    leader = threading.Thread(target=carry_out_generation, args=[run.job_id])
    leader.start()
    try:
        help_wanted = Job.objects.filter(task=HELP_TASK, params__run=run.pk).order_by("pk")
        eventually(help_wanted.exists, 180, "the leader asks for help")
        carry_out_help(help_wanted[0].pk)
    finally:
        leader.join(300)
    run = Run.objects.select_related("job").get(pk=run.pk)
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    helped = help_wanted[0]
    assert (helped.error, helped.state) == ("", JobState.SUCCEEDED)
    assert [(shard.outputs, shard.done, shard.takes) for shard in run.shards.order_by("number")] == [
        (2, 2, 1), (1, 1, 1), (1, 1, 1),
    ]  # fmt: skip
    assert helped.pk in run.shards.values_list("holder", flat=True), "both took parts"

    settings.RAY = None
    whole = runs.generation([base])
    carry_out_generation(whole.job_id)
    assert answers(run) == answers(whole)
    assert len(answers(run)) == 4


def answers(run: Run) -> list[tuple[int, str]]:
    return list(run.outputs.order_by("example").values_list("example", "text"))


@pytest.mark.django_db(transaction=True)
def test_an_adapter_is_merged_on_the_cluster_into_what_it_is_merged_into_here(
    runs: Runs, engineer: User, settings
) -> None:
    run = runs.training("To be merged")
    carry_out_training(run.job_id)
    adapter = Run.objects.select_related("produced__base__model", "produced__model").get(pk=run.pk).produced
    assert adapter is not None
    there = start_merge(version=adapter, by=engineer, dtype=MergeFormat.FP32)
    merge(there.job_id)
    settings.RAY = None
    here = start_merge(version=adapter, by=engineer, dtype=MergeFormat.BASE)
    merge(here.job_id)
    for merged in (there, here):
        merged.refresh_from_db()
        merged.job.refresh_from_db()
        assert (merged.job.error, merged.job.state) == ("", JobState.SUCCEEDED)
        assert (settings.ARTIFACTS_FOLDER / merged.folder / "model.safetensors").is_file()
    assert there.result["files"] == here.result["files"], "the base's own format is float32"


@pytest.mark.django_db(transaction=True)
def test_parts_whose_base_the_node_lacks_say_so_and_are_answered_once_it_is_there(
    runs: Runs, base: ModelVersion, head: RayHead
) -> None:
    generation = runs.generation([base], shards=2)
    # The node is this very machine, so a folder of the worker's must not be where the run says.
    here = Path(base.path)
    kept = {
        here: here.with_name("known to the worker alone"),
        head.home / "models": head.home / "put aside",
    }
    for folder, aside in kept.items():
        folder.rename(aside)
    try:
        carry_out_generation(generation.job_id)
    finally:
        for folder, aside in kept.items():
            aside.rename(folder)
    generation.job.refresh_from_db()
    assert generation.job.state == JobState.FAILED
    assert "The base “Tiny, Base” is in no model folder of" in generation.job.error
    assert not generation.outputs.exists()

    retry_job(job=generation.job, by=None)
    carry_out_generation(generation.job_id)
    generation.job.refresh_from_db()
    assert (generation.job.error, generation.job.state) == ("", JobState.SUCCEEDED)
    assert len(answers(generation)) == 4


@pytest.mark.django_db(transaction=True)
def test_without_a_store_the_node_works_in_the_shared_folder(runs: Runs, settings) -> None:
    settings.ARTIFACT_STORE = ""
    run = runs.training("In a folder that both see")
    carry_out_training(run.job_id)
    run = Run.objects.select_related("job", "produced").get(pk=run.pk)
    assert (run.job.error, run.job.state, len(losses(run))) == ("", JobState.SUCCEEDED, 4)
    assert run.produced is not None


def test_a_job_gets_the_gpus_that_it_asks_for_and_no_others(head: RayHead) -> None:
    show = "python -c \"import os; print('sees', os.environ.get('CUDA_VISIBLE_DEVICES'))\""
    seen = {}
    for gpus in (1, 2):
        name = f"shows-{gpus}"
        head.cluster.submit(name, show, variables={}, gpus=gpus)
        eventually(lambda name=name: status_of(head, name) == "SUCCEEDED", 120, "the job has ended")
        seen[gpus] = head.cluster.log(name).rsplit("sees ", 1)[-1].strip()
    assert len(seen[1].split(",")) == 1
    assert sorted(seen[2].split(",")) == ["0", "1"]


def status_of(head: RayHead, name: str) -> str:
    job = head.cluster.job(name)
    return job.status if job else ""


@pytest.mark.django_db(transaction=True)
def test_a_run_waits_for_its_gpus_longer_than_ray_does_and_can_be_cancelled_meanwhile(
    runs: Runs, head: RayHead, settings
) -> None:
    settings.RAY = replace(settings.RAY, gpus=2)
    head.cluster.submit("somebody-else", "sleep 600", variables={}, gpus=1)
    eventually(lambda: status_of(head, "somebody-else") == "RUNNING", 120, "the others' job runs")

    run, cancelled = (runs.training(name, device="auto") for name in ("It waits", "It is cancelled"))
    workers = [threading.Thread(target=carry_out_training, args=[each.job_id]) for each in (run, cancelled)]
    for worker in workers:
        worker.start()
    try:
        eventually(
            lambda: run.job.events.filter(text__startswith="The Ray cluster had no free resources").exists(),
            GIVEN_UP_AFTER_SECONDS + 60, "it is submitted again",
        )  # fmt: skip
        assert {Job.objects.get(pk=each.job_id).stage for each in (run, cancelled)} == {
            "Waiting for the Ray cluster"
        }
        request_cancel(job=Job.objects.get(pk=cancelled.job_id), by=None)
        workers[1].join(STOPPED_WITHIN_SECONDS)
        assert Job.objects.get(pk=cancelled.job_id).state == JobState.CANCELLED
        head.cluster.stop("somebody-else")
        workers[0].join(180)
    finally:
        head.cluster.stop("somebody-else")
        for each, worker in zip((run, cancelled), workers, strict=True):
            if worker.is_alive():
                request_cancel(job=Job.objects.get(pk=each.job_id), by=None)
                worker.join(180)
    run.job.refresh_from_db()
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)


@pytest.mark.django_db(transaction=True)
def test_what_a_killed_worker_left_on_the_cluster_is_stopped_before_the_run_goes_on(
    runs: Runs, head: RayHead
) -> None:
    run = runs.training("Its worker was killed")
    left = f"evalapp-{this_installation()[:8]}-{run.job_id}-0-left"
    head.cluster.submit(left, "sleep 600", variables={}, gpus=0)
    eventually(lambda: status_of(head, left) == "RUNNING", 120, "the old job runs")
    carry_out_training(run.job_id)
    run.job.refresh_from_db()
    assert (run.job.error, run.job.state) == ("", JobState.SUCCEEDED)
    assert status_of(head, left) == "STOPPED"


@pytest.mark.django_db(transaction=True)
def test_a_head_that_is_lost_ends_the_run_with_its_address(
    runs: Runs, tiny: Path, tmp_path: Path, server: StoreServer, settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_executor, "PATIENCE_SECONDS", 3.0)
    with running_head(node_with(tiny, tmp_path / "node"), variables=server.variables) as lost:
        settings.RAY = RaySettings(lost.address, gpus=0, python="python")
        run = runs.training("Its head is lost", max_steps=5000)
        working = threading.Thread(target=carry_out_training, args=[run.job_id])
        working.start()
        try:
            eventually(lambda: Job.objects.get(pk=run.job_id).progress_done >= 1, 180, "a step is done")
        finally:
            lost.kill()
            working.join(60)
    run.job.refresh_from_db()
    said = " ".join([run.job.error, *run.job.events.values_list("text", flat=True)])
    assert f"The Ray cluster at {lost.address} does not answer" in said
    assert not working.is_alive()


def test_a_head_without_a_job_agent_is_told_with_the_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "AGENT_SECONDS", 1.0)
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        with (
            running_head(tmp_path, agent_port=other.getsockname()[1]) as head,
            pytest.raises(ClusterError, match=r"no job agent.*52365.*--dashboard-agent-listen-port"),
        ):
            head.cluster.submit("never", "true", variables={}, gpus=0)


def test_a_cluster_that_is_away_is_told_with_its_address() -> None:
    with pytest.raises(ClusterError, match=r"The Ray cluster at http://127\.0\.0\.1:9 does not answer"):
        RayCluster("http://127.0.0.1:9").jobs("evalapp-")


@pytest.mark.django_db(transaction=True)
def test_a_training_with_two_gpus_is_shared_by_two_processes_and_comes_to_the_same(
    runs: Runs, settings
) -> None:
    """Ray's GPUs are counted, not there, so both processes compute on the CPU."""
    shared = {"device": "auto", "accumulation_steps": 2, "lora": {"rank": 4, "dropout": 0.0}}
    alone = runs.training("By one", **shared)
    carry_out_training(alone.job_id)
    settings.RAY = replace(settings.RAY, gpus=2)
    together = runs.training("By two", **shared)
    carry_out_training(together.job_id)
    alone, together = (Run.objects.select_related("job").get(pk=run.pk) for run in (alone, together))
    assert (together.job.error, together.job.state) == ("", JobState.SUCCEEDED)
    assert (alone.result["processes"], together.result["processes"]) == (1, 2)
    assert len(losses(together)) == 4
    assert losses(together) == [(step, pytest.approx(loss, abs=1e-4)) for step, loss in losses(alone)]
