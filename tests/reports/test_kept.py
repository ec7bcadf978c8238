"""A report stays: one for each click, the same for the same data, unchanged, and gone with its project."""

import json
from pathlib import Path

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign
from evalapp.decisions.left_files import files_of
from evalapp.jobs.models import JobState
from evalapp.reports.models import Report, ReportState
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all
from tests.kept_cast import Cast
from tests.reports.conftest import made

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def once_reviewed(cast: Cast) -> Campaign:
    """Little of it, because what a report says is no subject here."""
    campaign = make_campaign(cast.project, [cast.reviewer], rows=2)
    review_all(campaign, cast.reviewer, {})
    return campaign


def test_a_second_click_while_it_is_written_is_the_same_report(reviewed: Campaign, manager: User) -> None:
    first = start_report(campaign=reviewed, by=manager)
    assert start_report(campaign=reviewed, by=manager) == first
    assert first.job is not None
    write_report(first.job.pk)
    assert start_report(campaign=reviewed, by=manager) != first


def test_the_same_data_has_the_same_digest_and_new_data_another(
    reviewed: Campaign, manager: User, reviewer: User
) -> None:
    one, other = made(reviewed, manager), made(reviewed, manager)
    assert one.data_digest == other.data_digest != ""
    review = reviewed.reviews.filter(reviewer=reviewer).first()
    assert review is not None
    review.revision += 1
    review.save(update_fields=["revision"])
    assert made(reviewed, manager).data_digest != one.data_digest


def test_repeating_the_job_after_a_lost_worker_changes_nothing(reviewed: Campaign, manager: User) -> None:
    report = made(reviewed, manager)
    before = json.dumps(report.files)
    assert report.job is not None
    type(report.job).objects.filter(pk=report.job.pk).update(state=JobState.QUEUED, finished_at=None)
    write_report(report.job.pk)
    report.refresh_from_db()
    assert json.dumps(report.files) == before


def test_a_finished_report_does_not_change(reviewed: Campaign, manager: User) -> None:
    report = made(reviewed, manager)
    with pytest.raises(DatabaseError), transaction.atomic():
        Report.objects.filter(pk=report.pk).update(data_digest="0" * 64)
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.create(project=report.project, campaign=reviewed, state=ReportState.DONE)


def test_a_deleted_project_takes_its_reports_along(
    reviewed: Campaign, manager: User, artifacts: Path
) -> None:
    report = made(reviewed, manager)
    named = files_of(reviewed.project)["artifacts"]
    assert str(report_folder(report).relative_to(artifacts)) in named


def test_a_file_that_is_gone_or_was_never_there_is_said(reviewed: Campaign, manager: User) -> None:
    report = made(reviewed, manager)
    client = client_of(manager)
    address = f"/projects/{reviewed.project.slug}/results/reports/{report.pk}/files/"
    assert client.get(f"{address}manifest.json").status_code == 404
    (report_folder(report) / "report.pdf").unlink()
    gone = client.get(f"{address}report.pdf")
    assert gone.status_code == 404 and "not on this server" in gone.content.decode()


def test_programs_make_and_fetch_reports(reviewed: Campaign, manager: User) -> None:
    api = program_of(manager)
    base = f"/api/v1/projects/{reviewed.project.slug}"
    begun = api.post(f"{base}/campaigns/{reviewed.pk}/reports/", {}, content_type="application/json")
    assert begun.status_code == 202 and begun.json()["state"] == "writing"
    write_report(begun.json()["job"]["id"])
    done = api.get(f"{base}/reports/{begun.json()['id']}/").json()
    assert done["state"] == "done"
    assert [file["name"] for file in done["files"]] == ["report.html", "report.pdf"]
    got = api.get(f"{base}/reports/{done['id']}/files/report.pdf/")
    assert b"".join(got.streaming_content).startswith(b"%PDF-")  # type: ignore[attr-defined]
    listed = api.get(f"{base}/campaigns/{reviewed.pk}/reports/").json()["results"]
    assert [each["id"] for each in listed] == [done["id"]]


def test_the_list_takes_as_many_queries_for_three_as_for_one(reviewed: Campaign, manager: User) -> None:
    client = client_of(manager)
    address = f"/projects/{reviewed.project.slug}/results/{reviewed.pk}/reports/"
    counts = []
    for wanted in (1, 3):
        while reviewed.reports.count() < wanted:
            Report.objects.create(project=reviewed.project, campaign=reviewed, created_by=manager)
        client.get(address)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get(address).content.decode().count(">Report ") >= wanted
        counts.append(len(queries))
    assert counts[0] == counts[1]
