"""Severity, agreement, and what metrics are worth follow the comparison's filter, on their pages and by API."""

import re

import pytest
from django.http import QueryDict

from evalapp.accounts.models import Project, User
from evalapp.analysis.filters import read_filter
from evalapp.analysis.metric_trust import metric_trust
from evalapp.analysis.narrowing import load_narrowed
from evalapp.analysis.prediction_powered import narrowed_means
from evalapp.analysis.reviewer_agreement import ComputedPanel
from evalapp.analysis.scores import CampaignScores, load_scores
from evalapp.analysis.severity import severity_of
from evalapp.campaigns.models import Campaign
from evalapp.metrics.catalogue import CATALOGUE
from tests.analysis.segments import make_segmented, review_with_reversal
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import run_scoring

pytestmark = pytest.mark.django_db

ROWS = 12
INSTITUTIONAL = "field.segment=institutional"
PAGES = ("severity", "agreement", "metrics")
ANSWERS = (
    "analysis/severity",
    "analysis/agreement",
    "analysis/agreement/pairs",
    "analysis/metric-trust",
    "analysis/prediction-powered",
    "agreement",
)


@pytest.fixture
def campaign(project: Project, reviewer: User, other_reviewer: User) -> Campaign:
    campaign = make_segmented(project, [reviewer, other_reviewer], rows=ROWS)
    review_with_reversal(campaign, [reviewer, other_reviewer], rows=ROWS)
    run_scoring(campaign)
    return campaign


@pytest.fixture
def view(campaign: Campaign) -> CampaignScores:
    """What the filter leaves: every third row."""
    return load_narrowed(read_filter(campaign, QueryDict(INSTITUTIONAL))).scores


def page(campaign: Campaign, reader: User, name: str, query: str = "") -> str:
    address = f"/projects/{campaign.project.slug}/compare/{campaign.pk}/{name}/"
    return client_of(reader).get(f"{address}?{query}").text


def answer(campaign: Campaign, reader: User, name: str, query: str = ""):
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/{name}/"
    return program_of(reader).get(f"{path}?{query}")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_how_much_of_the_campaign_it_is_of(campaign: Campaign, manager: User, name: str) -> None:
    narrowed = page(campaign, manager, name, INSTITUTIONAL)
    assert "a filtered view of 4 of 12 items and 16 of 48 reviews" in narrowed
    assert "segment: institutional" in narrowed
    assert "a filtered view" not in page(campaign, manager, name)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_there_is_refused_and_never_everything(
    campaign: Campaign, manager: User, name: str
) -> None:
    address = f"/projects/{campaign.project.slug}/compare/{campaign.pk}/{name}/?field.segment=none"
    refused = client_of(manager).get(address)
    assert refused.status_code == 400 and "No example has “none” in “segment”" in refused.text


@pytest.mark.parametrize("name", ANSWERS)
def test_a_program_is_told_which_part_of_the_filter_is_wrong(
    campaign: Campaign, manager: User, name: str
) -> None:
    problem = problem_in(answer(campaign, manager, name, "by=99"), 400)
    assert list(problem["fields"]) == ["by"]


def test_severity_is_fitted_to_the_view(campaign: Campaign, view: CampaignScores, manager: User) -> None:
    expected = severity_of(view, names=view.names)
    found = answer(campaign, manager, "analysis/severity", INSTITUTIONAL).json()
    assert found["ratings"] == expected.ratings == 16 * 4
    assert [row["total"]["score"]["value"] for row in found["candidates"]] == [
        pytest.approx(row.total.score.value) for row in expected.candidates
    ]
    assert found["kept"] == {"items": 4, "of_items": 12, "reviews": 16, "of_reviews": 48}
    assert "64 scores on 4 scales" in page(campaign, manager, "severity", INSTITUTIONAL)
    assert answer(campaign, manager, "analysis/severity").json()["kept"] is None


def test_agreement_is_that_of_the_view(campaign: Campaign, view: CampaignScores, manager: User) -> None:
    tone = next(each for each in view.scales if each.key == "tone")
    expected = ComputedPanel(view, view.names).overall(tone)
    rows = answer(campaign, manager, "analysis/agreement", INSTITUTIONAL).json()["results"]
    (found,) = (row for row in rows if row["criterion"] == "tone")
    assert (found["scores"], found["measures"]["alpha"]["value"]) == (
        expected.scores,
        pytest.approx(expected.measures.alpha.value),
    )
    narrowed = page(campaign, manager, "agreement", f"{INSTITUTIONAL}&criterion=tone")
    assert f'data-label="Scores">{expected.scores}<' in narrowed
    # Choosing two reviewers, or following a count to its cases, stays in the view.
    assert '<input type="hidden" name="field.segment" value="institutional">' in narrowed
    cases = re.findall(r'href="[^"]*/cases/\?([^"]*)"', narrowed)
    assert cases and all("field.segment=institutional" in query for query in cases)


def test_metrics_are_held_against_the_people_of_the_view(
    campaign: Campaign, view: CampaignScores, manager: User
) -> None:
    expected = {
        (each.criterion.key, found.metric.name): found.correlation.n
        for each in metric_trust(view)
        for found in each.metrics
    }
    rows = answer(campaign, manager, "analysis/metric-trust", INSTITUTIONAL).json()["results"]
    assert {
        (row["criterion"], found["metric"]): found["correlation"]["n"]
        for row in rows
        for found in row["metrics"]
    } == expected
    assert set(expected.values()) <= {0, 8}


def test_a_metric_narrows_a_view_by_the_views_own_outputs_alone(campaign: Campaign, manager: User) -> None:
    rouge = CATALOGUE["rougeL"]
    campaign.items.filter(example__row_number__gt=9).delete()
    whole = narrowed_means(load_scores(campaign), rouge)
    assert {row.found.unreviewed for row in whole} == {3}
    rows = answer(campaign, manager, "analysis/prediction-powered", f"{INSTITUTIONAL}&metric=rougeL").json()[
        "results"
    ]
    assert {(row["reviewed"], row["unreviewed"]) for row in rows} == {(3, 0)}
    assert "the metric counts on the view’s own outputs alone" in page(
        campaign, manager, "metrics", INSTITUTIONAL
    )


def test_the_comparison_leads_to_the_same_view(campaign: Campaign, manager: User) -> None:
    text = (
        client_of(manager)
        .get(f"/projects/{campaign.project.slug}/compare/{campaign.pk}/?{INSTITUTIONAL}")
        .text
    )
    for name in PAGES:
        assert f"/compare/{campaign.pk}/{name}/?{INSTITUTIONAL}" in text
    (form,) = re.findall(
        r'<form class="in-line" method="get" action="#against-metric">.*?</form>', text, re.DOTALL
    )
    assert 'name="field.segment" value="institutional"' in form
