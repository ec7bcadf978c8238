"""What metrics are worth, on their page and in the API: words on each, and prediction-powered means."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.metrics.prediction_powered import PredictionPoweredMean, prediction_powered_means
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.stored.stored_results import AnalysisRequest
from evalapp.campaigns.models import Campaign, CampaignCandidate
from evalapp.measure import Measure
from evalapp.metrics.registry import METRICS
from evalapp.rubrics.models import Criterion
from evalapp.runs.models import Output
from evalapp.scoring.models import MetricResult
from evalapp.stats.prediction_powered import PredictionPowered, in_words
from tests.analysis.test_large import computed
from tests.api.conftest import program_of
from tests.cast import client_of, make_project
from tests.factories import answers, make_campaign, review_all
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

ROUGE = METRICS["rougeL"]
ROWS, REVIEWED = 40, 12
LABELS = ("formal", "plain")


def said(by: int = 0) -> dict[tuple[str, int], object]:
    """People's tone goes up and down with what `scored` makes the metric, their clarity does not vary."""
    return {
        (label, row): answers(tone=min(5, 1 + (row % 7) // 2 + by * (row % 2)), accuracy=2 + row % 3)
        for label in LABELS
        for row in range(1, ROWS + 1)
    }


def metric_of(row: int) -> float:
    return 0.1 + 0.1 * (row % 7)


def scored(campaign: Campaign) -> None:
    """ROUGE-L of every output of the campaign's run, those on examples outside the campaign too."""
    run = campaign.items.first().outputs.first().output.run
    MetricResult.objects.bulk_create(
        MetricResult(
            output=output,
            metric=ROUGE.name,
            signature="test",
            value=metric_of(output.example.row_number),
        )
        for output in Output.objects.filter(run=run).select_related("example")
    )


def scored_campaign(project: Project, cast: Cast) -> Campaign:
    people = [cast.reviewer, cast.other_reviewer]
    found = make_campaign(project, people, rows=ROWS, item_choice="random", examples_wanted=REVIEWED, seed=7)
    scored(found)
    return found


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    return scored_campaign(cast.project, cast)


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture(scope="module")
def made_and_reviewed(cast: Cast) -> Campaign:
    """The same in another project, reviewed by both."""
    people = {"reviewer": cast.reviewer, "reviewer2": cast.other_reviewer}
    project = make_project("Reviewed", owner=cast.owner, manager=cast.manager, **people)
    found = scored_campaign(project, cast)
    review_all(found, cast.reviewer, said())
    review_all(found, cast.other_reviewer, said(1))
    return found


@pytest.fixture
def reviewed(made_and_reviewed: Campaign) -> Campaign:
    return again(made_and_reviewed)


def url_of(campaign: Campaign) -> str:
    return f"/projects/{campaign.project.slug}/results/{campaign.pk}/metrics/"


def api_of(campaign: Campaign, part: str) -> str:
    return f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/{part}/"


def of_tone(means: list[PredictionPoweredMean]) -> PredictionPoweredMean:
    return next(each for each in means if each.criterion.key == "tone")


def test_outputs_outside_the_campaign_tighten_the_mean_of_those_inside(reviewed: Campaign) -> None:
    means = prediction_powered_means(load_scores(reviewed), ROUGE)
    assert len(means) == 2 * 4
    tone = of_tone(means)
    assert (tone.found.reviewed, tone.found.unreviewed) == (REVIEWED, ROWS - REVIEWED)
    assert tone.found.mean.defined and tone.found.classical.defined
    assert tone.found.correlation.value > 0.8
    assert "more reviewed items" in tone.sentence and tone.worth > 0.5
    # The metric says by how much the reviewed rows differ from the others, whose reviews are not there.
    inside = set(reviewed.items.values_list("example__row_number", flat=True))
    others = [metric_of(row) for row in range(1, ROWS + 1) if row not in inside]
    apart = sum(others) / len(others) - sum(map(metric_of, inside)) / len(inside)
    moved = tone.found.mean.value - tone.found.classical.value
    assert moved == pytest.approx(tone.found.weight.value * apart)


def test_an_example_answered_twice_counts_once(reviewed: Campaign) -> None:
    outside = (
        Output.objects.filter(example__split=reviewed.split)
        .exclude(example__in=reviewed.items.values("example"))
        .first()
    )
    again = Output.objects.create(
        run=outside.run, example=outside.example, candidate=outside.candidate, sample_index=1, text="Again."
    )
    MetricResult.objects.create(output=again, metric=ROUGE.name, signature="test", value=0.9)
    tone = of_tone(prediction_powered_means(load_scores(reviewed), ROUGE))
    assert tone.found.unreviewed == ROWS - REVIEWED


def test_the_page_says_words_and_both_means(reviewed: Campaign, manager: User) -> None:
    page = client_of(manager).get(url_of(reviewed))
    assert page.status_code == 200
    for each in metric_trust(load_scores(reviewed)):
        assert each.sentence in page.text
    assert "ROUGE-L follows people on Tone" in page.text or "ROUGE-L is a hint about Tone" in page.text
    assert "It assumes that the reviewed items are a random sample" in page.text
    assert "Reviews only" in page.text and "With ROUGE-L" in page.text
    assert "/tables/prediction_powered.csv" in page.text
    comparison = client_of(manager).get(
        f"/projects/{reviewed.project.slug}/results/{reviewed.pk}/can-i-trust-it/"
    )
    assert url_of(reviewed) in comparison.text


def test_without_reviews_or_metrics_the_page_says_so(
    project: Project, campaign: Campaign, manager: User, reviewer: User
) -> None:
    assert "No scale scores yet." in client_of(manager).get(url_of(campaign)).text
    bare = make_campaign(project, [reviewer], rows=2, name="Bare", texts={"one": "Yes.", "two": "No."})
    review_all(bare, reviewer, {})
    assert "No metric has been computed" in client_of(manager).get(url_of(bare)).text


def test_few_reviews_say_why_nothing_is_tightened(campaign: Campaign, manager: User, reviewer: User) -> None:
    review_all(campaign, reviewer, said())
    page = client_of(manager).get(url_of(campaign), {"metric": "no such"})
    assert page.status_code == 200
    assert "no variation in the human scores" in page.text


def test_one_reason_for_all_means_is_said_once(campaign: Campaign, manager: User, reviewer: User) -> None:
    run = campaign.items.first().outputs.first().output.run
    run.outputs.exclude(item_outputs__item__campaign=campaign).delete()
    review_all(campaign, reviewer, said())
    page = client_of(manager).get(url_of(campaign)).text
    assert page.count("every item with the metric has been reviewed") == 1
    assert "ROUGE-L adds nothing to these means" in page and "With ROUGE-L" not in page


@pytest.mark.parametrize(
    ("half_width", "gain", "said"),
    [(1.0, 1.86, True), (0.8, 1.86, True), (0.7, 1.86, False), (1.0, 1.0, False)],
)
def test_an_interval_that_few_reviewers_keep_wide_says_so(half_width: float, gain: float, said: bool) -> None:
    def measured(value: float, half: float | None = None) -> Measure:
        ends = (None, None) if half is None else (value - half, value + half)
        return Measure(value=value, n=12, low=ends[0], high=ends[1], signature="test")

    found = PredictionPowered(
        mean=measured(3.0, half_width),
        classical=measured(3.1, 0.8),
        weight=measured(2.0),
        correlation=measured(0.9),
        gain=measured(gain),
        most=measured(5.0),
        reviewed=40,
        unreviewed=28,
    )
    mean = PredictionPoweredMean(CampaignCandidate(), Criterion(), found, "")
    assert bool(mean.caution) is said
    # Wherever the gain is told, what keeps it out of the interval is told, too.
    assert in_words(found).endswith("which a metric cannot reduce.") is said


def test_many_outputs_are_compared_with_every_metric_by_a_job(
    reviewed: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.analysis.metrics.metric_trust.MOST_OUTPUTS", 10)
    browser = client_of(manager)
    before = browser.get(url_of(reviewed)).text
    assert "Not computed yet for so many outputs" in before and "Reviews only" in before
    refused = program_of(manager).get(api_of(reviewed, "metric-trust"))
    assert refused.status_code == 400 and "kind “metrics”" in refused.text
    computed(reviewed, AnalysisRequest(AnalysisKind.METRICS))
    after = browser.get(url_of(reviewed)).text
    scores = load_scores(reviewed)
    for each in metric_trust(scores):
        assert each.sentence in after
    assert "no reviews since" in after
    # Prediction-powered means of one metric are of now: the campaign is not so large.
    assert "Reviews only" in after
    told = program_of(manager).get(api_of(reviewed, "metric-trust")).json()["results"]
    assert [row["sentence"] for row in told] == [each.sentence for each in metric_trust(scores)]


def test_the_api_gives_the_same_numbers(reviewed: Campaign, manager: User) -> None:
    scores = load_scores(reviewed)
    trust = program_of(manager).get(api_of(reviewed, "metric-trust")).json()["results"]
    assert [(row["criterion"], row["sentence"]) for row in trust] == [
        (each.criterion.key, each.sentence) for each in metric_trust(scores)
    ]
    tone = next(row for row in trust if row["criterion"] == "tone")
    assert "seed" in tone["metrics"][0]["correlation"]["signature"]
    assert tone["metrics"][0]["against_best"] is None
    means = program_of(manager).get(api_of(reviewed, "prediction-powered")).json()["results"]
    expected = prediction_powered_means(scores, ROUGE)
    assert [(row["candidate"], row["criterion"], row["mean"]["value"]) for row in means] == [
        (each.candidate.pk, each.criterion.key, each.found.mean.value) for each in expected
    ]
    refused = program_of(manager).get(f"{api_of(reviewed, 'prediction-powered')}?metric=charm")
    assert refused.status_code == 400 and "charm" in refused.text


def test_a_metric_beside_the_best_is_tested_against_it(reviewed: Campaign, manager: User) -> None:
    run = reviewed.items.first().outputs.first().output.run
    MetricResult.objects.bulk_create(
        MetricResult(output=output, metric="bleu", signature="test", value=output.example.row_number * 5 % 11)
        for output in Output.objects.filter(run=run).select_related("example")
    )
    trust = program_of(manager).get(api_of(reviewed, "metric-trust")).json()["results"]
    tone = next(row for row in trust if row["criterion"] == "tone")
    assert "trust ROUGE-L (the best of 2 looked at): it follows people. It does so better" in tone["sentence"]
    best, other = tone["metrics"]
    assert (best["metric"], best["against_best"]) == ("rougeL", None)
    assert 0 < other["against_best"]["outputs"] < 0.05
    # Two candidates are too few for a test of their means.
    assert other["against_best"]["candidates"] is None
    assert tone["sentence"] in client_of(manager).get(url_of(reviewed)).text


def test_more_reviewers_take_no_more_queries(
    campaign: Campaign, manager: User, reviewer: User, other_reviewer: User
) -> None:
    counts = []
    browser = client_of(manager)
    browser.get(url_of(campaign))
    for person in (reviewer, other_reviewer):
        review_all(campaign, person, said())
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(campaign))
        counts.append(len(queries))
    assert counts[1] <= counts[0]
