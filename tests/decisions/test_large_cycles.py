"""A project with a large campaign: its home and its decisions read what a job has stored,
never every score.
"""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.differences import find_contradiction
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.comparison_result import comparisons_of
from evalapp.analysis.stored.stored_results import AnalysisRequest, start_analysis
from evalapp.analysis.tasks import compute
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ConflictError
from evalapp.decisions.cycles import cycles_of
from evalapp.decisions.models import Decision
from evalapp.decisions.services import decide
from evalapp.jobs.models import JobState
from evalapp.reviews.models import Score
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

ROWS = 10
SAID = {
    **{("formal", row): answers(tone=2 if row % 2 else 3) for row in range(1, ROWS + 1)},
    "plain": answers(accuracy=5, tone=5, personalization=5),
}


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    campaign = make_campaign(cast.project, [cast.reviewer, cast.engineer], rows=ROWS)
    run_scoring(campaign)
    review_all(campaign, cast.reviewer, SAID)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    """On which people and ROUGE disagree; the engineer has yet to review."""
    return again(made)


@pytest.fixture
def small(empty_project: Project, reviewer: User) -> Campaign:
    """One review, so that it is worked out at the request."""
    small = make_campaign(empty_project, [reviewer], rows=1, name="Small", texts={"one": "One."})
    review_all(small, reviewer, {"one": answers(tone=3)})
    return small


def computed(campaign: Campaign) -> None:
    job = start_analysis(campaign=campaign, request=AnalysisRequest(AnalysisKind.COMPARISON), by=None)
    compute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error


def form_of(campaign: Campaign) -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/decide/"


def decided(campaign: Campaign, by: User) -> Decision:
    plain = campaign.candidates.get(model_version__label="plain").model_version
    return decide(campaign=campaign, candidate=plain, verdict="not_yet", note="", by=by)


def home_of(campaign: Campaign) -> str:
    return f"/projects/{campaign.project.slug}/"


def read_without_scores(browser: Client, address: str) -> str:
    """The page at the address, which has read no single score."""
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(address)
    assert page.status_code == 200
    assert not scores_read(queries)
    return page.text


def scores_read(queries: CaptureQueriesContext) -> list[str]:
    table = f'"{Score._meta.db_table}"'
    return [each["sql"] for each in queries if table in each["sql"]]


def test_the_home_shows_what_a_job_has_stored(campaign: Campaign, manager: User, engineer: User) -> None:
    review_all(campaign, engineer, SAID)
    computed(campaign)
    scores = load_scores(campaign)
    (cycle,) = cycles_of(campaign.project)
    assert cycle.comparison == compare(scores)
    assert cycle.contradiction is not None
    assert cycle.contradiction == find_contradiction(scores, cycle.comparison)
    page = read_without_scores(client_of(manager), home_of(campaign))
    assert "ROUGE-L ranks" in page and "Not computed yet" not in page and "results as of" not in page


def test_the_home_says_that_nothing_is_computed_yet(campaign: Campaign, manager: User) -> None:
    page = read_without_scores(client_of(manager), home_of(campaign))
    # ROUGE-L, four scales and the question of errors.
    assert page.count("ot computed yet") == 6 and "ot scored yet" not in page
    assert f"{2 * ROWS} of {4 * ROWS} reviews" in page


def test_the_home_says_how_many_reviews_ago(campaign: Campaign, manager: User, engineer: User) -> None:
    computed(campaign)
    review_all(campaign, engineer, SAID)
    page = read_without_scores(client_of(manager), home_of(campaign))
    assert "results as of" in page and f"{2 * ROWS} reviews since" in page
    assert f"{4 * ROWS} of {4 * ROWS} reviews" in page


def test_small_campaigns_are_worked_out_beside_a_large_one(campaign: Campaign, small: Campaign) -> None:
    found = comparisons_of([small, campaign])
    assert [each.campaign for each in found] == [small, campaign]
    assert [each.is_computed for each in found] == [True, False]
    assert found[0].freshness is None and found[0].comparison == compare(load_scores(small))
    assert comparisons_of([]) == []


def test_the_form_of_a_decision_waits_for_its_figures(campaign: Campaign, manager: User) -> None:
    browser = client_of(manager)
    page = read_without_scores(browser, form_of(campaign))
    assert (
        "are not computed yet" in page
        and "Compute results" in page
        and "Record decision</button>" not in page
    )
    with pytest.raises(ConflictError, match="Compute them on"):
        decided(campaign, manager)
    assert not Decision.objects.exists()
    computed(campaign)
    page = read_without_scores(browser, form_of(campaign))
    assert "no reviews since" in page and "Record decision</button>" in page


def test_a_decision_keeps_how_far_its_figures_are_behind(
    campaign: Campaign, manager: User, engineer: User
) -> None:
    computed(campaign)
    then = compare(load_scores(campaign)).rows[1]
    review_all(campaign, engineer, SAID)
    with CaptureQueriesContext(connection) as queries:
        decision = decided(campaign, manager)
    assert not scores_read(queries)
    evidence = decision.evidence
    assert evidence["human"]["tone"]["value"] == then.cell("tone").mean.value
    assert evidence["design"]["reviews"] == 4 * ROWS
    assert evidence["freshness"]["reviews_since"] == 2 * ROWS
    assert decision.computed_at == campaign.stored_analyses.get(part="").computed_at
    page = client_of(manager).get(f"/projects/{campaign.project.slug}/results/decisions/{decision.pk}/").text
    assert "on results as of" in page and f"{2 * ROWS} reviews earlier" in page
    assert decided(campaign, manager) == decision, "the same numbers, so the same decision"


def test_a_decision_on_figures_of_its_moment_has_no_freshness(small: Campaign, manager: User) -> None:
    one = small.candidates.get().model_version
    decision = decide(campaign=small, candidate=one, verdict="not_yet", note="", by=manager)
    assert "freshness" not in decision.evidence and decision.computed_at is None
    page = client_of(manager).get(f"/projects/{small.project.slug}/results/decisions/{decision.pk}/").text
    assert "the numbers of that time" in page
