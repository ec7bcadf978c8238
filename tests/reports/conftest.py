import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from django.db import transaction
from django.test import override_settings

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.jobs.models import JobState
from evalapp.reports.models import Report
from evalapp.reports.services import start_report
from evalapp.reports.tasks import write_report
from evalapp.reports.writing import report_folder
from tests.factories import answers, make_campaign, review_all, run_scoring, tagged
from tests.kept_cast import FIXTURES, Cast, again

cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(autouse=True)
def artifacts(settings: object, tmp_path: Path) -> Path:
    settings.ARTIFACTS_FOLDER = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def scored_campaign(project: Project, people: Sequence[User]) -> Campaign:
    """The metric prefers "formal"."""
    campaign = make_campaign(project, people, rows=8)
    run_scoring(campaign)
    return campaign


@pytest.fixture
def campaign(empty_project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    """Nobody has reviewed it."""
    return scored_campaign(empty_project, [reviewer, other_reviewer])


@pytest.fixture(scope="module")
def once_reviewed(cast: Cast) -> Campaign:
    """People prefer "plain" on tone."""
    people = [cast.reviewer, cast.other_reviewer]
    campaign = scored_campaign(cast.project, people)
    said = {
        ("formal", n): tagged(answers(tone=2 if n % 2 else 3), tone=["too-formal"] if n % 2 else [])
        for n in range(1, 9)
    }
    said |= {("plain", n): answers(tone=5 if n % 3 else 4) for n in range(1, 9)}
    for person in people:
        review_all(campaign, person, said)
    return campaign


@pytest.fixture
def reviewed(once_reviewed: Campaign) -> Campaign:
    return again(once_reviewed)


class Files(NamedTuple):
    page: str
    pdf: bytes


@pytest.fixture(scope="module")
def files(once_reviewed: Campaign, cast: Cast, tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Of a report of `reviewed`, which no test finds in its lists."""
    folder = tmp_path_factory.mktemp("artifacts")
    with override_settings(ARTIFACTS_FOLDER=folder), transaction.atomic():
        report = made(again(once_reviewed), cast.manager)
        found = Files(page_of(report), (report_folder(report) / "report.pdf").read_bytes())
        transaction.set_rollback(True)
    return found


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
