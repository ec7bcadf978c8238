from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.jobs.lease import claim
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job, request_cancel

TASK = "evalapp.tests.work"
ClientFor = Callable[[User | None], Client]


@pytest.fixture
def job(project: Project, engineer: User) -> Job:
    return create_job(project=project, task=TASK, title="Counting", by=engineer)


def address(name: str, job: Job) -> str:
    return reverse(name, args=[job.project.slug, job.pk])


@pytest.mark.parametrize("name", ["job_detail", "job_progress"])
def test_who_may_see_a_job(
    name: str, job: Job, engineer: User, manager: User, reviewer: User, stranger: User, client_for: ClientFor
) -> None:
    people = {engineer: 200, manager: 200, reviewer: 403, stranger: 404, None: 302}
    found = {person: client_for(person).get(address(name, job)).status_code for person in people}
    assert found == people


@pytest.mark.parametrize("name", ["job_cancel", "job_retry"])
def test_who_may_change_a_job(
    name: str, job: Job, reviewer: User, stranger: User, engineer: User, client_for: ClientFor
) -> None:
    people = {reviewer: 403, stranger: 404, None: 302}
    found = {person: client_for(person).post(address(name, job)).status_code for person in people}
    assert found == people
    assert client_for(engineer).get(address(name, job)).status_code == 405
    assert Job.objects.get(pk=job.pk).state == JobState.QUEUED


def test_a_job_of_another_project_is_not_there(
    job: Job, other_project: Project, stranger: User, client_for: ClientFor
) -> None:
    client = client_for(stranger)
    for name in ("job_detail", "job_progress", "job_cancel", "job_retry"):
        method = client.post if name in ("job_cancel", "job_retry") else client.get
        assert method(reverse(name, args=[other_project.slug, job.pk])).status_code == 404


@pytest.mark.parametrize("jobs", [1, 3])
def test_the_list_costs_the_same_for_any_number(
    jobs: int, project: Project, engineer: User, client_for: ClientFor, django_assert_max_num_queries
) -> None:
    for number in range(jobs):
        create_job(project=project, task=TASK, title=f"Job {number}", by=engineer)
    client = client_for(engineer)
    with django_assert_max_num_queries(7):
        page = client.get(reverse("job_list", args=[project.slug]))
    assert [f"Job {number}" in page.content.decode() for number in range(jobs)] == [True] * jobs


def test_an_empty_list_says_what_comes_here(project: Project, engineer: User, client_for: ClientFor) -> None:
    client = client_for(engineer)
    assert b"No jobs yet" in client.get(reverse("job_list", args=[project.slug])).content
    filtered = client.get(reverse("job_list", args=[project.slug]), {"state": "failed"})
    assert b"Show all jobs" in filtered.content


def test_a_waiting_job_is_cancelled_from_its_page(job: Job, engineer: User, client_for: ClientFor) -> None:
    answer = client_for(engineer).post(address("job_cancel", job), {"next": "/projects/summaries/runs/"})
    assert answer["Location"] == "/projects/summaries/runs/"
    assert Job.objects.get(pk=job.pk).state == JobState.CANCELLED


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_no_button_leads_to_another_site(
    target: str, job: Job, engineer: User, client_for: ClientFor
) -> None:
    answer = client_for(engineer).post(address("job_cancel", job), {"next": target})
    assert answer["Location"] == address("job_detail", job)


def test_cancelling_what_is_over_says_so(job: Job, engineer: User, client_for: ClientFor) -> None:
    request_cancel(job=job, by=engineer)
    answer = client_for(engineer).post(address("job_cancel", job))
    assert answer.status_code == 409
    assert b"nothing to cancel" in answer.content


def test_progress_polls_while_the_job_goes_on_and_reloads_the_page_at_its_end(
    job: Job, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    claim(job.pk, task=TASK)
    Job.objects.filter(pk=job.pk).update(
        state=JobState.RUNNING, progress_done=3, progress_total=12, stage="Counting sheep", eta_seconds=90
    )
    partial = client.get(address("job_progress", job), headers={"HX-Request": "true"})
    text = partial.content.decode()
    assert 'hx-trigger="every 2s"' in text
    assert "Counting sheep" in text
    assert 'max="12" value="3"' in text
    assert "about 1 min 30 s left" in text
    assert "HX-Refresh" not in partial

    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, lease_expires_at=None)
    request_cancel(job=job, by=engineer)
    ended = client.get(address("job_progress", job), headers={"HX-Request": "true"})
    assert "hx-trigger" not in ended.content.decode()
    assert ended["HX-Refresh"] == "true"


def test_what_a_log_line_holds_is_inert(job: Job, engineer: User, client_for: ClientFor) -> None:
    job.events.create(text="<script>alert(1)</script>")
    page = client_for(engineer).get(address("job_detail", job)).content
    assert b"<script>alert(1)" not in page
    assert b"&lt;script&gt;alert(1)" in page
