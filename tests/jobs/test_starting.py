"""The message only rings: which job a worker starts is read from the rows."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import shared_task

from evalapp.accounts.models import Project, User
from evalapp.celery import app
from evalapp.jobs import attempts, devices, starting
from evalapp.jobs.lease import claim
from evalapp.jobs.models import Job, JobState, Priority
from evalapp.jobs.queries import next_job
from evalapp.jobs.services import create_job, end_lost_attempt, request_pause, set_priority
from evalapp.jobs.tasks import start_next
from evalapp.jobs.work import Work, carry_out

TASK = "evalapp.tests.count"


@pytest.fixture
def begun() -> Iterator[list[str]]:
    """The titles of the jobs that were carried out, by a task registered for the test alone."""
    titles: list[str] = []

    def work(work: Work) -> None:
        titles.append(work.job.title)

    @shared_task(name=TASK)
    def count(job_id: int) -> None:
        carry_out(job_id, work, task=TASK)

    app.finalize()
    yield titles
    app.tasks.pop(TASK, None)


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    queues: list[str] = []
    monkeypatch.setattr(starting, "notify", queues.append)
    return queues


def queued(project: Project, by: User, title: str, **fields: object) -> Job:
    return create_job(project=project, task=TASK, title=title, by=by, **fields)  # type: ignore[arg-type]


def test_each_ring_starts_the_job_whose_turn_it_is(
    project: Project,
    other_project: Project,
    engineer: User,
    stranger: User,
    begun: list[str],
    rung: list[str],
) -> None:
    for number in range(3):
        queued(project, engineer, f"mine {number}")
    queued(other_project, stranger, "theirs")
    urgent = queued(project, engineer, "urgent")
    set_priority(job=urgent, priority=Priority.HIGH, by=engineer)

    for _ in range(6):
        start_next("default")

    assert begun == ["urgent", "theirs", "mine 0", "mine 1", "mine 2"]
    assert rung == ["default"] * 4, "whoever ends a job rings for those that wait behind it"


def test_a_job_of_another_queue_or_unknown_task_or_paused_is_left_alone(
    project: Project, engineer: User, begun: list[str]
) -> None:
    queued(project, engineer, "for a GPU", queue="models")
    create_job(project=project, task="evalapp.gone", title="of an old version", by=engineer)
    request_pause(job=queued(project, engineer, "paused"), by=engineer)
    queued(project, engineer, "last")

    for _ in range(2):
        start_next("default")

    assert begun == ["last"]


def test_a_job_that_another_worker_claims_first_costs_no_notification(
    project: Project, engineer: User, begun: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, mine = (queued(project, engineer, title) for title in ("taken", "mine"))
    choose = starting.queries.next_job

    def overtaken(queue: str) -> Job | None:
        chosen = choose(queue)
        if chosen == taken:
            claim(taken.pk, task=TASK)
            Job.objects.filter(pk=taken.pk).update(worker="another:1")
        return chosen

    monkeypatch.setattr(starting.queries, "next_job", overtaken)
    start_next("default")

    assert begun == ["mine"]
    assert Job.objects.get(pk=mine.pk).state == JobState.SUCCEEDED


def test_what_was_lost_goes_on_before_what_never_began(
    project: Project, other_project: Project, engineer: User, stranger: User, begun: list[str]
) -> None:
    lost = claim(queued(project, engineer, "lost").pk, task=TASK)
    assert lost is not None
    queued(other_project, stranger, "theirs")
    end_lost_attempt(lost, why="Its worker stopped responding")

    start_next("default")

    assert begun == ["lost"]


def killed_at(job: Job) -> None:
    """Carry out the job's attempt in a process of its own, and kill that in the middle of it."""
    context = multiprocessing.get_context("fork")
    has_begun = context.Event()

    def work() -> None:
        with attempts.attempt_shown(job):
            has_begun.set()
            signal.pause()

    worker = context.Process(target=work)
    worker.start()
    assert has_begun.wait(300)
    attempts.requeue_jobs_of_dead_workers()
    job.refresh_from_db()
    assert job.state == JobState.STARTING, "whoever lives keeps what it has in hand"
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(300)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_what_a_killed_worker_had_in_hand_goes_on_at_once_and_before_what_waits(
    project: Project, engineer: User, begun: list[str], tmp_path: Path, settings: Any
) -> None:
    settings.HOME = tmp_path
    killed = claim(queued(project, engineer, "killed").pk, task=TASK)
    assert killed is not None
    waiting = queued(project, engineer, "waiting")
    killed_at(killed)

    start_next("default")

    assert begun == ["killed"]
    assert Job.objects.get(pk=waiting.pk).state == JobState.QUEUED
    assert "ended while it ran" in killed.events.get().text
    assert list((tmp_path / "attempts").iterdir()) == []


def test_what_a_worker_elsewhere_has_in_hand_waits_for_its_lease(
    project: Project, engineer: User, begun: list[str], tmp_path: Path, settings: Any
) -> None:
    """One that only has this host's name, and a folder of its own: nothing here tells whether it lives."""
    settings.HOME = tmp_path
    elsewhere = claim(queued(project, engineer, "elsewhere").pk, task=TASK)
    assert elsewhere is not None
    queued(project, engineer, "waiting")

    start_next("default")

    assert begun == ["waiting"]
    elsewhere.refresh_from_db()
    assert elsewhere.state == JobState.STARTING


def test_a_run_waits_for_a_free_device(
    project: Project, engineer: User, begun: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path, settings
) -> None:
    settings.HOME = tmp_path
    monkeypatch.setattr(devices, "names_of_devices", lambda: ("0",))
    job = queued(project, engineer, "run", queue="models")

    with devices.held_device(seconds=0):
        start_next("models")
        assert (begun, Job.objects.get(pk=job.pk).state) == ([], JobState.QUEUED)
    start_next("models")

    assert begun == ["run"]


def test_what_waits_for_servers_of_others_leaves_room_for_the_rest(
    project: Project, engineer: User, begun: list[str], settings: Any
) -> None:
    settings.PATIENT_TASKS, settings.MOST_PATIENT_TASKS = {TASK}, 2
    asking = [create_job(project=project, task=TASK, title=f"asking {n}", by=engineer) for n in range(3)]
    for job in asking[:2]:
        assert next_job("default") == job
        claim(job.pk, task=TASK)
    assert next_job("default") is None
    own = create_job(project=project, task="evalapp.jobs.tasks.reap_lost_jobs", title="import", by=engineer)
    assert next_job("default") == own
    Job.objects.filter(pk=asking[0].pk).update(
        state=JobState.CANCELLED, lease_expires_at=None, finished_at=asking[0].created_at
    )
    Job.objects.filter(pk=own.pk).delete()
    assert next_job("default") == asking[2]
