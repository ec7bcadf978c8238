"""Large campaigns: a job computes what takes long, the page shows it with the counts of now, and says so."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.adjudication.services import AdjudicatedScore, adjudicate
from evalapp.analysis.agreement import severity
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.models import AnalysisKind, ScoreSource, StoredAnalysis
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filtered_scores import FilteredScores
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.computed_comparison import ComputedComparison
from evalapp.analysis.stored.inputs import INPUTS, input_versions
from evalapp.analysis.stored.large_comparison import large_comparison
from evalapp.analysis.stored.serialisation import OutdatedError, Subjects, as_json, from_json
from evalapp.analysis.stored.stored_comparison import CriterionAgainstMetric, StoredComparison, StoredParts
from evalapp.analysis.stored.stored_results import (
    AnalysisRequest,
    refresh_analyses,
    start_analysis,
    subjects_of,
)
from evalapp.analysis.tasks import compute
from evalapp.campaigns.models import Campaign, CampaignReviewer, ItemOutput
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.work import Work
from evalapp.registry.prices import set_price
from evalapp.scoring.external import create_external_metric, delete_external_metric
from evalapp.scoring.services import save_rule_check
from tests.analysis.test_severity_page import said
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

COMPARISON = AnalysisRequest(AnalysisKind.COMPARISON)
ROWS = 8


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    monkeypatch.setattr(severity, "MOST_RATINGS", 10)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    """Its outputs are scored, and one of its two people has reviewed them all."""
    campaign = make_campaign(cast.project, [cast.reviewer, cast.other_reviewer], rows=ROWS)
    review_all(campaign, cast.other_reviewer, said(0))
    run_scoring(campaign)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


def computed(campaign: Campaign, wanted: AnalysisRequest = COMPARISON, by: User | None = None) -> Job:
    job = start_analysis(campaign=campaign, request=wanted, by=by)
    compute(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED, job.error
    return job


def url_of(campaign: Campaign, page: str = "") -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/{page}"


def same_parts(found: StoredParts, expected: Any) -> None:
    for name in set(StoredParts._fields) - {"against"}:
        assert getattr(found, name) == getattr(expected, name), name


@pytest.mark.parametrize("score_source", ScoreSource.values)
def test_what_is_stored_is_what_a_request_would_compute(
    campaign: Campaign, reviewer: User, manager: User, score_source: str
) -> None:
    review_all(campaign, reviewer, said(-1))
    first = ItemOutput.objects.filter(item__campaign=campaign).earliest("pk")
    scores = {"tone": AdjudicatedScore(1, "Rude.")}
    adjudicate(campaign=campaign, item_output=first, scores=scores, by=manager)
    request = AnalysisRequest(AnalysisKind.COMPARISON, score_source=score_source)
    computed(campaign, request)
    expected = ComputedComparison(
        FilteredScores(load_scores(campaign), None, None),
        reviewer_type="all", score_source=score_source, reader_id=reviewer.pk,
    )  # fmt: skip
    found = large_comparison(campaign, request, reader_id=reviewer.pk)
    assert found.comparison == expected.comparison and found.reviewers == expected.reviewers
    assert found.figures.decided == 1 and found.shows_adjudicated == expected.shows_adjudicated
    # Who is called "You" is decided by whoever reads it.
    for name in set(StoredComparison._fields) - {"reviewers"}:
        assert getattr(found.figures, name) == getattr(expected, name), name
    assert found.scales == expected.scales and list(found.candidates) == list(expected.candidates)
    # Each figure is of one choice alone, or of a criterion and a metric, and is worked out once.
    for row in expected.comparison.rows:
        same_parts(found.chosen(reference=row), expected.chosen(reference=row))
    for metric in expected.comparison.metrics:
        same_parts(found.chosen(metric=metric), expected.chosen(metric=metric))
    for criterion in expected.scales:
        same_parts(found.chosen(criterion=criterion), expected.chosen(criterion=criterion))
        for metric in expected.comparison.metrics:
            shown = found.chosen(criterion=criterion, metric=metric).against
            wanted = expected.chosen(criterion=criterion, metric=metric).against
            for name in CriterionAgainstMetric._fields:
                assert getattr(shown, name) == getattr(wanted, name), name
    every = {"reference": row, "criterion": criterion, "metric": metric}
    same_parts(found.chosen(**every), expected.chosen(**every))
    assert found.chosen(**every).against is not None


def test_before_anything_is_computed_the_page_counts_and_says_what_is_missing(
    campaign: Campaign, manager: User
) -> None:
    page = client_of(manager).get(url_of(campaign, "who-is-better/"))
    assert page.status_code == 200
    assert "are not computed yet" in page.text and "Not computed yet" in page.text
    summary = client_of(manager).get(url_of(campaign)).text
    assert "The answer appears here when the results are computed." in summary
    assert f"{2 * ROWS} of {4 * ROWS} reviews so far, by 1" in page.text
    found = large_comparison(campaign, COMPARISON, reader_id=manager.pk)
    assert [cell.counts for row in found.comparison.rows for cell in row.human] == [
        cell.counts for row in compare(load_scores(campaign)).rows for cell in row.human
    ]


def test_the_page_says_how_many_reviews_ago_and_computes_on_demand(
    campaign: Campaign, manager: User, reviewer: User
) -> None:
    browser = client_of(manager)
    answer = browser.post(url_of(campaign, "compute/"), {"kind": "comparison", "reviewer_type": "all"})
    assert (answer.status_code, answer["Location"]) == (302, url_of(campaign))
    waiting = browser.get(url_of(campaign)).text
    assert "waits for its turn" in waiting and "Compute results" not in waiting
    browser.post(url_of(campaign, "compute/"), {"kind": "comparison"})
    (job,) = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK)
    compute(job.pk)
    assert "no reviews since" in browser.get(url_of(campaign)).text

    review_all(campaign, reviewer, said(-1))
    page = browser.get(url_of(campaign)).text
    assert f"{2 * ROWS} reviews since" in page and "Recompute results" in page
    assert f"{4 * ROWS} of {4 * ROWS} reviews so far, by 2" in page


def test_what_else_has_changed_is_said_and_computed_anew(
    campaign: Campaign, manager: User, reviewer: User
) -> None:
    project, browser = campaign.project, client_of(manager)
    path = f"projects/{project.slug}/campaigns/{campaign.pk}/comparison/"

    def changed() -> list[str]:
        return list(program_of(manager).get(path).json()["freshness"]["inputs_changed"])

    review_all(campaign, reviewer, said(-1))
    computed(campaign)
    assert changed() == [] and "Changed since" not in browser.get(url_of(campaign)).text
    first = ItemOutput.objects.filter(item__campaign=campaign).earliest("pk")
    scores = {"tone": AdjudicatedScore(1, "Rude.")}
    adjudicate(campaign=campaign, item_output=first, scores=scores, by=manager)
    save_rule_check(project=project, name="Short", kind="length", params={"maximum": 50}, by=manager)
    assert changed() == ["adjudications", "rule_checks"]
    assert "Changed since: adjudications and rule checks." in browser.get(url_of(campaign)).text
    of_all = {"input_price": Decimal(1), "output_price": Decimal(2), "currency": "EUR"}
    set_price(project=project, model_version=None, by=manager, **of_all)
    run_scoring(campaign)
    metric = create_external_metric(project=project, name="Judge", better="higher", by=manager)
    assert changed() == ["adjudications", "metrics", "imported_scores", "rule_checks", "prices"]
    delete_external_metric(metric=metric, by=manager)
    CampaignReviewer.objects.filter(campaign=campaign, user=reviewer).update(closing_at=timezone.now())
    assert changed()[-1] == "closing_answers"
    StoredAnalysis.objects.update(computed_at=timezone.now() - timedelta(hours=1))
    refresh_analyses()
    (job,) = project.jobs.filter(task=stored_results.COMPUTE_TASK, state=JobState.QUEUED)
    compute(job.pk)
    assert changed() == []


def test_a_campaign_that_was_deleted_meanwhile_has_no_inputs(campaign: Campaign) -> None:
    assert set(input_versions(campaign)) == set(INPUTS)
    assert input_versions(Campaign(pk=2**62)) == {}


def test_severity_rests_on_reviews_alone(campaign: Campaign, manager: User) -> None:
    computed(campaign, AnalysisRequest(AnalysisKind.SEVERITY))
    save_rule_check(project=campaign.project, name="Short", kind="length", params={"maximum": 50}, by=manager)
    assert "Changed since" not in client_of(manager).get(url_of(campaign, "severity/")).text


def test_a_refused_request_says_which_field(campaign: Campaign, manager: User) -> None:
    answer = client_of(manager).post(
        url_of(campaign, "compute/"), {"kind": "magic"}, headers={"Accept": "application/json"}
    )
    assert answer.status_code == 400 and "kind" in answer.json()["error"]["fields"]
    assert client_of(manager).get(url_of(campaign, "compute/")).status_code == 405


def test_metric_and_criterion_are_chosen_on_the_stored_page(campaign: Campaign, manager: User) -> None:
    computed(campaign)
    page = (
        client_of(manager)
        .get(url_of(campaign, "can-i-trust-it/"), {"criterion": "clarity", "metric": "words"})
        .text
    )
    assert "Reviewer scores against Words" in page and "human-against-metric" in page


def test_few_points_of_many_outputs_are_drawn_and_said(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.analysis.stored.computed_comparison.POINTS_DRAWN", 5)
    monkeypatch.setattr("evalapp.analysis.views.results.POINTS_DRAWN", 5)
    computed(campaign)
    page = client_of(manager).get(url_of(campaign, "can-i-trust-it/")).text
    assert f"The chart shows a random 5 of {2 * ROWS} outputs" in page


def test_more_reviewers_and_reviews_take_no_more_queries(
    campaign: Campaign, manager: User, reviewer: User
) -> None:
    computed(campaign)
    browser = client_of(manager)
    browser.get(url_of(campaign))
    found = []
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(campaign))
        found.append(len(queries))
        review_all(campaign, reviewer, said(-1))
        computed(campaign)
    assert found[1] <= found[0] <= 24


def test_a_table_and_programs_get_the_same_figures(campaign: Campaign, manager: User) -> None:
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/"
    program = program_of(manager)
    nothing = program.get(path + "comparison/").json()
    assert nothing["freshness"]["computed_at"] is None
    assert nothing["candidates"][0]["human"][0]["mean"]["reason"] == "not computed yet"
    answer = program.post(path + "analysis/computations/", {"kind": "comparison"})
    assert answer.status_code == 202 and answer.json()["is_over"] is False
    compute(answer.json()["id"])
    told = program.get(path + "comparison/").json()
    expected = compare(load_scores(campaign))
    assert told["freshness"]["reviews_since"] == 0
    assert [each["mean"]["value"] for each in told["candidates"][0]["human"]] == [
        cell.mean.value for cell in expected.rows[0].human
    ]
    assert told["design"]["reviews"] == expected.design.reviews
    assert len(program.get(path + "differences/").json()["results"]) == 6
    assert len(program.get(path + "agreement/").json()["agreement"]) == 5
    table = client_of(manager).get(url_of(campaign, "table.csv")).text
    assert f"{expected.rows[0].human[0].mean.value:.6g}"[:6] in table


def test_adjudicated_values_are_computed_when_they_are_asked_for(campaign: Campaign, manager: User) -> None:
    computed(campaign)
    page = client_of(manager).get(url_of(campaign), {"score_source": "adjudicated"}).text
    assert "are not computed yet" in page
    computed(campaign, AnalysisRequest(AnalysisKind.COMPARISON, "all", "adjudicated"))
    assert StoredAnalysis.objects.filter(part="").count() == 2
    assert (
        "no reviews since" in client_of(manager).get(url_of(campaign), {"score_source": "adjudicated"}).text
    )


def test_severity_is_fitted_by_a_job_and_shown_under_pseudonyms(
    campaign: Campaign, manager: User, reviewer: User, other_reviewer: User
) -> None:
    review_all(campaign, reviewer, said(-1))
    browser = client_of(manager)
    page = browser.get(url_of(campaign, "severity/")).text
    assert f"has not been fitted to the {16 * ROWS} scores" in page and "Compute results" in page
    job = computed(campaign, AnalysisRequest(AnalysisKind.SEVERITY), by=manager)
    assert job.progress_total and job.stage == "Fitting the model"
    page = browser.get(url_of(campaign, "severity/")).text
    assert "Reviewer 1" in page and "Reviewer 2" in page and str(other_reviewer) not in page
    assert "standard error" in page and "no reviews since" in page
    assert client_of(reviewer).get(url_of(campaign, "severity/")).status_code == 403
    Project.objects.filter(pk=campaign.project_id).update(shows_reviewer_names=True)
    assert str(other_reviewer) in browser.get(url_of(campaign, "severity/")).text

    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/severity/"
    told = program_of(manager).get(path).json()
    assert told["freshness"]["reviews_since"] == 0 and len(told["reviewers"]) == 2
    assert set(told["reviewers"][0]["by_criterion"]) == {"accuracy", "clarity", "tone", "personalization"}


def test_severity_stops_when_it_is_cancelled(
    campaign: Campaign, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    review_all(campaign, reviewer, said(-1))
    wanted = AnalysisRequest(AnalysisKind.SEVERITY)
    job = start_analysis(campaign=campaign, request=wanted, by=None)
    rounds = []

    def progress(self: Work, done: int, total: int | None = None, stage: str | None = None) -> None:
        rounds.append(done)
        if len(rounds) == 3:
            self._keeper.cancelled.set()
        self.raise_if_cancelled()

    monkeypatch.setattr(Work, "progress", progress)
    compute(job.pk)
    job.refresh_from_db()
    assert (job.state, len(rounds)) == (JobState.CANCELLED, 3)
    assert not StoredAnalysis.objects.exists()


def test_too_many_scores_for_the_model_say_so(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(severity, "MOST_FITTED", 50)
    computed(campaign, AnalysisRequest(AnalysisKind.SEVERITY))
    page = client_of(manager).get(url_of(campaign, "severity/")).text
    assert f"has {8 * ROWS} scores; the model is fitted to at most 50" in page


def test_the_clock_computes_the_first_time_and_when_enough_has_changed(
    campaign: Campaign, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK)
    refresh_analyses()
    refresh_analyses()
    assert jobs.count() == 1
    compute(jobs.get().pk)
    refresh_analyses()
    assert jobs.count() == 1

    monkeypatch.setattr(stored_results, "LEAST_CHANGES", 5)
    review_all(campaign, reviewer, said(-1))
    refresh_analyses()
    assert jobs.count() == 1, "not again within minutes"
    StoredAnalysis.objects.update(computed_at=timezone.now() - timedelta(hours=1))
    refresh_analyses()
    assert jobs.count() == 2


def test_after_a_change_of_population_the_clock_computes_once_whatever_the_other_one_has(
    campaign: Campaign, manager: User, reviewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK).order_by("pk")
    computed(campaign)
    campaign.project.population = "reviewers"
    campaign.project.save()
    assert "are not computed yet" in client_of(manager).get(url_of(campaign)).text
    monkeypatch.setattr(stored_results, "LEAST_CHANGES", 5)
    review_all(campaign, reviewer, said(-1))
    StoredAnalysis.objects.update(computed_at=timezone.now() - timedelta(hours=1))
    refresh_analyses()
    assert jobs.count() == 2
    compute(jobs.last().pk)
    refresh_analyses()
    assert jobs.count() == 2, "what is stored of the other population waits"
    assert "no reviews since" in client_of(manager).get(url_of(campaign)).text


def test_a_failed_computation_is_not_repeated_by_the_clock(campaign: Campaign) -> None:
    job = start_analysis(campaign=campaign, request=COMPARISON, by=None)
    Job.objects.filter(pk=job.pk).update(state=JobState.FAILED, error="Broken", finished_at=timezone.now())
    refresh_analyses()
    assert campaign.project.jobs.filter(task=stored_results.COMPUTE_TASK).count() == 1


def test_figures_of_another_release_or_of_what_is_gone_count_as_not_computed(
    campaign: Campaign, manager: User
) -> None:
    computed(campaign)
    subjects = subjects_of(campaign)
    (candidate, *_) = subjects.candidates.values()
    with pytest.raises(OutdatedError, match="no candidate"):
        from_json(as_json([candidate]), Subjects({}, {}, {}))
    StoredAnalysis.objects.update(format=1)
    assert "are not computed yet" in client_of(manager).get(url_of(campaign)).text


@pytest.mark.parametrize(
    "value", [None, 1.5, "x", [1, [2]], {1: {"a": 2.0}}, {3, 4}, (1, "b"), {("a", 1): [True]}]
)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert from_json(as_json(value), Subjects({}, {}, {})) == value


def test_what_is_no_figure_is_not_stored_unseen() -> None:
    with pytest.raises(TypeError, match="a object cannot be stored"):
        as_json([object()])


def test_a_small_campaign_is_computed_at_the_request_as_ever(
    empty_project: Project, reviewer: User, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10_000)
    small = make_campaign(empty_project, [reviewer], rows=2, name="Small")
    review_all(small, reviewer, {"formal": answers(tone=2)})
    page = client_of(manager).get(url_of(small)).text
    assert "as of" not in page and "not computed" not in page
