from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError
from evalapp.jobs import notifications
from evalapp.jobs.lease import claim
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job, reap_lost_jobs, request_cancel, retry_job
from evalapp.jobs.work import carry_out

TASK = "evalapp.tests.work"


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], str]]:
    """The messages that were published."""
    messages: list[tuple[str, list[str], str]] = []

    def send_task(name: str, *, args: list[str], queue: str, **options: object) -> None:
        messages.append((name, args, queue))

    monkeypatch.setattr(notifications.app, "send_task", send_task)
    return messages


def make_job(project: Project, by: User, **fields: object) -> Job:
    job = create_job(project=project, task=TASK, title="Work", by=by)
    if fields:
        Job.objects.filter(pk=job.pk).update(**fields)
        job.refresh_from_db()
    return job


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_expires_at=timezone.now() - timedelta(hours=1))


def test_the_message_is_published_on_commit_and_the_write_audited(
    project: Project, engineer: User, rung: list, django_capture_on_commit_callbacks
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        job = create_job(project=project, task=TASK, title="Work", by=engineer, queue="models")
        assert rung == []

    assert rung == [(notifications.START_NEXT_TASK, ["models"], "models")]
    event = AuditEvent.objects.get(action="job.created")
    assert (event.actor_id, event.project_id, event.object_id) == (engineer.pk, project.pk, job.pk)


def test_a_broker_that_is_away_loses_nothing(
    project: Project, engineer: User, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks
) -> None:
    def send_task(*args: object, **options: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(notifications.app, "send_task", send_task)
    with django_capture_on_commit_callbacks(execute=True):
        job = create_job(project=project, task=TASK, title="Work", by=engineer)

    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED


def test_a_waiting_job_is_cancelled_at_once(project: Project, engineer: User) -> None:
    job = make_job(project, engineer)

    request_cancel(job=job, by=engineer)

    assert job.state == JobState.CANCELLED
    assert claim(job.pk, task=TASK) is None
    with pytest.raises(ConflictError, match="nothing to cancel"):
        request_cancel(job=job, by=engineer)


def test_a_running_job_is_asked_once(project: Project, engineer: User) -> None:
    job = claim(make_job(project, engineer).pk, task=TASK)
    assert job is not None

    request_cancel(job=job, by=engineer)
    request_cancel(job=job, by=engineer)

    assert job.state == JobState.CANCELLING
    assert AuditEvent.objects.filter(action="job.cancel_requested").count() == 1


def test_a_lost_job_is_queued_again_and_rung(
    project: Project, engineer: User, rung: list, django_capture_on_commit_callbacks
) -> None:
    job = claim(make_job(project, engineer).pk, task=TASK)
    assert job is not None
    expire(job)

    with django_capture_on_commit_callbacks(execute=True):
        reap_lost_jobs()
        reap_lost_jobs()

    job.refresh_from_db()
    assert (job.state, job.lost_attempts, job.lease_expires_at) == (JobState.QUEUED, 1, None)
    assert rung == [(notifications.START_NEXT_TASK, ["default"], "default")]


def test_a_job_lost_three_times_is_dead(project: Project, engineer: User) -> None:
    job = make_job(project, engineer)
    for _ in range(3):
        assert claim(job.pk, task=TASK) is not None
        expire(job)
        reap_lost_jobs()

    job.refresh_from_db()
    assert (job.state, job.lost_attempts) == (JobState.DEAD, 3)
    assert "stopped responding" in job.error


def test_a_lost_job_that_was_being_cancelled_is_cancelled(project: Project, engineer: User) -> None:
    job = claim(make_job(project, engineer).pk, task=TASK)
    assert job is not None
    request_cancel(job=job, by=engineer)
    expire(job)

    reap_lost_jobs()

    job.refresh_from_db()
    assert job.state == JobState.CANCELLED


@pytest.mark.parametrize(
    ("waited", "queue_is_busy", "rings"),
    [(5, False, 0), (16, False, 1), (16, True, 0), (121, True, 1)],
)
def test_a_lost_message_is_published_again(
    project: Project,
    engineer: User,
    rung: list,
    django_capture_on_commit_callbacks,
    waited: int,
    queue_is_busy: bool,
    rings: int,
) -> None:
    make_job(project, engineer, notified_at=timezone.now() - timedelta(seconds=waited))
    if queue_is_busy:
        claim(make_job(project, engineer).pk, task=TASK)

    with django_capture_on_commit_callbacks(execute=True):
        reap_lost_jobs()
        reap_lost_jobs()

    assert len(rung) == rings


def test_an_ended_job_is_tried_again(project: Project, engineer: User) -> None:
    job = make_job(project, engineer)
    request_cancel(job=job, by=engineer)

    retry_job(job=job, by=engineer)
    carry_out(job.pk, lambda work: {"done": True}, task=TASK)

    job.refresh_from_db()
    assert (job.state, job.result) == (JobState.SUCCEEDED, {"done": True})
    with pytest.raises(ConflictError, match="succeeded"):
        retry_job(job=job, by=engineer)


def test_after_the_databases_clock_went_back_a_lost_job_is_found_and_a_waiting_one_is_rung_for(
    project: Project,
    engineer: User,
    rung: list[tuple[str, list[str], str]],
    django_capture_on_commit_callbacks,
):
    tomorrow = timezone.now() + timedelta(days=1)
    with django_capture_on_commit_callbacks(execute=True):
        lost = make_job(project, engineer)
        waiting = make_job(project, engineer, queue="models", notified_at=tomorrow)
    claim(lost.pk, task=TASK)
    Job.objects.filter(pk=lost.pk).update(lease_expires_at=tomorrow)
    rung.clear()
    with django_capture_on_commit_callbacks(execute=True):
        reap_lost_jobs()
    for job in (lost, waiting):
        job.refresh_from_db()
    assert lost.lease_expires_at is not None
    assert lost.lease_expires_at <= timezone.now() + timedelta(seconds=settings.JOB_LEASE_SECONDS)
    assert [args for _, args, _ in rung] == [["models"]]
    assert waiting.notified_at is not None
    assert waiting.notified_at <= timezone.now()
