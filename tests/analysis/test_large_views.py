"""Filtered views of large campaigns: computed by a job, kept for those who look again, told apart from the
whole.
"""

import pytest
from django.http import QueryDict

from evalapp.accounts.models import User
from evalapp.analysis.agreement import severity
from evalapp.analysis.agreement.severity import severity_of
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.models import AnalysisKind, StoredAnalysis
from evalapp.analysis.scores.filtered_scores import load_filtered
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.stored_results import AnalysisRequest, refresh_analyses, start_analysis, view_of
from evalapp.analysis.tasks import compute
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import InvalidError
from evalapp.jobs.models import JobState
from tests.analysis.segments import make_segmented, review_with_paradox
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import run_scoring
from tests.kept_cast import Cast, again
from tests.results_pages import results_of

pytestmark = pytest.mark.django_db

ROWS = 12
INSTITUTIONAL = "field.segment=institutional"


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    monkeypatch.setattr(severity, "MOST_RATINGS", 10)


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


def computed(campaign: Campaign, kind: AnalysisKind = AnalysisKind.COMPARISON, view: str = "") -> None:
    job = start_analysis(campaign=campaign, request=AnalysisRequest(kind, view=view), by=None)
    compute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error


def url_of(campaign: Campaign, page: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/{page}"


def scores_of(campaign: Campaign, query: str):
    return load_filtered(read_filter(campaign, QueryDict(query))).scores


def test_a_view_is_asked_for_computed_and_shown_on_its_own_page(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    page = browser.get(f"{url_of(campaign)}?{INSTITUTIONAL}").text
    assert "The results of this view are not computed yet" in page and "segment: institutional" in page
    # Nothing is known of it, so nothing is said: neither that nobody has reviewed, nor that nothing is
    # scored.
    assert "No reviews match these filters" not in page and "not scored yet" not in page
    asked = browser.post(url_of(campaign, "compute/"), {"kind": "comparison", "view": INSTITUTIONAL})
    assert (asked.status_code, asked["Location"]) == (302, f"{url_of(campaign)}?{INSTITUTIONAL}")
    assert "waits for its turn" in browser.get(asked["Location"]).text
    (job,) = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK)
    assert job.title == "Compare Segments, a filtered view"
    compute(job.pk)
    page = browser.get(asked["Location"]).text
    assert "a filtered view of 4 of 12 items and 16 of 48 reviews" in page
    assert "The results of this view are as of" in page and "Reviewer 2" in page
    assert "16 of 48 reviews so far, by 2" in page
    assert "are not computed yet" in browser.get(url_of(campaign)).text


def test_what_is_stored_of_a_view_is_what_a_request_would_compute(campaign: Campaign, manager: User) -> None:
    computed(campaign, view=INSTITUTIONAL)
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/"
    program = program_of(manager)
    told = program.get(f"{path}comparison/?{INSTITUTIONAL}").json()
    expected = compare(scores_of(campaign, INSTITUTIONAL))
    assert told["coverage"] == {"items": 4, "of_items": 12, "reviews": 16, "of_reviews": 48}
    assert [
        [(each["mean"]["value"], each["counts"]) for each in row["human"]] for row in told["candidates"]
    ] == [
        [(cell.mean.value, {str(level): count for level, count in cell.counts.items()}) for cell in row.human]
        for row in expected.rows
    ]
    assert program.get(f"{path}differences/?{INSTITUTIONAL}").json()["results"]
    assert program.get(f"{path}differences/").json()["results"] == []
    # The order in which an address names its filters does not matter.
    both = f"split=feedback&{INSTITUTIONAL}"
    computed(campaign, view=view_of(campaign, both).view)
    assert program.get(f"{path}comparison/?{INSTITUTIONAL}&split=feedback").json()["freshness"]["computed_at"]


def test_the_charts_of_a_large_campaign_are_drawn(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    charts = ("ratings", "agreement-drawn", "human-against-metric")
    page = results_of(browser, url_of(campaign))
    assert not [each for each in charts if f'data-chart="{each}"' in page]
    computed(campaign)
    computed(campaign, view=INSTITUTIONAL)
    for query in ("", f"&{INSTITUTIONAL}"):
        page = results_of(browser, url_of(campaign), f"?criterion=tone{query}")
        assert [each for each in charts if f'data-chart="{each}"' in page] == list(charts)
        assert "Reviewer 1 and Reviewer 2" in page


def test_severity_of_a_view_is_fitted_by_a_job_of_its_own(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    address = f"{url_of(campaign, 'severity/')}?{INSTITUTIONAL}"
    assert "has not been fitted to this view" in browser.get(address).text
    asked = browser.post(url_of(campaign, "compute/"), {"kind": "severity", "view": INSTITUTIONAL})
    assert asked["Location"] == address
    computed(campaign, AnalysisKind.SEVERITY, view=INSTITUTIONAL)
    scores = scores_of(campaign, INSTITUTIONAL)
    page = browser.get(address).text
    assert f"{severity_of(scores, names=scores.names).ratings} scores on 4 scales" in page
    assert "a filtered view of 4 of 12 items" in page
    assert "has not been fitted" in browser.get(url_of(campaign, "severity/")).text


def test_the_clock_leaves_views_to_those_who_look(campaign: Campaign, reviewer: User) -> None:
    computed(campaign, view=INSTITUTIONAL)
    StoredAnalysis.objects.update(changes=-10_000)
    refresh_analyses()
    going = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK, state=JobState.QUEUED)
    assert [job.params["view"] for job in going] == [""]


def test_the_views_that_were_computed_last_are_kept(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_results, "MOST_VIEWS", 2)
    computed(campaign)
    for client in (1, 2, 3):
        computed(campaign, view=f"field.client={client}")
    kept = StoredAnalysis.objects.order_by("view").values_list("view", flat=True).distinct()
    assert list(kept) == ["", "field.client=2", "field.client=3"]


def test_a_view_of_what_is_not_there_is_no_job(campaign: Campaign, manager: User) -> None:
    with pytest.raises(InvalidError, match="No example has"):
        view_of(campaign, "field.segment=nobody")
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/computations/"
    refused = program_of(manager).post(path, {"kind": "comparison", "view": "reviewers=99"})
    assert "There is no reviewer 99" in problem_in(refused, 400)["message"]
    assert not campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK).exists()
