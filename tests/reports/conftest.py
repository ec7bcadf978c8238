import html
import re
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.jobs.models import JobState
from evalapp.reports.models import Report
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from tests.factories import answers, make_campaign, review_all, run_scoring, tagged


@pytest.fixture(autouse=True)
def artifacts(settings: object, tmp_path: Path) -> Path:
    settings.ARTIFACTS_FOLDER = tmp_path  # type: ignore[attr-defined]
    return tmp_path


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """People prefer "plain" on tone, the metric "formal"."""
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=8)
    run_scoring(campaign)
    return campaign


@pytest.fixture
def reviewed(campaign: Campaign, reviewer: User, other_reviewer: User) -> Campaign:
    said = {
        ("formal", n): tagged(answers(tone=2 if n % 2 else 3), tone=["too-formal"] if n % 2 else [])
        for n in range(1, 9)
    }
    said |= {("plain", n): answers(tone=5 if n % 3 else 4) for n in range(1, 9)}
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said)
    return campaign


def made(campaign: Campaign, by: User) -> Report:
    report = start_report(campaign=campaign, by=by)
    assert report.job is not None
    write_report(report.job.pk)
    report.job.refresh_from_db()
    assert report.job.state == JobState.SUCCEEDED, report.job.error
    report.refresh_from_db()
    return report


def page_of(report: Report) -> str:
    return (report_folder(report) / "report.html").read_text(encoding="utf-8")


def words_of(page: str) -> str:
    """What a reader sees, without markup."""
    body = page[page.index("<body>") :]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())
