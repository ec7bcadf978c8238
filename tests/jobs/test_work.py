"""What becomes of a job's row, whatever its work does."""

import threading
import time
from datetime import timedelta

import psycopg
import psycopg.errors
import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError, NotHereError
from evalapp.jobs import lease, notifications, queries
from evalapp.jobs.models import Job, JobEvent, JobState
from evalapp.jobs.services import create_job, reap_lost_jobs, request_cancel
from evalapp.jobs.work import AttemptLost, LeaseLost, NoDeviceFree, Work, carry_out

TASK = "evalapp.tests.work"


@pytest.fixture
def job(project: Project, engineer: User) -> Job:
    return create_job(project=project, task=TASK, title="Count", by=engineer, params={"to": 3})


def test_the_result_and_the_last_progress_are_kept(job: Job) -> None:
    def work(work: Work) -> dict[str, int]:
        for number in range(work.job.params["to"]):
            work.progress(number + 1, 3, "counting")
        work.log("Counted.")
        return {"counted": 3}

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.result, job.attempt) == (JobState.SUCCEEDED, {"counted": 3}, 1)
    assert (job.progress_done, job.progress_total, job.stage, job.percent) == (3, 3, "counting", 100)
    assert job.finished_at is not None
    assert [event.text for event in job.events.all()] == ["Counted."]


def test_a_problem_fails_the_job_with_its_own_sentence(job: Job) -> None:
    def work(work: Work) -> None:
        raise InvalidError("Row 3 has no prompt. Add one.")

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.error) == (JobState.FAILED, "Row 3 has no prompt. Add one.")
    assert [event.level for event in job.events.all()] == ["error"]


def test_a_full_disk_of_the_database_fails_the_job_and_says_what_to_do(job: Job) -> None:
    def work(work: Work) -> None:
        raise OperationalError("could not extend file") from psycopg.errors.DiskFull("could not extend file")

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.attempt) == (JobState.FAILED, 1)
    assert job.error.startswith("The disk of the database is full.") and "start this again" in job.error


def test_an_unexpected_error_fails_the_job_without_a_trace_in_it(job: Job) -> None:
    def work(work: Work) -> None:
        raise RuntimeError("secret detail")

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert job.state == JobState.FAILED
    assert "RuntimeError" in job.error
    assert "secret detail" not in job.error


def test_a_job_that_found_no_device_says_that_nothing_was_begun(job: Job) -> None:
    def work(work: Work) -> None:
        raise NoDeviceFree

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert job.state == JobState.QUEUED
    assert job.events.get().text == (
        "Every device of this machine was in use; nothing was started, and it waits for a device."
    )


def test_a_job_that_is_left_to_others_rings_for_them_at_once(
    job: Job, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(notifications.app, "send_task", lambda *_, queue, **__: rung.append(queue))

    def work(work: Work) -> None:
        raise NotHereError("This machine lacks the base.")

    with django_capture_on_commit_callbacks(execute=True):
        carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, rung) == (JobState.QUEUED, ["default"])
    assert queries.next_job("default") is None, "it is passed over here, so nobody rings for ever"


def test_a_doubled_message_does_the_work_once(job: Job) -> None:
    done = []

    def work(work: Work) -> None:
        done.append(work.job.attempt)
        carry_out(job.pk, work_again, task=TASK)

    def work_again(work: Work) -> None:
        done.append("again")

    carry_out(job.pk, work, task=TASK)
    carry_out(job.pk, work_again, task=TASK)

    assert done == [1]


def test_a_message_for_another_task_does_nothing(job: Job) -> None:
    carry_out(job.pk, lambda work: {}, task="evalapp.tests.other")

    job.refresh_from_db()
    assert job.state == JobState.QUEUED


def test_a_late_writer_is_fenced(job: Job) -> None:
    """The first attempt stalls, is reaped and taken over; what it then writes is refused."""

    def stalled(work: Work) -> dict[str, str]:
        Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))
        reap_lost_jobs()
        carry_out(job.pk, lambda second: {"by": "second"}, task=TASK)
        with pytest.raises(LeaseLost), transaction.atomic():
            work.fence()
        work.log("too late")
        return {"by": "first"}

    carry_out(job.pk, stalled, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.result, job.attempt, job.lost_attempts) == (
        JobState.SUCCEEDED,
        {"by": "second"},
        2,
        1,
    )
    assert not JobEvent.objects.filter(text="too late").exists()


@pytest.mark.parametrize(
    "error",
    [AttemptLost("The program was killed"), OperationalError("gone"), psycopg.OperationalError("in a COPY")],
)
def test_an_attempt_without_a_preference_is_repeated_and_given_up_after_three(
    job: Job, error: Exception
) -> None:
    states = []

    def work(work: Work) -> None:
        raise error

    for _ in range(3):
        carry_out(job.pk, work, task=TASK)
        job.refresh_from_db()
        states.append(job.state)

    assert states == [JobState.QUEUED, JobState.QUEUED, JobState.DEAD]
    assert "3 times" in job.error
    last = job.events.last()
    assert last is not None and last.text.endswith(", 3 times in a row; given up.")
    assert job.finished_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_report_that_cannot_be_stored_neither_stops_the_work_nor_holds_up_its_cancel(
    job: Job, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)

    def work(work: Work) -> None:
        work.log("A line.", data={"name": "x\x00y"})
        work.report(10**30, 3)
        deadline = time.monotonic() + 20
        while not job.events.filter(text__contains="could not be stored (DataError)").exists():
            assert time.monotonic() < deadline, "the keeper says nothing more"
            time.sleep(0.02)
        work.report(2, 3)
        request_cancel(job=job, by=engineer)
        while time.monotonic() < deadline:
            work.raise_if_cancelled()
            time.sleep(0.02)

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.error, job.progress_done) == (JobState.CANCELLED, "", 2)


@pytest.mark.parametrize(
    ("result", "state", "error"),
    [
        ({"counted": 3}, JobState.SUCCEEDED, ""),
        ({"counted": "x\x00y"}, JobState.FAILED, "An unexpected error occurred (DataError)"),
    ],
)
def test_an_ending_is_written_whatever_the_last_words_were(
    job: Job, result: dict[str, object], state: str, error: str
) -> None:
    def work(work: Work) -> dict[str, object]:
        work.log("A line.", data={"name": "x\ud800y"})
        work.report(10**30, 3)
        return result

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert job.state == state
    assert job.error.startswith(error)
    assert job.finished_at is not None


@pytest.mark.django_db(transaction=True)
def test_a_running_job_learns_of_its_cancel_inside_a_long_transaction(
    job: Job, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress shows, and a cancel arrives, while the work's own connection is busy."""
    monkeypatch.setattr(lease, "TICK_SECONDS", 0.02)
    seen: list[tuple[str, int]] = []

    def cancel_once_progress_shows() -> None:
        from django.db import connection

        while not (row := Job.objects.get(pk=job.pk)).progress_done:
            pass
        seen.append((row.state, row.progress_done))
        request_cancel(job=row, by=engineer)
        connection.close()

    def work(work: Work) -> None:
        other = threading.Thread(target=cancel_once_progress_shows)
        with transaction.atomic():
            other.start()
            while True:
                work.progress(7, 9)

    carry_out(job.pk, work, task=TASK)

    job.refresh_from_db()
    assert seen == [(JobState.RUNNING, 7)]
    assert (job.state, job.error) == (JobState.CANCELLED, "")
