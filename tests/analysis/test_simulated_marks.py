"""A demonstration says on each page that nobody wrote its reviews, and no other project says so."""

import pytest

from evalapp.accounts.models import Project, User
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all

BANNER = "a program, not people, wrote the reviews"
PAGES = (
    "", "data/", "models/", "runs/", "runs/jobs/", "campaigns/", "campaigns/{campaign}/", "results/",
    "results/{campaign}/", "results/{campaign}/cases/", "results/{campaign}/agreement/",
    "results/{campaign}/decide/", "data/proposed-rows/", "monitor/", "settings/audit/",
)  # fmt: skip


@pytest.mark.parametrize("is_demonstration", [True, False])
def test_each_page_of_a_demonstration_says_it(
    is_demonstration: bool, project: Project, owner: User, reviewer: User
) -> None:
    Project.objects.filter(pk=project.pk).update(is_demonstration=is_demonstration)
    campaign = make_campaign(project, [reviewer], rows=3)
    review_all(campaign, reviewer, {"plain": answers(tone=1)})
    client = client_of(owner)
    for page in PAGES:
        answer = client.get(f"/projects/{project.slug}/{page.format(campaign=campaign.pk)}")
        assert answer.status_code == 200, page
        assert (BANNER in answer.text) is is_demonstration, page
