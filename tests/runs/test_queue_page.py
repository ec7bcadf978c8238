"""What a project's people see of the queue, and what they can change there."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from redis import RedisError

from evalapp.accounts.models import Project, User
from evalapp.jobs import heartbeats
from evalapp.jobs.lease import claim
from evalapp.jobs.models import Job, JobState, Priority
from evalapp.jobs.services import create_job, leave_to_others, request_pause, set_priority
from evalapp.jobs.tasks import reap_lost_jobs
from evalapp.runs.execution import queue_page
from evalapp.runs.execution.queue_page import queue_view
from evalapp.runs.models import Run
from tests.api.conftest import Program, program_for

__all__ = ["program_for"]

ClientFor = Callable[[User | None], Client]
TASK = "evalapp.runs.tasks.carry_out_training"


def queued(project: Project, by: User, title: str) -> Job:
    return create_job(project=project, task=TASK, title=title, by=by, queue="models")


@pytest.fixture
def foreign(other_project: Project, stranger: User) -> list[Job]:
    """Another project has one going on and two waiting."""
    jobs = [queued(other_project, stranger, f"Secret {number}") for number in range(3)]
    claim(jobs[0].pk, task=TASK)
    return jobs


def told(project: Project) -> list[tuple[int | None, str, str]]:
    return [(place.number, place.entry.name, place.why) for place in queue_view(project, "models").queued]


def test_each_waiting_run_says_what_it_waits_for_and_never_whose(
    project: Project, engineer: User, foreign: list[Job], client_for: ClientFor
) -> None:
    queued(project, engineer, "first")
    queued(project, engineer, "second")

    assert told(project) == [
        (1, "first", "The next to start."),
        (3, "second", "Waits for 1 of this project and 1 of another project. Projects take turns."),
    ]
    page = client_for(engineer).get(reverse("run_queue", args=[project.slug])).content.decode()
    assert "Secret" not in page
    assert "Other projects: 1 running, 2 queued." in page


def test_what_the_page_foretells_is_what_starts(project: Project, engineer: User, foreign: list[Job]) -> None:
    for title in ("first", "second"):
        queued(project, engineer, title)
    urgent = queued(project, engineer, "urgent")
    set_priority(job=urgent, priority=Priority.HIGH, by=engineer)
    foretold = [name for _, name, _ in told(project)]

    from evalapp.jobs.queries import next_job

    began = []
    Job.objects.filter(state=JobState.STARTING).update(state=JobState.QUEUED, lease_expires_at=None)
    Job.objects.filter(pk=foreign[0].pk).update(state=JobState.CANCELLED, finished_at=urgent.created_at)
    Job.objects.exclude(pk=foreign[0].pk).update(task=reap_lost_jobs.name)
    while (job := next_job("models")) is not None:
        began.append(job.title)
        claim(job.pk, task=job.task)
        Job.objects.filter(pk=job.pk).update(
            state=JobState.CANCELLED, finished_at=urgent.created_at, lease_expires_at=None
        )
    assert [title for title in began if title in foretold] == foretold == ["urgent", "first", "second"]


def test_what_no_machine_can_do_yet_says_so_and_keeps_no_other_waiting(
    project: Project, engineer: User
) -> None:
    lost = claim(queued(project, engineer, "far away").pk, task=TASK)
    assert lost is not None
    queued(project, engineer, "second")
    leave_to_others(lost, why="gpu-2 has no folder of the base “Large”.")

    assert told(project) == [
        (1, "second", "The next to start."),
        (
            None,
            "far away",
            "gpu-2 has no folder of the base “Large”. It waits for a worker that has it.",
        ),
    ]


def test_the_priority_is_changed_on_the_page(
    project: Project, engineer: User, training: Run, client_for: ClientFor
) -> None:
    client, address = client_for(engineer), reverse("run_queue", args=[project.slug])
    page = client.get(address).content.decode()
    assert 'aria-label="Priority of v1"' in page

    answer = client.post(
        reverse("job_priority", args=[project.slug, training.job_id]), {"priority": "3", "next": address}
    )

    assert answer["Location"] == address
    assert Job.objects.get(pk=training.job_id).priority == Priority.HIGH
    refused = client.post(reverse("job_priority", args=[project.slug, training.job_id]), {"priority": "9"})
    assert refused.status_code == 400
    assert b"Choose a priority from the list" in refused.content


def test_a_paused_run_says_who_paused_it_and_goes_on_from_the_page(
    project: Project, engineer: User, manager: User, training: Run, client_for: ClientFor
) -> None:
    client = client_for(manager)
    client.post(reverse("job_pause", args=[project.slug, training.job_id]))
    for name, argument in (("run_queue", []), ("run_detail", [training.pk])):
        page = client.get(reverse(name, args=[project.slug, *argument])).content.decode()
        assert re.search(rf"by {manager}", page), name
        assert reverse("job_resume", args=[project.slug, training.job_id]) in page

    client.post(reverse("job_resume", args=[project.slug, training.job_id]))

    assert Job.objects.get(pk=training.job_id).state == JobState.QUEUED


def test_only_who_may_start_runs_may_order_or_pause_them(
    project: Project, training: Run, reviewer: User, stranger: User, client_for: ClientFor
) -> None:
    for name in ("job_pause", "job_resume", "job_priority"):
        address = reverse(name, args=[project.slug, training.job_id])
        found = [client_for(person).post(address).status_code for person in (reviewer, stranger)]
        assert found == [403, 404]


@pytest.mark.parametrize("runs", [1, 3])
def test_the_page_costs_the_same_for_any_number(
    runs: int, project: Project, engineer: User, client_for: ClientFor, django_assert_max_num_queries
) -> None:
    for number in range(runs):
        queued(project, engineer, f"Run {number}")
    request_pause(job=queued(project, engineer, "paused"), by=engineer)
    client = client_for(engineer)
    with django_assert_max_num_queries(17):
        page = client.get(reverse("run_queue", args=[project.slug])).content.decode()
    assert [f"Run {number}" in page for number in range(runs)] == [True] * runs


def test_the_same_by_api(
    project: Project, engineer: User, foreign: list[Job], program_for: Callable[[User], Program]
) -> None:
    program = program_for(engineer)
    first, second = (queued(project, engineer, title) for title in ("first", "second"))

    def asked(action: str, **body: str) -> dict:
        return program.post(f"projects/{project.slug}/jobs/{second.pk}/{action}/", body).json()

    assert asked("priority", priority="high")["priority"] == "high"
    models = program.get(f"projects/{project.slug}/queue/").json()["queues"][0]
    assert [(place["job"]["title"], place["number"]) for place in models["queued"]] == [
        ("second", 1),
        ("first", 3),
    ]
    assert (models["name"], models["running_elsewhere"], models["queued_elsewhere"]) == ("models", 1, 2)
    paused = asked("pause")
    assert (paused["state"], paused["paused_by"]) == ("paused", str(engineer))
    assert asked("resume")["state"] == "queued"
    assert program.post(f"projects/{project.slug}/jobs/{first.pk}/resume/", {}).status_code == 409
    assert (
        program.post(f"projects/{project.slug}/jobs/{first.pk}/priority/", {"priority": 3}).status_code == 400
    )


def test_a_worker_that_stands_still_and_the_longest_wait_are_seen(
    project: Project,
    engineer: User,
    client_for: ClientFor,
    program_for: Callable[[User], Program],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = queued(project, engineer, "waits")
    Job.objects.filter(pk=job.pk).update(queued_at=Now() - timedelta(minutes=5))
    now = [1000.0]
    monkeypatch.setattr(heartbeats, "_broker_time", lambda broker: now[0])
    names = ("models@still", "models@well", "default@elsewhere")
    for name in names:
        heartbeats.record_heartbeat(name)
    now[0] += 180
    heartbeats.record_heartbeat("models@well")
    try:
        page = client_for(engineer).get(reverse("run_queue", args=[project.slug])).content.decode()
        read = program_for(engineer).get(f"projects/{project.slug}/queue/").json()["queues"][0]
    finally:
        for name in names:
            heartbeats.forget(name)
    assert "The worker on still has sent no heartbeat for 3 min:" in page
    assert "Last heartbeat of the worker on well: 0 s ago." in page
    assert "The oldest queued job has waited for 5 min" in page
    assert [(each["name"], each["is_silent"]) for each in read["workers"]] == [
        ("models@still", True),
        ("models@well", False),
    ]
    assert read["oldest_waits"].startswith("00:05:")


def test_a_broker_that_is_away_hides_no_queue(
    project: Project, engineer: User, client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[object]:
        raise RedisError("the broker is not there")

    monkeypatch.setattr(queue_page, "heartbeats", refuse)
    queued(project, engineer, "first")
    page = client_for(engineer).get(reverse("run_queue", args=[project.slug])).content.decode()
    assert "first" in page and "No worker has sent a heartbeat." in page
