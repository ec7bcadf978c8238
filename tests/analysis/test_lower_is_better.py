"""Scales where lower is better, and scales of unlike range: what is said of them and how they are drawn."""

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

import pytest
from django.db import IntegrityError, transaction
from django.http import QueryDict
from django.utils.html import strip_tags

from evalapp.accounts.models import Project, User
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.cases.cases import filter_from
from evalapp.analysis.charts import differences_charts, human_against_metric, means_charts, ratings_chart
from evalapp.analysis.comparison.candidates import Comparison, compare
from evalapp.analysis.comparison.differences import ComparedPair, PairComparison
from evalapp.analysis.metrics.disagreements import find_disagreements
from evalapp.analysis.metrics.metric_trust import metric_trust
from evalapp.analysis.scores.campaign_scores import CampaignScores, load_scores
from evalapp.analysis.scores.filters import read_filter
from evalapp.campaigns.models import Campaign
from evalapp.charts.drawing import as_svg
from evalapp.charts.theme import colour
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.measuring import why_unusable
from evalapp.metrics.registry import METRICS
from evalapp.reviews.answers import ReviewAnswers
from evalapp.rubrics.drafts import CriterionDraft, RubricDraft
from evalapp.rubrics.forms import read_form
from evalapp.rubrics.interchange import read_yaml, write_yaml
from evalapp.rubrics.models import Criterion
from evalapp.rubrics.problems import draft_problems
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.scoring.models import MetricResult
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.charts.test_charts import fills
from tests.factories import make_campaign, review_all
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

ROWS = 12
WORDS = METRICS["rougeL"]
PLACE = CriterionDraft(
    name="Place", key="place", maximum=3, weight=Decimal(0), low_threshold=None, lower_is_better=True
)


def said(label: str, row: int) -> ReviewAnswers:
    """ "plain" is better on everything: half of each scale's range and more."""
    is_plain = label == "plain"
    return ReviewAnswers(
        {
            "tone": 4 + row % 2 if is_plain else 2 - row % 2,
            "quality": 9 - row % 2 if is_plain else 2 + row % 2,
            "place": 1 + (row % 6 == 0) if is_plain else 3,
            "usable": int(is_plain or row % 3 == 0),
        }
    )


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    criteria = [
        CriterionDraft(name="Tone", key="tone"),
        CriterionDraft(name="Quality", key="quality", minimum=0, maximum=10, low_threshold=None),
        PLACE,
        CriterionDraft(
            name="Usable", key="usable", kind="yes_no", minimum=0, maximum=1, low_threshold=None, undesired=0
        ),
    ]
    version = save_version(
        rubric=create_rubric(project=cast.project, name="Mixed", by=None), criteria=criteria, by=None
    )
    people = [cast.reviewer, cast.other_reviewer]
    campaign = make_campaign(cast.project, people, rows=ROWS, rubric_version=version)
    for person in people:
        table = {
            (label, row): said(label, row) for label in ("formal", "plain") for row in range(1, ROWS + 1)
        }
        review_all(campaign, person, table)
    return campaign


@pytest.fixture
def campaign(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture
def scores(campaign: Campaign) -> CampaignScores:
    return load_scores(campaign)


@pytest.fixture
def comparison(scores: CampaignScores) -> Comparison:
    return compare(scores)


@pytest.fixture
def pairs(scores: CampaignScores, comparison: Comparison) -> list[ComparedPair]:
    return PairComparison(scores, comparison).with_reference(comparison.rows[0])


def place_of(scores: CampaignScores) -> Criterion:
    return next(each for each in scores.criteria if each.key == "place")


def axis_of(spec: dict[str, Any]) -> dict[str, Any]:
    """The horizontal scale that the marks lie on."""
    found: dict[str, Any] = next(
        layer["encoding"]["x"]["scale"] for layer in spec["layer"] if "scale" in layer["encoding"]["x"]
    )
    return found


def test_unlike_ranges_have_an_axis_each_on_which_a_length_is_a_share_of_the_scale(
    pairs: list[ComparedPair], comparison: Comparison
) -> None:
    panels = differences_charts(pairs, comparison.rows[0], comparison.rows)
    assert [panel.of for panel in panels] == ["1–5", "0–10", "1–3, lower is better", "shares"]
    widths = [axis_of(panel.chart.spec)["domain"][1] for panel in panels]
    # Every axis reaches as far as the same share of its scale: 4, 10, 2 and 1 are the widest differences.
    assert [width / span for width, span in zip(widths, (4, 10, 2, 1), strict=True)] == [
        pytest.approx(widths[-1])
    ] * 4
    inside = max(
        abs(end or 0) / pair.span
        for pair in pairs
        for end in (pair.difference.difference.low, pair.difference.difference.high)
    )
    assert widths[-1] >= inside
    names = [row[0] for panel in panels for row in panel.chart.rows]
    assert names == ["Tone", "Total", "Quality", "Place", "Usable"]
    assert "67 percentage points (" in panels[3].chart.rows[0][2]
    assert "higher than formal by 67 percentage points" in panels[3].chart.says


def test_better_wins_where_lower_is_better(
    pairs: list[ComparedPair], campaign: Campaign, manager: User
) -> None:
    place = next(pair for pair in pairs if pair.criterion.key == "place")
    assert place.difference.difference.value is not None and place.difference.difference.value < 0
    assert place.record is not None
    assert (place.record.won, place.record.tied, place.record.lost) == (2 * ROWS, 0, 0)
    assert place.win_rate.value == 1
    path = f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/differences/"
    told = {row["criterion"]: row for row in program_of(manager).get(path).json()["results"]}
    assert told["place"]["record"]["won"] == 2 * ROWS
    assert told["place"]["win_rate"]["value"] == 1
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/").text
    )
    assert re.search(r"[+−]67 points \(.* to .*\)", strip_tags(page))


def test_fewer_undesired_answers_win_and_stand_at_the_right(
    empty_project: Project, reviewer: User, other_reviewer: User
) -> None:
    error = CriterionDraft(
        name="Error", key="error", kind="yes_no", minimum=0, maximum=1, low_threshold=None, undesired=1
    )
    version = save_version(
        rubric=create_rubric(project=empty_project, name="Errors", by=None),
        criteria=[CriterionDraft(name="Tone", key="tone"), error],
        by=None,
    )
    errors = make_campaign(empty_project, [reviewer, other_reviewer], rows=4, rubric_version=version)
    for person in (reviewer, other_reviewer):
        table = {
            (label, row): ReviewAnswers({"tone": 3, "error": int(label == "formal" and row > 1)})
            for label in ("formal", "plain")
            for row in range(1, 5)
        }
        review_all(errors, person, table)
    scores = load_scores(errors)
    comparison = compare(scores)
    pairs = PairComparison(scores, comparison).with_reference(comparison.rows[0])
    pair = next(each for each in pairs if each.criterion.key == "error")
    assert pair.name == "Error, share yes, lower is better"
    assert pair.difference.difference.value == pytest.approx(-0.75)
    assert pair.record is not None and (pair.record.won, pair.record.tied, pair.record.lost) == (6, 2, 0)
    assert pair.win_rate.value == pytest.approx(0.75 + 0.25 / 2)
    panels = differences_charts(pairs, comparison.rows[0], comparison.rows)
    assert panels[-1].of == "shares, lower is better"
    assert axis_of(panels[-1].chart.spec)["reverse"]


def test_what_is_better_stands_at_the_right_of_every_axis(
    pairs: list[ComparedPair], comparison: Comparison
) -> None:
    panels = differences_charts(pairs, comparison.rows[0], comparison.rows)
    assert [axis_of(panel.chart.spec)["reverse"] for panel in panels] == [False, False, True, False]
    for panel in panels:
        drawing = ET.fromstring(as_svg(panel.chart))
        (dashed,) = (each for each in drawing.iter() if "stroke-dasharray" in each.attrib)
        at = float(dashed.attrib["transform"].split("(")[1].split(",")[0])
        points = [
            float(each.attrib["transform"].split("(")[1].split(",")[0])
            for group in drawing.iter()
            if "mark-symbol role-mark" in group.get("class", "")
            for each in group.iter("{http://www.w3.org/2000/svg}path")
        ]
        assert points and min(points) > at, panel.of
    assert [axis_of(panel.chart.spec)["reverse"] for panel in means_charts(comparison)] == [
        False,
        False,
        True,
    ]


def test_the_best_level_stands_at_the_right_of_the_bars_in_its_colour(comparison: Comparison) -> None:
    chart = ratings_chart(comparison)
    assert chart is not None
    assert ["Place (1 is best)", "plain", 2 * ROWS, "3: 0, 2: 4, 1: 20"] in chart.rows
    assert (
        "Place (1 is best): plain is on the better side of the middle level most often (83% of 24)"
        in chart.says
    )
    bars = fills(ET.fromstring(as_svg(chart)), "rect")
    # The last two are of "plain" on the place: some 2, most 1.
    assert bars[-2:] == [colour("rating-3"), colour("rating-5")]
    cell = comparison.rows[1].cell("place")
    assert cell is not None and list(cell.binned) == ["3", "2", "1"] and list(cell.counts) == [1, 2, 3]


def test_pages_say_the_direction_and_draw_means_the_same_way(campaign: Campaign, manager: User) -> None:
    page = (
        client_of(manager).get(f"/projects/{campaign.project.slug}/results/{campaign.pk}/who-is-better/").text
    )
    assert 'Place <span class="axis-label">1–3, lower is better</span>' in page
    assert "Place, lower is better" in page
    # The mean of "formal" is 3, the worst: its dot lies at the left end.
    assert 'cx="4.0"' in page


def test_the_bad_end_is_the_high_one(scores: CampaignScores) -> None:
    place = place_of(scores)
    for output in scores.outputs:
        # The metric prefers what people put last.
        output.metrics[WORDS.name] = 1.0 if output.candidate_id == scores.candidates[0].pk else 0.0
    formal = {each.item_output_id for each in scores.outputs_of(scores.candidates[0])}
    assert find_disagreements(scores, place, WORDS).item_output_ids == formal
    low = filter_from(scores, {"criterion": "place", "low": "1"})
    assert "3 or more" in low.describe()
    view = read_filter(scores.campaign, QueryDict())
    cases = CaseList(view, {"criterion": "place", "low": "1"}, reviewer_type="all")
    assert {row.candidate for row in cases[:50]} == {scores.candidates[0]}
    drawn = human_against_metric(scores, place, WORDS).spec
    assert drawn["encoding"]["y"]["scale"] == {"domain": [1, 3], "reverse": True}


def test_a_metric_that_falls_with_the_places_follows_people(scores: CampaignScores) -> None:
    for output in scores.outputs:
        good = output.candidate_id == scores.candidates[1].pk
        output.metrics[WORDS.name] = (0.8 if good else 0.2) + output.item_id % 3 / 20
    trusts = {each.criterion.key: each for each in metric_trust(scores)}
    (found,) = (each for each in trusts["place"].metrics if each.metric.name == WORDS.name)
    assert found.correlation.low is not None and found.correlation.low > 0
    assert "Place (lower is better)" in found.sentence
    assert MetricResult.objects.count() == 0


def test_what_speaks_of_the_low_end_as_the_bad_one_is_refused(campaign: Campaign) -> None:
    tone = CriterionDraft(name="Tone", key="tone")

    def problems(**changes: Any) -> list[str]:
        drafts = [tone, replace(PLACE, **changes)]
        return [each.message for each in draft_problems(drafts) if each.field == "lower_is_better"]

    assert problems() == []
    assert "give it the weight 0" in problems(weight=Decimal(1))[0]
    assert "leave that level empty" in problems(low_threshold=1)[0]
    assert "the low end is the better one" in problems(is_critical=True)[0]
    yes_no = {"kind": "yes_no", "minimum": 0, "maximum": 1}
    assert "for scales only" in problems(**yes_no)[0]
    place = Criterion.objects.get(version=campaign.rubric_version_id, key="place")
    floor = Condition(ConditionKind.FLOOR, criterion="place", threshold=2.0)
    assert "lower is better" in why_unusable(floor, place)
    with pytest.raises(IntegrityError, match="criterion_lower_is_better"), transaction.atomic():
        fresh = create_rubric(project=campaign.project, name="Another", by=None).versions.create(number=1)
        Criterion.objects.create(
            version=fresh, position=0, key="a", name="A", kind="scale", lower_is_better=True, weight=1
        )


def test_the_direction_travels_with_a_file_and_the_editor() -> None:
    rubric = RubricDraft("Places", "", "", (CriterionDraft(name="Tone", key="tone"), PLACE))
    text = write_yaml(rubric)
    assert text.count("lower_is_better: true") == 1
    assert read_yaml(text.encode()) == rubric
    typed = {
        "criteria-count": "1",
        "criteria-0-kind": "scale",
        "criteria-0-name": "Place",
        "criteria-0-weight": "0",
        "criteria-0-minimum": "1",
        "criteria-0-maximum": "3",
        "criteria-0-lower_is_better": "1",
    }
    (criterion,) = read_form(QueryDict(urlencode(typed))).criteria
    assert (criterion.draft.lower_is_better, criterion.draft.low_threshold) == (True, None)


def test_the_finder_asks_for_the_worse_end(empty_project: Project, reviewer: User, manager: User) -> None:
    places = save_version(
        rubric=create_rubric(project=empty_project, name="Places", by=None),
        criteria=[PLACE, CriterionDraft(name="Tone", key="tone")],
        by=None,
    )
    campaign = make_campaign(empty_project, [reviewer], rows=2, rubric_version=places)
    page = client_of(manager).get(f"/projects/{empty_project.slug}/results/{campaign.pk}/finder/").context
    assert (page["chosen"]["score_is"], page["chosen"]["score"]) == ("at_least", "3")
