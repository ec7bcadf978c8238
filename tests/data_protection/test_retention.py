"""What a project keeps no longer is removed at night; what something rests on stays."""

import datetime as dt
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.campaigns.models import Campaign
from evalapp.curation.drafts import Edit, edit_rows, open_draft
from evalapp.curation.models import DatasetDraft
from evalapp.data_protection import retention
from evalapp.data_protection.retention import apply_retention
from evalapp.data_protection.services import start_search
from evalapp.data_protection.tasks import apply_retention as tonight
from evalapp.data_protection.tasks import search_person
from evalapp.jobs.models import Job, JobEvent
from evalapp.monitoring.events.models import EventKey, ProductionEvent
from evalapp.monitoring.events.months import ensure_partition
from evalapp.monitoring.models import SampledOutput, Stream
from evalapp.monitoring.services import end_stream
from evalapp.reviews.models import Draft
from tests.api.conftest import program_of
from tests.cast import client_of, make_project
from tests.curation.conftest import published
from tests.factories import make_campaign, make_candidates, make_outputs, make_version
from tests.monitoring.making import make_stream, rows_of, sampled_week, send

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    """Moves the time that retention goes by."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, days: float) -> None:
        now = timezone.now() + dt.timedelta(days=days)
        self._monkeypatch.setattr(retention, "timezone", SimpleNamespace(now=lambda: now))


def old_events(stream: Stream, count: int) -> list[EventKey]:
    """Events of a month that has long ended, as they were stored then."""
    at = timezone.now() - 200 * DAY
    ensure_partition(at)
    keys = EventKey.objects.bulk_create(
        EventKey(stream=stream, external_id=f"old-{n}", content_hash="0" * 64, happened_at=at, received_at=at)
        for n in range(count)
    )
    ProductionEvent.objects.bulk_create(
        ProductionEvent(
            key=key, stream=stream, received_at=at, happened_at=at, text=f"Answer {n}",
            messages=[{"role": "user", "content": f"May I, {n}?"}],
        )
        for n, key in enumerate(keys)
    )  # fmt: skip
    return keys


def test_a_month_that_nobody_keeps_goes_at_once_but_for_what_was_sampled(
    project: Project, reviewer: User
) -> None:
    stream, other = make_stream(project, [reviewer]), make_stream(project, [reviewer], "Other")
    Stream.objects.filter(pk=stream.pk).update(next_sample_at=timezone.now() + 5 * DAY)
    week = sampled_week(other, count=3)
    keys = old_events(stream, 6)
    run = make_outputs(make_version(project), {make_candidates(project, ["old"])[0]: "Answer"})
    output = run.outputs.order_by("pk")[0]
    SampledOutput.objects.create(weekly_sample=week, key=keys[0], output=output, inclusion_probability=1)
    keeps(project, production_events=300)
    tonight()
    assert stream.events.count() == 6, "not all of it is old enough"
    keeps(project, production_events=100)
    with CaptureQueriesContext(connection) as asked:
        tonight()
        tonight()
    assert sum("DROP TABLE" in each["sql"] for each in asked) == 1, "what is left is of samples"
    assert list(stream.events.values_list("pk", "text")) == [(keys[0].pk, "Answer 0")]
    assert list(stream.event_keys.values_list("pk", flat=True)) == [keys[0].pk]
    assert other.events.count() == 3
    told = AuditEvent.objects.get(action="project.retention_applied")
    assert told.data["removed"] == {"production_events": 5}


def test_a_month_that_another_project_keeps_stays(project: Project, reviewer: User, stranger: User) -> None:
    stream = make_stream(project, [reviewer])
    keys = old_events(stream, 3)
    forever = make_project("Forever", reviewer=stranger)
    old_events(make_stream(forever, [stranger]), 2)
    keeps(project, production_events=100)
    tonight()
    assert not stream.event_keys.filter(pk__in=[each.pk for each in keys]).exists()
    assert ProductionEvent.objects.filter(stream__project=forever).count() == 2


def keeps(project: Project, **days: int) -> Project:
    project.retention = days
    project.save(update_fields=["retention"])
    return project


def test_events_that_nobody_reviewed_go_and_those_of_samples_stay(
    project: Project, reviewer: User, later: Clock
) -> None:
    stream = make_stream(project, [reviewer], outputs_per_week=3)
    week = sampled_week(stream, count=8)
    sampled = set(week.samples.values_list("key", flat=True))
    keeps(project, production_events=30)
    assert apply_retention(project) == {}
    later(days=40)
    assert apply_retention(project) == {"production_events": 5}
    assert set(ProductionEvent.objects.values_list("pk", flat=True)) == sampled and len(sampled) == 3
    told = AuditEvent.objects.get(action="project.retention_applied")
    assert told.data == {"removed": {"production_events": 5}, "days": {"production_events": 30}}
    assert apply_retention(project) == {}
    assert AuditEvent.objects.filter(action="project.retention_applied").count() == 1


def test_events_of_a_week_that_is_still_to_be_sampled_stay(
    project: Project, reviewer: User, later: Clock
) -> None:
    stream = make_stream(project, [reviewer])
    at = stream.next_sample_at - 2 * DAY
    send(stream, rows_of(4, at))
    keeps(project, production_events=1)
    later(days=3)
    assert apply_retention(project) == {}
    Stream.objects.update(paused_at=timezone.now())
    later(days=20)
    assert apply_retention(project) == {"production_events": 4}


def test_late_events_stay_until_a_sample_could_include_them(
    project: Project, reviewer: User, later: Clock
) -> None:
    stream = make_stream(project, [reviewer], outputs_per_week=8)
    week = sampled_week(stream, count=8)
    keeps(project, production_events=1)
    send(stream, rows_of(4, week.ends_at - 2 * DAY, first=90))
    later(days=3)
    assert apply_retention(project) == {}
    end_stream(stream=stream, by=None)
    assert apply_retention(project) == {"production_events": 4}


def test_a_draft_of_a_review_goes_once_nobody_touches_it(
    project: Project, reviewer: User, later: Clock
) -> None:
    campaign = make_campaign(project, [reviewer])
    draft_of(campaign, reviewer)
    keeps(project, drafts=7)
    later(days=6)
    assert apply_retention(project) == {}
    later(days=8)
    assert apply_retention(project) == {"drafts": 1}
    assert not Draft.objects.exists()
    assert campaign.assignments.exists()


def test_a_draft_of_a_dataset_stays_while_somebody_edits_it_or_a_version_came_of_it(
    project: Project, engineer: User, later: Clock
) -> None:
    version = make_version(project)
    kept = open_draft(base=version, by=engineer)
    edit_rows(draft=kept, edits=[Edit(1, "drop")], by=engineer)
    made = published(kept, engineer)
    open_one = open_draft(base=made, by=engineer)
    edit_rows(draft=open_one, edits=[Edit(1, "drop")], by=engineer)
    DatasetDraft.objects.update(created_at=timezone.now() - 10 * DAY)
    keeps(project, drafts=7)
    assert apply_retention(project) == {}
    later(days=8)
    assert apply_retention(project) == {"drafts": 1}
    assert list(DatasetDraft.objects.all()) == [kept]


def test_logs_of_finished_jobs_go_and_the_jobs_stay(project: Project, later: Clock) -> None:
    ended = Job.objects.create(
        project=project, task="x", title="Ended", state="succeeded", finished_at=timezone.now()
    )
    going = Job.objects.create(project=project, task="x", title="Waiting")
    for job in (ended, going):
        JobEvent.objects.create(job=job, text="a line")
    keeps(project, job_logs=3)
    assert apply_retention(project) == {}
    later(days=4)
    assert apply_retention(project) == {"job_logs": 1}
    assert set(Job.objects.all()) == {ended, going}
    assert JobEvent.objects.get().job == going


def test_it_goes_on_in_batches(project: Project, later: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 3)
    job = Job.objects.create(
        project=project, task="x", title="Ended", state="failed", finished_at=timezone.now()
    )
    JobEvent.objects.bulk_create(JobEvent(job=job, text=str(number)) for number in range(10))
    keeps(project, job_logs=1)
    later(days=2)
    assert apply_retention(project) == {"job_logs": 10}


def test_at_night_each_project_goes_by_its_own_days_and_none_keeps_for_good(
    project: Project, other_project: Project, later: Clock
) -> None:
    for each in (project, other_project):
        job = Job.objects.create(
            project=each, task="x", title="Ended", state="failed", finished_at=timezone.now()
        )
        JobEvent.objects.create(job=job, text="a line")
    keeps(project, job_logs=1)
    later(days=400)
    tonight()
    assert JobEvent.objects.get().job.project == other_project
    assert AuditEvent.objects.get(action="project.retention_applied").project_id == project.pk


def test_a_search_for_a_person_that_nobody_confirms_is_discarded(
    project: Project, owner: User, later: Clock
) -> None:
    erasure = start_search(project=project, texts=["Annabell Wexford"], reason="x", by=owner)
    search_person(erasure.job.pk)
    tonight()
    erasure.refresh_from_db()
    assert erasure.state == "found"
    later(days=31)
    tonight()
    erasure.refresh_from_db()
    assert (erasure.state, erasure.sealed_texts) == ("discarded", "")


def test_the_settings_page_says_how_long(project: Project, manager: User) -> None:
    address = f"/projects/{project.slug}/settings/"
    given = {"name": project.name, "population": "panel", "keep_production_events": "30"}
    page = client_of(manager).post(address, {**given, "keep_drafts": "0"})
    assert page.status_code == 400
    assert client_of(manager).post(address, given).status_code == 302
    project.refresh_from_db()
    assert project.retention == {"production_events": 30}
    assert 'value="30"' in client_of(manager).get(address).text
    assert client_of(manager).post(address, {**given, "keep_production_events": ""}).status_code == 302
    project.refresh_from_db()
    assert project.retention == {}


def test_programs_say_how_long(project: Project, manager: User) -> None:
    program, address = program_of(manager), f"projects/{project.slug}/settings/"
    assert program.get(address).json()["retention"] == {
        "production_events": None,
        "drafts": None,
        "job_logs": None,
    }
    after = program.patch(address, {"retention": {"job_logs": 90, "drafts": None}}).json()
    assert after["retention"] == {"production_events": None, "drafts": None, "job_logs": 90}
    assert program.patch(address, {"name": "Other"}).json()["retention"] == after["retention"]
    assert program.patch(address, {"retention": {"job_logs": 0}}).status_code == 400
    assert program.patch(address, {"retention": {"reviews": 3}}).status_code == 400


def draft_of(campaign: Campaign, reviewer: User) -> Draft:
    assignment = campaign.assignments.first()
    output = assignment.item.outputs.first()
    return Draft.objects.create(
        reviewer=reviewer, campaign=campaign, item_output=output, body={"comment": "half a word"}
    )
