"""Pause and go on: who asked, what becomes of the row, and that nothing is lost."""

import threading
from collections.abc import Callable

import pytest

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError
from evalapp.jobs import lease
from evalapp.jobs.lease import claim
from evalapp.jobs.models import Job, JobState, Priority
from evalapp.jobs.services import (
    create_job,
    end_lost_attempt,
    request_cancel,
    request_pause,
    resume_job,
    retry_job,
    set_priority,
)
from evalapp.jobs.work import Work, carry_out

TASK = "evalapp.tests.work"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.05)


@pytest.fixture
def job(project: Project, engineer: User) -> Job:
    return create_job(project=project, task=TASK, title="Count", by=engineer)


def carried_out(job: Job, meanwhile: Callable[[], None]) -> Job:
    """The job after an attempt during which something was asked, and which stops when it is told to."""

    def work(work: Work) -> None:
        work.report(3, 10)
        meanwhile()
        work.rest(20)

    carry_out(job.pk, work, task=TASK)
    job.refresh_from_db()
    return job


def test_a_waiting_job_is_paused_at_once_and_keeps_its_place(
    job: Job, project: Project, engineer: User, manager: User
) -> None:
    request_pause(job=job, by=engineer)
    assert (job.state, job.paused_by) == (JobState.PAUSED, engineer)
    assert job.pause_requested_at is not None
    assert claim(job.pk, task=TASK) is None
    Job.objects.filter(pk=job.pk).update(queued_at=job.created_at.replace(year=2020))

    resume_job(job=job, by=manager)

    assert (job.state, job.paused_by, job.pause_requested_at) == (JobState.QUEUED, None, None)
    assert job.queued_at.year == 2020, "what came meanwhile waits behind it"
    assert [event.text for event in job.events.order_by("pk")] == [
        "Paused before it started.",
        "Resumed; it starts when its turn comes.",
    ]
    told = AuditEvent.objects.filter(action__in=["job.pause_requested", "job.resumed"]).order_by("pk")
    assert [(event.action, event.actor_id) for event in told] == [
        ("job.pause_requested", engineer.pk),
        ("job.resumed", manager.pk),
    ]


@pytest.mark.django_db(transaction=True)
def test_a_running_job_saves_frees_its_worker_and_goes_on_as_a_new_attempt(job: Job, engineer: User) -> None:
    paused = carried_out(job, lambda: request_pause(job=job, by=engineer))

    assert (paused.state, paused.attempt, paused.lost_attempts, paused.lease_expires_at) == (
        JobState.PAUSED, 1, 0, None,
    )  # fmt: skip
    assert (paused.paused_by, paused.finished_at, paused.progress_done) == (engineer, None, 3)

    resume_job(job=paused, by=engineer)
    assert job.events.latest("pk").text == "Resumed; it continues from its saved work."
    request_pause(job=paused, by=engineer)
    assert job.events.latest("pk").text == "Paused while it waited to continue."
    resume_job(job=paused, by=engineer)
    carry_out(job.pk, lambda work: {"done": True}, task=TASK)
    job.refresh_from_db()
    assert (job.state, job.attempt, job.result) == (JobState.SUCCEEDED, 2, {"done": True})


@pytest.mark.django_db(transaction=True)
def test_told_to_go_on_while_it_is_pausing_it_waits_for_its_turn_again(job: Job, engineer: User) -> None:
    def work(work: Work) -> None:
        request_pause(job=job, by=engineer)
        while not work.is_paused:
            threading.Event().wait(0.02)
        resume_job(job=job, by=engineer)
        work.rest(20)

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.keeps_turn, job.lost_attempts) == (JobState.QUEUED, True, 0)


@pytest.mark.django_db(transaction=True)
def test_a_pausing_job_can_still_be_cancelled(job: Job, engineer: User) -> None:
    def ask() -> None:
        request_pause(job=job, by=engineer)
        request_cancel(job=job, by=engineer)

    assert carried_out(job, ask).state == JobState.CANCELLED


def test_a_worker_that_is_lost_while_its_job_pauses_leaves_it_paused(job: Job, engineer: User) -> None:
    claimed = claim(job.pk, task=TASK)
    assert claimed is not None
    request_pause(job=claimed, by=engineer)

    end_lost_attempt(claimed, why="Its worker stopped responding")

    claimed.refresh_from_db()
    assert (claimed.state, claimed.paused_by) == (JobState.PAUSED, engineer)


def test_what_cannot_be_paused_or_go_on_says_why(job: Job, engineer: User) -> None:
    with pytest.raises(ConflictError, match="only a paused job can be resumed"):
        resume_job(job=job, by=engineer)
    request_pause(job=job, by=engineer)
    request_pause(job=job, by=engineer)
    assert AuditEvent.objects.filter(action="job.pause_requested").count() == 1
    request_cancel(job=job, by=engineer)
    with pytest.raises(ConflictError, match="cancelled, so there is nothing to pause"):
        request_pause(job=job, by=engineer)
    retry_job(job=job, by=engineer)
    assert (job.state, job.paused_by, job.pause_requested_at) == (JobState.QUEUED, None, None)


def test_a_priority_is_set_while_the_job_waits_and_is_audited(job: Job, engineer: User) -> None:
    set_priority(job=job, priority=Priority.HIGH, by=engineer)
    set_priority(job=job, priority=Priority.HIGH, by=engineer)

    event = AuditEvent.objects.get(action="job.priority_set")
    assert (job.priority, event.data) == (Priority.HIGH, {"from": "normal", "to": "high"})
    claim(job.pk, task=TASK)
    with pytest.raises(ConflictError, match="only a queued job has a priority"):
        set_priority(job=job, priority=Priority.LOW, by=engineer)
