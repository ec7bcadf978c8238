"""A published set has more candidates than people compare side by side; a job compares those."""

import re

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.stored.stored_results import COMPUTE_TASK, is_large, large_among, refresh_analyses
from evalapp.analysis.tasks import compute
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.ratings.files import imported, ratings

pytestmark = pytest.mark.django_db
NAMES = tuple(f"model {number}" for number in range(1, 10))


def test_nine_candidates_are_compared_by_a_job(project: Project, manager: User) -> None:
    campaign = imported(project, manager, ratings(items=6, candidates=NAMES)).campaign
    assert campaign is not None
    assert is_large(campaign) and large_among([campaign]) == {campaign.pk}
    path = f"projects/{project.slug}/campaigns/{campaign.pk}"
    program = program_of(manager)
    assert program.get(f"{path}/comparison/").json()["candidates"][0]["human"][0]["mean"]["value"] is None
    refresh_analyses()
    compute(project.jobs.get(task=COMPUTE_TASK).pk)
    rows = program.get(f"{path}/comparison/").json()["candidates"]
    assert [row["label"] for row in rows] == list(NAMES)
    assert all(row["human"][0]["mean"]["value"] is not None for row in rows)
    others = program.get(f"{path}/differences/?against={rows[4]['candidate']}").json()["results"]
    assert {each["candidate"] for each in others} == {row["candidate"] for row in rows} - {
        rows[4]["candidate"]
    }

    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/who-is-better/").text
    (table,) = re.findall(r'<table class="table comparison leaderboard">.*?</table>', page, re.DOTALL)
    totals = {row["label"]: row["total"]["value"] for row in rows}
    shown = re.findall(r"model \d", table)
    assert [totals[name] for name in shown] == sorted(totals.values(), reverse=True)
    summary = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/").text
    assert "All 9 candidates are ranked under" in summary


def test_two_candidates_are_compared_at_the_request(project: Project, manager: User) -> None:
    campaign = imported(project, manager, ratings(items=6)).campaign
    assert campaign is not None
    assert not is_large(campaign) and large_among([campaign]) == set()
