"""The design form of a campaign that compares: the method, what it costs, and what is refused."""

import re

import pytest

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from tests.campaigns.making import make_campaign
from tests.campaigns.test_design_page import filled_in, page_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def words_of(html: str) -> str:
    """The text of the page without its tags."""
    return " ".join(re.sub(r"<[^>]+>", "", html).split())


def test_a_draft_is_given_the_method_and_asks_for_pairs(
    project: Project, manager: User, reviewer: User
) -> None:
    draft = make_campaign(project, [reviewer], rows=4, candidates=3, overlap=1)
    client = client_of(manager)
    assert client.post(page_of(draft, "edit/"), filled_in(draft, method="pairwise")).status_code == 302
    draft.refresh_from_db()
    assert draft.method == "pairwise"
    assert "4 items × 3 pairs × 1 reviewer = 12 reviews" in words_of(client.get(page_of(draft)).text)
    first = draft.candidates.get(position=0).model_version_id
    changed = filled_in(draft, method="pairwise", baseline=first)
    assert client.post(page_of(draft, "edit/"), changed).status_code == 302
    page = words_of(client.get(page_of(draft)).text)
    assert "4 items × 2 pairs × 1 reviewer = 8 reviews" in page
    assert "Preference (two outputs side by side): all with candidate-label-0" in page
    client.post(page_of(draft, "open/"))
    assert Campaign.objects.get().reviews_total == 8


def test_the_cost_of_a_ranking_is_one_judgement_an_item_and_reviewer(
    project: Project, manager: User, reviewer: User
) -> None:
    draft = make_campaign(project, [reviewer], rows=4, candidates=3, overlap=1)
    address = f"/projects/{project.slug}/campaigns/new/cost/"
    shown = client_of(manager).post(address, filled_in(draft, method="ranking")).text
    assert "4 items × 1 ranking × 1 reviewer = 4 reviews" in words_of(shown)


def test_a_form_that_says_nothing_of_the_method_rates(
    project: Project, manager: User, reviewer: User
) -> None:
    draft = make_campaign(project, [reviewer])
    assert client_of(manager).post(page_of(draft, "edit/"), filled_in(draft)).status_code == 302
    assert Campaign.objects.get().method == "pointwise"


@pytest.mark.parametrize(
    ("candidates", "changes", "words"),
    [
        (1, {"method": "pairwise"}, "choose at least two candidates"),
        (2, {"method": "ranking"}, "choose 3 to 5 candidates; 2 chosen"),
        (2, {"method": "voting"}, "voting is not one of the available choices"),
        (2, {"method": "pairwise", "baseline": 10**9}, "not one of the available choices"),
    ],
)
def test_what_cannot_be_compared_is_told_at_the_field(
    project: Project,
    manager: User,
    reviewer: User,
    candidates: int,
    changes: dict[str, object],
    words: str,
) -> None:
    draft = make_campaign(project, [reviewer], candidates=candidates)
    answer = client_of(manager).post(page_of(draft, "edit/"), filled_in(draft, **changes))
    assert answer.status_code == 400
    assert words in words_of(answer.text)
    assert Campaign.objects.get().method == "pointwise"
