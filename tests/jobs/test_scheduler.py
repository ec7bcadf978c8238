"""The scheduler does the duties itself: no stuck worker and no broker stands between."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from celery.app.task import Task
from celery.beat import Scheduler
from celery.schedules import schedule
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.celery import DUTIES, app
from evalapp.jobs import services
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.scheduler import JobScheduler

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JobScheduler:
    app.loader.import_default_modules()
    # The scheduler gives its connection back after each duty; the tests' own holds their transaction.
    monkeypatch.setattr("evalapp.jobs.scheduler.close_old_connections", lambda: None)
    return JobScheduler(app, schedule_filename=str(tmp_path / "schedule"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks for which a message was sent."""
    names: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda task, *args, **options: names.append(task.name))
    return names


def test_a_lost_job_is_found_without_a_message(
    clock: JobScheduler, sent: list[str], project: Project
) -> None:
    job = Job.objects.create(
        project=project,
        task="evalapp.scoring.tasks.score_run",
        title="Silent",
        state=JobState.RUNNING,
        attempt=1,
        lease_expires_at=timezone.now() - timedelta(hours=1),
    )
    clock.apply_entry(clock.schedule["reap-lost-jobs"])
    job.refresh_from_db()
    assert (job.state, job.lost_attempts, sent) == (JobState.QUEUED, 1, [])


def test_a_duty_that_fails_stops_neither_the_clock_nor_the_next_duty(
    clock: JobScheduler, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(services, "reap_lost_jobs", fail)
    for name in ("reap-lost-jobs", "return-lapsed-assignments", "advance-demonstration"):
        clock.apply_entry(clock.schedule[name])
    assert sent == ["evalapp.demo.tasks.advance"]


def test_every_duty_is_in_the_schedule_and_beat_uses_this_clock(clock: JobScheduler) -> None:
    assert set(app.conf.beat_schedule) >= DUTIES
    assert clock.schedule.keys() >= DUTIES
    assert app.conf.beat_scheduler == f"{JobScheduler.__module__}:{JobScheduler.__name__}"
    assert issubclass(JobScheduler, Scheduler)


def test_after_the_systems_clock_went_back_the_duties_go_on(
    clock: JobScheduler, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(services, "reap_lost_jobs", lambda: done.append("reaped"))
    system = [timezone.now()]
    monkeypatch.setattr(type(app), "now", lambda self: system[0])
    monkeypatch.setattr(schedule, "now", lambda self: system[0])

    def advance(seconds: float) -> None:
        system[0] += timedelta(seconds=seconds)
        while clock.tick() == 0:
            pass

    advance(6)
    assert done == ["reaped"]
    advance(-86_400)
    advance(6)
    assert done == ["reaped", "reaped"]


def test_what_is_due_once_a_night_is_made_up_for_by_a_clock_that_was_stopped(
    clock: JobScheduler, tmp_path: Path
) -> None:
    clock.schedule["check-counts"].last_run_at = timezone.now() - timedelta(days=2)
    clock.schedule["finish-removals"].last_run_at = timezone.now() + timedelta(days=2)
    clock.close()
    again = JobScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    assert again.is_due(again.schedule["check-counts"])[0]
    again.tick()
    assert again.schedule["finish-removals"].last_run_at <= timezone.now()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"check-counts": 1}', b"\x80 of another version"])
def test_a_file_that_cannot_be_used_is_no_matter(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "schedule").write_bytes(content)
    clock = JobScheduler(app, schedule_filename=str(tmp_path / "schedule"))
    assert clock.schedule.keys() >= DUTIES
    clock.close()
    assert json.loads((tmp_path / "schedule").read_text()).keys() == clock.schedule.keys()


def test_where_its_file_cannot_be_written_the_clock_goes_on(clock: JobScheduler, tmp_path: Path) -> None:
    (tmp_path / "schedule").mkdir()
    clock.sync()
    clock.close()
