"""A worker process is killed with SIGKILL in the middle of a run; nothing is lost and nothing doubled."""

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from evalapp.jobs.models import Job, JobState
from evalapp.jobs.processes import process_state
from evalapp.jobs.services import reap_lost_jobs
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.tasks import carry_out_training
from tests.runs.conftest import Behave

WORKER = """
import django, sys
django.setup()
from evalapp.runs.tasks import carry_out_training
carry_out_training(int(sys.argv[1]))
"""


def start_worker(job_id: int, home: Path, python: Path, **more: str) -> "subprocess.Popen[bytes]":
    """A real process that does the job, on the test's own database."""
    return start(["-c", WORKER, str(job_id)], home, python, **more)


def start(arguments: list[str], home: Path, python: Path, **more: str) -> "subprocess.Popen[bytes]":
    address = urlsplit(os.environ["DATABASE_URL"])
    name = django_settings.DATABASES["default"]["NAME"]
    variables = {
        **os.environ,
        "DATABASE_URL": address._replace(path=f"/{name}").geturl(),
        "DJANGO_SETTINGS_MODULE": "evalapp.settings",
        "EVALAPP_HOME": str(home),
        "EVALAPP_MODEL_PYTHON": str(python),
        **more,
    }
    return subprocess.Popen([sys.executable, *arguments], env=variables)


def wait_until(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_costs_time_only(training: Run, behave: Behave, tmp_path: Path, settings) -> None:
    behave("succeed", hang_at=2)
    folder = folder_for(training)
    worker = start_worker(training.job_id, tmp_path, settings.MODEL_PYTHON)
    wait_until((folder / "hangs").exists)
    program = int((folder / "starts").read_text())

    worker.send_signal(signal.SIGKILL)
    worker.wait()

    # The leash: the program ends although nobody told it to.
    wait_until(lambda: process_state(program) is None or process_state(program).is_zombie)
    job = Job.objects.get(pk=training.job_id)
    assert (job.state in (JobState.STARTING, JobState.RUNNING), job.attempt) == (True, 1)
    reap_lost_jobs()
    assert Job.objects.get(pk=job.pk).state == job.state, "a lease that has not expired is left alone"

    Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))
    reap_lost_jobs()
    carry_out_training(job.pk)

    run = Run.objects.select_related("job", "produced").get(pk=training.pk)
    assert (run.job.error, run.job.state, run.job.attempt) == ("", JobState.SUCCEEDED, 2)
    assert run.result["resumed_from"] == 2
    losses = list(run.points.order_by("step").values_list("step", "values__loss"))
    assert losses == [(1, 2.0), (2, 1.0), (3, 2.0 / 3), (4, 0.5)]
    assert run.produced is not None


@pytest.mark.django_db(transaction=True)
def test_a_stop_of_the_product_loses_no_step_and_is_no_loss(
    training: Run, behave: Behave, tmp_path: Path, settings
) -> None:
    behave("succeed", hang_at=2)
    queue = f"models-{tmp_path.name}"
    worker = start(
        [
            *("-m", "celery", "--app", "evalapp.celery", "worker", "--queues", queue, "--concurrency", "1"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ],
        tmp_path,
        settings.MODEL_PYTHON,
    )
    carry_out_training.apply_async([training.job_id], queue=queue)
    folder = folder_for(training)
    wait_until((folder / "hangs").exists)

    worker.send_signal(signal.SIGTERM)

    assert worker.wait(300) == 0
    job = Job.objects.get(pk=training.job_id)
    assert (job.state, job.attempt, job.lost_attempts, job.process_id) == (JobState.QUEUED, 1, 0, None)
    said = [event.text for event in job.events.order_by("pk")]
    assert said[-1].startswith("evalapp was stopped; its work is saved")
    assert '"outcome": "cancelled"' in (folder / "result.json").read_text(), (
        "the program saved and ended itself"
    )

    carry_out_training(job.pk)

    run = Run.objects.select_related("job").get(pk=training.pk)
    assert (run.job.state, run.job.attempt, run.result["resumed_from"]) == (JobState.SUCCEEDED, 2, 2)
