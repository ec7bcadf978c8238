"""The charts of a campaign: their marks are its candidates, reviewers and outputs, their
words its figures.
"""

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from evalapp.accounts.models import Project, User
from evalapp.analysis.charts import (
    agreement_chart,
    differences_charts,
    human_against_metric,
    labels_of,
    means_charts,
    ratings_chart,
)
from evalapp.analysis.comparison.candidates import Comparison, compare
from evalapp.analysis.comparison.differences import PairComparison
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.charts.chart import Chart
from evalapp.charts.drawing import as_svg
from evalapp.charts.theme import colour
from evalapp.metrics.registry import COMPARED_METRICS
from tests.charts.test_charts import fills, words_of
from tests.factories import answers, make_campaign, review_all, run_scoring

pytestmark = pytest.mark.django_db

ROWS = 8


@pytest.fixture
def scores(project: Project, reviewer: User, other_reviewer: User) -> CampaignScores:
    """Personalization never varies; on tone both reviewers prefer "plain"."""
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=ROWS)
    run_scoring(campaign)
    for person, shift in ((reviewer, 0), (other_reviewer, 1)):
        said = {
            ("formal", n): answers(tone=1 + n % 2, clarity=1 + (n + shift) % 5) for n in range(1, ROWS + 1)
        }
        said |= {("plain", n): answers(tone=4 + (n % 3 == 0), clarity=1 + n % 5) for n in range(1, ROWS + 1)}
        review_all(campaign, person, said)
    return load_scores(campaign)


@pytest.fixture
def comparison(scores: CampaignScores) -> Comparison:
    return compare(scores)


def drawn(chart: Chart | None) -> ET.Element:
    assert chart is not None
    return ET.fromstring(as_svg(chart))


def criterion(scores: CampaignScores, key: str):
    return next(each for each in scores.scales if each.key == key)


def test_every_scale_has_a_bar_for_each_candidate(comparison: Comparison) -> None:
    chart = ratings_chart(comparison)
    labels = words_of(drawn(chart))
    assert [each for each in labels if each in ("Accuracy", "Clarity", "formal", "plain")] == [
        *("Accuracy", "formal", "plain"),
        *("Clarity", "formal", "plain"),
        *("formal", "plain") * 2,
    ]
    assert chart is not None
    assert ["Tone", "formal", 2 * ROWS, "1: 8, 2: 8, 3: 0, 4: 0, 5: 0"] in chart.rows
    assert (
        "Tone: plain is above the middle level most often (100% of 16), formal least often (0% of 16)"
        in chart.says
    )


def test_means_and_differences_stand_on_one_axis_each(scores: CampaignScores, comparison: Comparison) -> None:
    (means,) = means_charts(comparison)
    assert len(fills(drawn(means.chart), "symbol")) == 8
    formal = comparison.rows[0]
    every = PairComparison(scores, comparison).with_reference(formal)
    panel, shares = differences_charts(every, formal, comparison.rows)
    assert len(fills(drawn(shares.chart), "symbol")) == 1
    chart, pairs = panel.chart, [pair for pair in every if not pair.is_share]
    assert re.match(r"On Tone plain is higher than formal by 2\.[78]\d* \(", chart.says)
    colours = fills(drawn(chart), "symbol")
    by_criterion = dict(zip([pair.criterion.key for pair in pairs], colours, strict=True))
    significant = {pair.criterion.key: pair.is_significant for pair in pairs}
    assert significant["tone"] and not significant["clarity"]
    assert by_criterion["tone"] == colour("candidate-2")
    assert by_criterion["clarity"] == colour("surface")


def test_two_reviewers_have_a_cell_on_either_side_of_the_diagonal(scores: CampaignScores) -> None:
    chart = agreement_chart(scores, criterion(scores, "tone"))
    assert chart is not None
    assert len(fills(drawn(chart), "rect")) == 2
    assert chart.says == "Weighted kappa on Tone of Reviewer 1 and Reviewer 2 is 1.00."
    # Where nothing varies kappa is undefined, and an empty square would say nothing.
    assert agreement_chart(scores, criterion(scores, "personalization")) is None


def test_every_output_has_a_point_that_opens_its_case_in_a_page_alone(scores: CampaignScores) -> None:
    chart = human_against_metric(scores, criterion(scores, "tone"), COMPARED_METRICS["rougeL"])
    points = fills(drawn(chart), "symbol")
    assert len(points) == 2 * ROWS == len(chart.rows)
    assert set(points) == {colour("candidate-1"), colour("candidate-2")}
    assert "/cases/" in str(chart.spec) and "/cases/" not in as_svg(chart)
    # Each of the formal answers is the reference itself.
    assert chart.says.startswith(
        "Of 16 outputs, people give the quarter with the highest ROUGE-L 1.50 on Tone on average, and the"
        " quarter with the lowest 4."
    )


def test_candidates_without_colours_of_their_own_have_no_legend(
    scores: CampaignScores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.analysis.charts.CANDIDATES", ["var(--candidate-1)"])
    chart = human_against_metric(scores, criterion(scores, "tone"), COMPARED_METRICS["rougeL"])
    assert set(fills(drawn(chart), "symbol")) == {colour("candidate-1")}
    assert not {"formal", "plain"} & set(words_of(drawn(chart)))
    assert chart.says.endswith(" All 2 candidates have the same colour.")


def test_a_metric_of_one_value_is_told_and_not_drawn(scores: CampaignScores) -> None:
    metric = COMPARED_METRICS["rougeL"]
    outputs = [each._replace(metrics={metric.name: 0.5}) for each in scores.outputs]
    chart = human_against_metric(replace(scores, outputs=outputs), criterion(scores, "tone"), metric)
    assert chart.rows == []
    assert chart.says == "All 16 outputs have the same ROUGE-L, so it separates none of them."


def test_without_a_rating_there_is_nothing_to_draw(project: Project, reviewer: User) -> None:
    scores = load_scores(make_campaign(project, [reviewer], rows=2))
    comparison = compare(scores)
    assert ratings_chart(comparison) is None
    assert means_charts(comparison) == []
    assert agreement_chart(scores, scores.scales[0]) is None
    pairs = PairComparison(scores, comparison).with_reference(comparison.rows[0])
    assert differences_charts(pairs, comparison.rows[0], comparison.rows) == []
    assert human_against_metric(scores, scores.scales[0], COMPARED_METRICS["rougeL"]).says.startswith(
        "No output has both"
    )


def test_two_models_of_one_label_are_told_apart(scores: CampaignScores) -> None:
    for candidate in scores.candidates:
        candidate.model_version.label = "v1"
    assert list(labels_of(scores.candidates).values()) == ["v1 (1)", "v1 (2)"]
