"""Severity, agreement, what metrics are worth and the finder follow the comparison's filter, on pages and by
API.
"""

import re

import pytest
from django.http import QueryDict

from evalapp.accounts.models import User
from evalapp.analysis.agreement.reviewer_agreement import ComputedPanel
from evalapp.analysis.agreement.severity import severity_of
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.metrics.prediction_powered import prediction_powered_means
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import read_filter
from evalapp.campaigns.models import Campaign
from evalapp.exports.models import Export
from evalapp.metrics.registry import METRICS
from tests.analysis.segments import make_segmented, review_with_paradox
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import run_scoring
from tests.kept_cast import Cast, again
from tests.results_pages import results_of

pytestmark = pytest.mark.django_db

ROWS = 12
INSTITUTIONAL = "field.segment=institutional"
PAGES = ("severity", "agreement", "metrics", "finder")
ANSWERS = (
    "analysis/severity",
    "analysis/agreement",
    "analysis/agreement/pairs",
    "analysis/metric-trust",
    "analysis/prediction-powered",
    "agreement",
    "finder",
)
# In the segment of every third row both people give "plain" 2 or 3 for tone, and every output ROUGE-L's
# least.
FINDER = "find=rougeL&find_is=at_least&find_value=0&criterion=tone&score_is=at_most&score=3"


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    people = [cast.reviewer, cast.other_reviewer]
    campaign = make_segmented(cast.project, people, rows=ROWS)
    review_with_paradox(campaign, people, rows=ROWS)
    run_scoring(campaign)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def view(campaign: Campaign) -> CampaignScores:
    """What the filter leaves: every third row."""
    return load_filtered(read_filter(campaign, QueryDict(INSTITUTIONAL))).scores


def page(campaign: Campaign, reader: User, name: str, query: str = "") -> str:
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/{name}/"
    return client_of(reader).get(f"{address}?{query}").text


def answer(campaign: Campaign, reader: User, name: str, query: str = ""):
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/{name}/"
    return program_of(reader).get(f"{path}?{query}")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_how_much_of_the_campaign_it_is_of(campaign: Campaign, manager: User, name: str) -> None:
    filtered = page(campaign, manager, name, INSTITUTIONAL)
    assert "a filtered view of 4 of 12 items and 16 of 48 reviews" in filtered
    assert "segment: institutional" in filtered
    assert "a filtered view" not in page(campaign, manager, name)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_not_there_is_refused_and_never_everything(
    campaign: Campaign, manager: User, name: str
) -> None:
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/{name}/?field.segment=none"
    refused = client_of(manager).get(address)
    assert refused.status_code == 400 and "No example has “none” in “segment”" in refused.text


@pytest.mark.parametrize("name", ANSWERS)
def test_a_program_is_told_which_part_of_the_filter_is_wrong(
    campaign: Campaign, manager: User, name: str
) -> None:
    problem = problem_in(answer(campaign, manager, name, "reviewers=99"), 400)
    assert list(problem["fields"]) == ["reviewers"]


def test_severity_is_fitted_to_the_view(campaign: Campaign, view: CampaignScores, manager: User) -> None:
    expected = severity_of(view, names=view.names)
    found = answer(campaign, manager, "analysis/severity", INSTITUTIONAL).json()
    assert found["ratings"] == expected.ratings == 16 * 4
    assert [row["total"]["score"]["value"] for row in found["candidates"]] == [
        pytest.approx(row.total.score.value) for row in expected.candidates
    ]
    assert found["coverage"] == {"items": 4, "of_items": 12, "reviews": 16, "of_reviews": 48}
    assert "64 scores on 4 scales" in page(campaign, manager, "severity", INSTITUTIONAL)
    assert answer(campaign, manager, "analysis/severity").json()["coverage"] is None


def test_agreement_is_that_of_the_view(campaign: Campaign, view: CampaignScores, manager: User) -> None:
    tone = next(each for each in view.scales if each.key == "tone")
    expected = ComputedPanel(view, view.names).overall(tone)
    rows = answer(campaign, manager, "analysis/agreement", INSTITUTIONAL).json()["results"]
    (found,) = (row for row in rows if row["criterion"] == "tone")
    assert (found["scores"], found["measures"]["alpha"]["value"]) == (
        expected.scores,
        pytest.approx(expected.measures.alpha.value),
    )
    filtered = page(campaign, manager, "agreement", f"{INSTITUTIONAL}&criterion=tone")
    assert f'<td class="right">{expected.scores}<' in filtered
    # Choosing two reviewers, or following a count to its cases, stays in the view.
    assert '<input type="hidden" name="field.segment" value="institutional">' in filtered
    cases = re.findall(r'href="[^"]*/cases/\?([^"]*)"', filtered)
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
    # The formal answers are the reference, of which a metric that compares with it says nothing.
    assert 4 in expected.values() and set(expected.values()) <= {0, 4, 8}


def test_a_metric_tightens_a_view_by_the_views_own_outputs_alone(campaign: Campaign, manager: User) -> None:
    rouge = METRICS["rougeL"]
    campaign.items.filter(example__row_number__gt=9).delete()
    whole = prediction_powered_means(load_scores(campaign), rouge)
    assert {row.found.unreviewed for row in whole} == {3}
    rows = answer(campaign, manager, "analysis/prediction-powered", f"{INSTITUTIONAL}&metric=rougeL").json()[
        "results"
    ]
    assert {(row["reviewed"], row["unreviewed"]) for row in rows} == {(3, 0)}
    assert "This filtered view uses the metric of its own outputs only" in page(
        campaign, manager, "metrics", INSTITUTIONAL
    )


def test_the_comparison_leads_to_the_same_view(campaign: Campaign, manager: User) -> None:
    address = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    text = results_of(client_of(manager), address, f"?{INSTITUTIONAL}")
    for name in PAGES:
        assert re.search(rf'/results/{campaign.pk}/{name}/\?[^"]*{re.escape(INSTITUTIONAL)}', text), name
    (form,) = re.findall(
        r'<form class="in-line" method="get" action="#against-metric">.*?</form>', text, re.DOTALL
    )
    assert 'name="field.segment" value="institutional"' in form


def segment_items(campaign: Campaign) -> list[int]:
    return sorted(
        campaign.items.filter(example__metadata__segment="institutional").values_list("pk", flat=True)
    )


def test_the_finder_finds_in_the_view_beside_what_chance_gives_there(
    campaign: Campaign, manager: User
) -> None:
    whole = answer(campaign, manager, "finder", FINDER).json()
    assert (whole["outputs"], whole["by_people"], whole["coverage"]) == (24, 12, None)
    found = answer(campaign, manager, "finder", f"{FINDER}&{INSTITUTIONAL}").json()
    assert (found["outputs"], found["by_people"], found["count"], found["expected"]) == (8, 4, 4, 4.0)
    assert sorted(found["cases"]) == segment_items(campaign)
    assert found["coverage"] == {"items": 4, "of_items": 12, "reviews": 16, "of_reviews": 48}
    one = answer(campaign, manager, "finder", f"{FINDER}&reviewers=1").json()
    assert one["count"] == 0 and "from two reviewers" in one["reason"], "one reviewer agrees with nobody"
    text = page(campaign, manager, "finder", f"{FINDER}&{INSTITUTIONAL}")
    assert "4 outputs;" in text and "Of 8 outputs" in text


def test_what_the_finder_does_next_stays_in_the_view(campaign: Campaign, manager: User) -> None:
    text = page(campaign, manager, "finder", f"{FINDER}&{INSTITUTIONAL}")
    # Finding something else, the cases, and the steps from here keep the filter; so does the finder when it
    # changes.
    assert text.count('<input type="hidden" name="field.segment" value="institutional">') == 1
    assert '<input type="hidden" name="find_is" value="at_least">' in text
    step = r'(?:action|data-href)="[^"]*/(campaign|proposed-rows|cases)/(?:\d+/)?\?([^"]*)"'
    steps = re.findall(step, text)
    assert {name for name, _ in steps} == {"campaign", "proposed-rows", "cases"}
    for _, following in steps:
        assert "find=rougeL" in following and INSTITUTIONAL in following
    cases = f"/projects/{campaign.project.slug}/results/{campaign.pk}/cases/?{FINDER}&{INSTITUTIONAL}"
    assert len(client_of(manager).get(cases).context["rows"]) == 4


def test_a_campaign_and_proposed_rows_from_the_finder_are_of_the_view(
    campaign: Campaign, manager: User
) -> None:
    start = f"/projects/{campaign.project.slug}/results/{campaign.pk}/finder"
    browser = client_of(manager)
    assert browser.post(f"{start}/campaign/?{FINDER}&{INSTITUTIONAL}").status_code == 302
    picked = Campaign.objects.get(picked_examples__isnull=False)
    rows = [3, 6, 9, 12]
    examples = campaign.items.filter(example__row_number__in=rows).values_list("example", flat=True)
    assert sorted(picked.picked_examples or []) == sorted(examples)
    assert "in Segments (segment: institutional)" in picked.picked_because
    assert browser.post(f"{start}/proposed-rows/?{FINDER}&{INSTITUTIONAL}").status_code == 302
    assert set(Export.objects.get().rows.values_list("example__row_number", flat=True)) == set(rows)
    made = program_of(manager).post(
        f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/finder/?{FINDER}&{INSTITUTIONAL}&candidates=0"
    )
    assert list(problem_in(made, 400)["fields"]) == ["candidates"]
    for step in ("campaign", "proposed-rows"):
        refused = browser.post(f"{start}/{step}/?{FINDER}&field.segment=none")
        assert refused.status_code == 400 and "No example has “none”" in refused.text
    assert Campaign.objects.count() == 2 and Export.objects.count() == 1
