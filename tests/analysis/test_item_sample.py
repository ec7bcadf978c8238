"""Pages that need scores themselves take them, of a large campaign, from items drawn at
random, and say so.
"""

from collections import Counter

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.stored import item_sample, stored_results
from evalapp.analysis.stored.item_sample import SampledItems, sampled_scores
from evalapp.campaigns.models import Campaign
from tests.analysis.test_severity_page import said
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_campaign, review_all

pytestmark = pytest.mark.django_db

ROWS = 12


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=ROWS)
    review_all(campaign, reviewer, said(0))
    review_all(campaign, other_reviewer, said(-1))
    return campaign


@pytest.fixture
def a_third_at_most(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", len(load_scores(campaign).answers) // 3)
    monkeypatch.setattr(item_sample, "LEAST_ITEMS", 2)


def test_all_scores_are_read_where_they_are_few(campaign: Campaign) -> None:
    scores, sample = sampled_scores(campaign)
    assert sample is None and scores.answers == load_scores(campaign).answers


@pytest.mark.usefixtures("a_third_at_most")
def test_a_drawn_item_keeps_all_its_scores(campaign: Campaign) -> None:
    scores, sample = sampled_scores(campaign)
    every = load_scores(campaign)
    drawn = {output.item_id for output in scores.outputs}
    assert sample == SampledItems(4, ROWS) and len(drawn) == 4
    of_drawn = {output.item_output_id for output in every.outputs if output.item_id in drawn}
    expected = Counter(answer for answer in every.answers if answer.item_output_id in of_drawn)
    assert Counter(scores.answers) == expected and expected
    assert sampled_scores(campaign).scores.outputs == scores.outputs


@pytest.mark.usefixtures("a_third_at_most")
def test_too_few_items_to_draw_from_are_all_read(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_sample, "LEAST_ITEMS", ROWS)
    scores, sample = sampled_scores(campaign)
    assert sample is None and scores.answers == load_scores(campaign).answers


@pytest.mark.usefixtures("a_third_at_most")
def test_the_quality_of_a_large_campaign_says_from_how_many_items(campaign: Campaign, manager: User) -> None:
    project = campaign.project.slug
    page = client_of(manager).get(f"/projects/{project}/campaigns/{campaign.pk}/quality/").text
    assert "are computed from 4 of the 12 items reviewed so far, drawn at random" in " ".join(page.split())
    told = program_of(manager).get(f"/api/v1/projects/{project}/campaigns/{campaign.pk}/quality/").json()
    assert told["sample"] == {"items": 4, "of_items": 12}
