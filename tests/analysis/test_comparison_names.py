"""Names of criteria stand in the comparison's sentences as they were given."""

import html
from dataclasses import replace

import pytest
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.results_pages import TABS

pytestmark = pytest.mark.django_db


def test_an_abbreviation_is_not_written_small(
    project: Project, reviewer: User, other_reviewer: User, manager: User
) -> None:
    criteria = [
        replace(draft, name="GDPR in EU", key="tone") if draft.name == "Tone" else draft
        for draft in SUMMARIES.criteria
    ]
    rubric = save_version(
        rubric=create_rubric(project=project, name="Law", by=None), criteria=criteria, by=None
    )
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=8, rubric_version=rubric)
    run_scoring(campaign)
    for person in (reviewer, other_reviewer):
        said = {("formal", n): answers(tone=2 if n % 2 else 3) for n in range(1, 9)}
        review_all(
            campaign, person, said | {("plain", n): answers(tone=5 if n % 3 else 4) for n in range(1, 9)}
        )
    address = f"/projects/{project.slug}/results/{campaign.pk}/"

    def words(part: str) -> str:
        page = client_of(manager).get(address + part)
        assert page.status_code == 200
        return " ".join(html.unescape(strip_tags(page.text)).split())

    page = " ".join(words(f"{tab}?criterion=tone&metric=rougeL") for tab in TABS)
    assert "on GDPR in EU reviewers do not:" in page
    assert "in its best quarter and GDPR in EU rated low" in page
    assert "gdpr" not in page
    found = words("cases/?find=rougeL&find_is=top&criterion=tone&score_is=at_most&score=2")
    assert "GDPR in EU at most 2" in found
    assert "gdpr" not in found
