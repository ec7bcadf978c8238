"""Agreement, metrics and tables of large campaigns: a job stores what a request would have said, and says
from when.
"""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.agreement import severity
from evalapp.analysis.agreement.reviewer_agreement import ComputedPanel
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.metrics.prediction_powered import prediction_powered_means
from evalapp.analysis.models import AnalysisKind, StoredAnalysis
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored import stored_results
from evalapp.analysis.stored.agreement_result import agreement_result
from evalapp.analysis.stored.stored_results import AnalysisRequest, stored_freshness
from evalapp.analysis.tables.named_tables import TABLES
from evalapp.campaigns.models import Campaign
from evalapp.jobs.models import JobState
from evalapp.metrics.registry import METRICS
from evalapp.reviews.models import Review
from tests.analysis.test_large import computed, url_of
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.factories import answers, make_campaign, review_all, run_scoring
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

AGREEMENT, OF_METRICS = AnalysisRequest(AnalysisKind.AGREEMENT), AnalysisRequest(AnalysisKind.METRICS)
ROWS = 12
ALL_KINDS = [AnalysisRequest(kind) for kind in AnalysisKind]


@pytest.fixture
def panel_of_three(reviewer: User, other_reviewer: User, engineer: User) -> list[User]:
    return [reviewer, other_reviewer, engineer]


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    panel_of_three = [cast.reviewer, cast.other_reviewer, cast.engineer]
    campaign = make_campaign(cast.project, panel_of_three, rows=ROWS)
    for turn, person in enumerate(panel_of_three):
        said: dict[tuple[str, int], Any] = {}
        for row in range(1, ROWS + 1):
            level = 1 + (row + turn * (row % 3 == 0)) % 5
            said["formal", row] = answers(tone=level, accuracy=1 + row % 4, error=row % 2)
            said["plain", row] = answers(tone=6 - level, accuracy=1 + (row + turn) % 4, error=0)
        review_all(campaign, person, said)
    # Half of them, so that the first shares less with the third than with the second.
    last = Review.objects.filter(campaign=campaign, reviewer=panel_of_three[2])
    last.filter(item_output__item__example__row_number__gt=ROWS // 2).delete()
    run_scoring(campaign)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def large(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Campaign:
    """The same campaign, where a request computes next to nothing."""
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    monkeypatch.setattr(severity, "MOST_RATINGS", 10)
    monkeypatch.setattr("evalapp.analysis.metrics.metric_trust.MOST_OUTPUTS", 5)
    return campaign


def test_the_stored_panel_is_the_one_that_a_request_would_work_out(large: Campaign, manager: User) -> None:
    computed(large, AGREEMENT)
    found = agreement_result(read_filter(large, {}), reviewer_type="all", reader_id=None).panel  # type: ignore[arg-type]
    assert found is not None
    scores = load_scores(large)
    now = ComputedPanel(scores, scores.names)
    assert found.criteria == now.criteria
    for criterion in now.criteria:
        assert found.overall(criterion) == now.overall(criterion)
        assert found.reviewers(criterion) == now.reviewers(criterion)
        assert found.clarify(criterion) == now.clarify(criterion)
        assert found.pairs(criterion) == now.pairs(criterion)
        for pair in now.pairs(criterion):
            for each in (pair, pair[::-1]):
                stored, worked_out = found.pair(criterion, each), now.pair(criterion, each)
                assert stored.confusion == worked_out.confusion
                assert stored[:4] == worked_out[:4]
                assert stored.measures.alpha == worked_out.measures.alpha
        assert found.matrix(criterion, "kappa") == now.matrix(criterion, "kappa")


def test_the_page_of_agreement_is_asked_for_computed_and_says_from_when(
    large: Campaign, manager: User, panel_of_three: list[User]
) -> None:
    browser = client_of(manager)
    page = url_of(large, "agreement/")
    before = browser.get(page)
    assert before.status_code == 200
    assert "Agreement measures are not computed yet" in before.text and "Compute results" in before.text
    answer = browser.post(url_of(large, "compute/"), {"kind": "agreement", "reviewer_type": "all"})
    assert (answer.status_code, answer["Location"]) == (302, page)
    assert "waits for its turn" in browser.get(page).text
    job = computed(large, AGREEMENT)
    assert job.title == f"Agreement in {large.name}"
    assert job.progress_done == job.progress_total - 1 and "pairs of reviewers" in job.stage
    after = browser.get(page, {"criterion": "tone", "measure": "kappa", "first": "3", "second": "1"}).text
    assert "no reviews since" in after and "Recompute results" not in after
    assert "Reviewer 3 and Reviewer 1" in after and "Kappa is highest between" in after
    assert str(panel_of_three[1]) not in after
    Review.objects.filter(campaign=large).latest("pk").delete()
    changed = browser.get(page).text
    assert "1 change of reviews since" in changed and "Recompute results" in changed
    Project.objects.filter(pk=large.project_id).update(shows_reviewer_names=True)
    assert str(panel_of_three[1]) in browser.get(page).text


def test_agreement_stops_when_it_is_cancelled_and_stores_nothing(
    large: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalapp.analysis.tasks import compute
    from evalapp.jobs.work import Work

    job = stored_results.start_analysis(campaign=large, request=AGREEMENT, by=None)
    heard = []

    def progress(self: Work, done: int, total: int | None = None, stage: str | None = None) -> None:
        heard.append(done)
        if len(heard) == 4:
            self._keeper.cancelled.set()
        self.raise_if_cancelled()

    monkeypatch.setattr(Work, "progress", progress)
    compute(job.pk)
    job.refresh_from_db()
    assert (job.state, len(heard)) == (JobState.CANCELLED, 4)
    assert not StoredAnalysis.objects.exists()


def test_programs_read_the_stored_agreement_and_learn_where_to_ask(large: Campaign, manager: User) -> None:
    program = program_of(manager)
    base = f"projects/{large.project.slug}/campaigns/{large.pk}/analysis/"
    lists = ("", "reviewers/", "pairs/", "levels/", "confusion/?first=1&second=2")
    for part in lists:
        assert "kind “agreement”" in problem_in(program.get(f"{base}agreement/{part}"), 400)["message"]
    assert program.get(base + "computations/").json()["results"] == []
    assert program.post(base + "computations/", {"kind": "agreement"}).status_code == 202
    (waiting,) = program.get(base + "computations/").json()["results"]
    assert (waiting["kind"], waiting["computed_at"], waiting["is_being_computed"]) == (
        "agreement",
        None,
        True,
    )
    computed(large, AGREEMENT)
    (freshness,) = program.get(base + "computations/").json()["results"]
    assert (freshness["reviews_since"], freshness["is_being_computed"]) == (0, False)
    scores = load_scores(large)
    now = ComputedPanel(scores, scores.names)
    tone = next(each for each in now.criteria if each.key == "tone")
    rows = {row["criterion"]: row for row in program.get(base + "agreement/").json()["results"]}
    assert rows["tone"]["measures"]["icc_2_1"]["value"] == now.overall(tone).measures.icc_2_1.value
    pairs = program.get(base + "agreement/pairs/?criterion=tone&limit=2").json()
    assert [(row["first"], row["second"]) for row in pairs["results"]] == [(1, 2), (1, 3)]
    table = program.get(base + "agreement/confusion/?criterion=tone&first=2&second=1").json()
    expected = now.pair(tone, now.pairs(tone)[0][::-1]).confusion
    assert expected is not None
    assert [tuple(row) for row in table["counts"]] == list(expected.counts)


def test_metrics_beside_people_are_stored_and_shown(large: Campaign, manager: User) -> None:
    browser, page = client_of(manager), url_of(large, "metrics/")
    assert "The metrics have not been compared with reviewer scores yet" in browser.get(page).text
    base = f"projects/{large.project.slug}/campaigns/{large.pk}/analysis/"
    program = program_of(manager)
    for part in ("metric-trust/", "prediction-powered/"):
        assert "kind “metrics”" in problem_in(program.get(base + part), 400)["message"]
    computed(large, OF_METRICS)
    scores = load_scores(large)
    text = browser.get(page).text
    for each in metric_trust(scores):
        assert each.sentence in text
    assert "Metrics against people are as of" in text
    means = program.get(base + "prediction-powered/?metric=words").json()["results"]
    assert [row["classical"]["value"] for row in means] == [
        each.found.classical.value for each in prediction_powered_means(scores, METRICS["words"])
    ]
    assert "charm" in problem_in(program.get(base + "prediction-powered/?metric=charm"), 400)["message"]


def test_every_table_is_copied_from_what_is_stored(
    campaign: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = client_of(manager)
    absent = ("marks", "rules", "pairs", "strengths", "subgroups", "counterfactuals")
    names = [name for name in TABLES if name not in absent]
    before = {name: browser.get(url_of(campaign, f"tables/{name}.csv")).text for name in names}
    large: Campaign = campaign
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", 10)
    monkeypatch.setattr(severity, "MOST_RATINGS", 10)
    monkeypatch.setattr("evalapp.analysis.metrics.metric_trust.MOST_OUTPUTS", 5)
    missing = browser.get(url_of(large, "tables/matrix.csv"))
    assert missing.status_code == 404 and "has not been computed yet" in missing.text
    for wanted in ALL_KINDS:
        computed(large, wanted)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("every score was read at the request")

    for place in (
        "scores.filtered_scores.load_scores",
        "stored.comparison_result.load_filtered",
        "stored.agreement_result.load_filtered",
        "stored.metrics_result.load_filtered",
        "stored.severity_result.load_filtered",
    ):
        monkeypatch.setattr(f"evalapp.analysis.{place}", never)
    for name in names:
        answer = browser.get(url_of(large, f"tables/{name}.csv"))
        assert (answer.status_code, answer.text) == (200, before[name]), name
    assert "As of " in browser.get(url_of(large, "tables/people.md")).text


def test_more_reviewers_take_no_more_queries(large: Campaign, manager: User) -> None:
    computed(large, AGREEMENT)
    browser, page = client_of(manager), url_of(large, "agreement/")
    browser.get(page)
    with CaptureQueriesContext(connection) as queries:
        browser.get(page)
    assert len(queries) <= 25
    assert [each.request for each in stored_freshness(large)] == [AGREEMENT]
