"""The clock does the duties itself: no stuck worker and no broker stands between."""

from datetime import timedelta
from pathlib import Path

import pytest
from celery.app.task import Task
from celery.beat import PersistentScheduler
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.celery import DUTIES, app
from evalapp.jobs import services
from evalapp.jobs.clock import Clock
from evalapp.jobs.models import Job, JobState

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    app.loader.import_default_modules()
    # The clock gives its connection back after each duty; the tests' own holds their transaction.
    monkeypatch.setattr("evalapp.jobs.clock.close_old_connections", lambda: None)
    return Clock(app, schedule_filename=str(tmp_path / "schedule"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the tasks for which a message was sent."""
    names: list[str] = []
    monkeypatch.setattr(Task, "apply_async", lambda task, *args, **options: names.append(task.name))
    return names


def test_a_lost_job_is_found_without_a_message(clock: Clock, sent: list[str], project: Project) -> None:
    job = Job.objects.create(
        project=project,
        task="evalapp.scoring.tasks.score_run",
        title="Silent",
        state=JobState.RUNNING,
        attempt=1,
        lease_expires_at=timezone.now() - timedelta(seconds=1),
    )
    clock.apply_entry(clock.schedule["reap-lost-jobs"])
    job.refresh_from_db()
    assert (job.state, job.lost_attempts, sent) == (JobState.QUEUED, 1, [])


def test_a_duty_that_fails_stops_neither_the_clock_nor_the_next_duty(
    clock: Clock, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(services, "reap_lost_jobs", fail)
    for name in ("reap-lost-jobs", "return-lapsed-places", "advance-demonstration"):
        clock.apply_entry(clock.schedule[name])
    assert sent == ["evalapp.demo.tasks.advance"]


def test_every_duty_is_in_the_schedule_and_beat_uses_this_clock(clock: Clock) -> None:
    assert set(app.conf.beat_schedule) >= DUTIES
    assert clock.schedule.keys() >= DUTIES
    assert app.conf.beat_scheduler == f"{Clock.__module__}:{Clock.__name__}"
    assert issubclass(Clock, PersistentScheduler)
