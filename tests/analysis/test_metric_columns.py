"""A metric that no candidate has a value of is named in a sentence, and has no column."""

import re

import pytest

from evalapp.accounts.models import Project, User
from evalapp.scoring.services import SCORE_TASK
from evalapp.scoring.tasks import score_run
from tests.cast import client_of
from tests.ratings.files import imported, ratings

pytestmark = pytest.mark.django_db


def test_what_is_undefined_for_all_is_said_once(project: Project, manager: User) -> None:
    campaign = imported(project, manager, ratings(items=6)).campaign
    assert campaign is not None
    for job in project.jobs.filter(task=SCORE_TASK):
        score_run(job.pk)
    page = client_of(manager).get(f"/projects/{project.slug}/results/{campaign.pk}/who-is-better/").text
    (section,) = re.findall(r'<section aria-labelledby="metrics">.*?</section>', page, re.DOTALL)
    headings = re.findall(r"<th scope=\"col\".*?</th>", section, re.DOTALL)
    assert not any("ROUGE" in heading for heading in headings), headings
    assert any("Words" in heading for heading in headings)
    (said,) = re.findall(r"Undefined for every candidate: ([^<]*)", section)
    assert "ROUGE-1, ROUGE-2, ROUGE-L" in said and "(the example has no reference)" in said
    assert "Prompt tokens" in said
