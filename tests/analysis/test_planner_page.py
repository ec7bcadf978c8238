"""The planner: power for what is expected, from a campaign's own variances or typed ones; and as an API."""

import csv
import io
from urllib.parse import urlencode

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from evalapp.accounts.models import Project, User
from evalapp.analysis.planning.planner import (
    FAR_ENDS_NOTE,
    NO_INTERVAL,
    ONE_REVIEWER,
    PlannedAim,
    design_of_campaign,
    detectable,
    variances_of,
)
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.analysis.stored import item_sample, stored_results
from evalapp.campaigns.models import Campaign
from evalapp.stats.planning import ALONE, Design, Spread, smallest_difference
from evalapp.stats.populations import Population
from tests.api.conftest import program_of
from tests.cast import client_of, make_project
from tests.factories import answers, make_campaign, make_rubric, review_all
from tests.gates.making import make_gated_campaign
from tests.kept_cast import Cast, again

pytestmark = pytest.mark.django_db

ROWS = 12


def said(by: int) -> dict[tuple[str, int], object]:
    return {
        (label, row): answers(tone=1 + (row + by) % 3 + (label == "plain") * (row % 2), accuracy=2 + row % 3)
        for label in ("formal", "plain")
        for row in range(1, ROWS + 1)
    }


def make_planned(project: Project, cast: Cast) -> Campaign:
    """Its results are about reviewers like these."""
    project.population = "reviewers"
    project.save()
    return make_campaign(project, [cast.reviewer, cast.other_reviewer], rows=ROWS)


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    campaign = make_planned(cast.project, cast)
    review_all(campaign, cast.reviewer, said(0))
    review_all(campaign, cast.other_reviewer, said(1))
    return campaign


@pytest.fixture
def reviewed(made: Campaign) -> Campaign:
    return again(made)


@pytest.fixture(scope="module")
def made_without_reviews(cast: Cast) -> Campaign:
    """In a project of its own."""
    people = {"reviewer": cast.reviewer, "reviewer2": cast.other_reviewer}
    project = make_project("Planned", owner=cast.owner, manager=cast.manager, **people)
    return make_planned(project, cast)


@pytest.fixture
def campaign(made_without_reviews: Campaign) -> Campaign:
    return again(made_without_reviews)


@pytest.fixture
def project(made: Campaign, project: Project) -> Project:
    return project


def url_of(project: Project) -> str:
    return f"/projects/{project.slug}/campaigns/plan/"


def api_of(campaign: Campaign) -> str:
    return f"projects/{campaign.project.slug}/campaigns/{campaign.pk}/analysis/plan/"


def typed(**changes: object) -> dict[str, object]:
    """A plan for tone with typed standard deviations: differences with an SD of 1, reviewers alike."""
    return {
        "items": 199,
        "reviewers": 2,
        "level": 0.025,
        "tone-kind": "difference",
        "tone-expected": 0.2,
        "tone-item": 1,
        "tone-reviewer": 0,
        "tone-rest": 0,
        **changes,
    }


def test_what_a_campaign_can_detect_follows_from_its_variances_and_design(
    reviewed: Campaign, manager: User
) -> None:
    scores = load_scores(reviewed)
    variances = variances_of(scores)
    design = design_of_campaign(reviewed)
    assert design == Design(items=ROWS, reviewers=2, overlap=2, population=Population.REVIEWERS)
    found = {each.criterion.key: each for each in detectable(variances, design)}
    tone = next(each for each in variances if each.criterion.key == "tone")
    assert found["tone"].difference == smallest_difference(tone.differences.spread, design, sides=2)
    # Accuracy is the same for both candidates, and clarity throughout.
    assert found["accuracy"].difference.reason == "no variation" and found["accuracy"].distance.defined
    assert found["clarity"].distance.reason == "no variation"
    page = client_of(manager).get(url_of(reviewed.project), {"campaign": reviewed.pk})
    assert page.status_code == 200 and "Statistical power of “Spring round”" in page.text
    detail = client_of(manager).get(f"/projects/{reviewed.project.slug}/campaigns/{reviewed.pk}/")
    assert f"{url_of(reviewed.project)}?campaign={reviewed.pk}" in detail.text


def test_a_plan_starts_from_the_newest_campaign_that_has_reviews(
    reviewed: Campaign, manager: User, reviewer: User
) -> None:
    unreviewed = make_campaign(reviewed.project, [reviewer], rows=2, name="Later", texts={"a": "A", "b": "B"})
    alone = make_campaign(reviewed.project, [reviewer], rows=2, name="A week", texts={"c": "C"})
    review_all(alone, reviewer, {"c": answers(tone=3)})
    page = client_of(manager).get(url_of(reviewed.project))
    assert page.context["campaign"] == reviewed
    # Without a review there is nothing better than the newest.
    asked = client_of(manager).get(url_of(reviewed.project), {"campaign": unreviewed.pk})
    assert asked.context["campaign"] == unreviewed and "No scores" in asked.text


def test_typed_variances_give_the_known_power(manager: User, campaign: Campaign) -> None:
    version = campaign.rubric_version
    page = client_of(manager).get(url_of(campaign.project), {"source": f"rubric-{version.pk}", **typed()})
    assert page.status_code == 200
    (planned,) = page.context["planned"].aims
    # 199 items for 0.2 of an SD with 80% power at 2.5% one-sided.
    assert planned.power.value == pytest.approx(0.8, abs=0.005)
    assert page.context["planned"].joint.value == pytest.approx(0.8, abs=0.01)
    assert page.context["planned"].items.value == pytest.approx(199, abs=6)
    assert "All aims" in page.text and "80%" in page.text


def test_a_floor_is_planned_on_the_distance_and_joint_power_is_less(
    reviewed: Campaign, manager: User
) -> None:
    query = {
        "campaign": reviewed.pk, "items": 60, "reviewers": 4, "overlap": 2, "level": 0.05,
        "tone-kind": "floor", "tone-expected": 3, "tone-bound": 2.5,
        "accuracy-kind": "floor", "accuracy-expected": 3.2, "accuracy-bound": 3,
    }  # fmt: skip
    planned = client_of(manager).get(url_of(reviewed.project), query).context["planned"]
    powers = [each.power.value for each in planned.aims]
    assert [round(each.aim.distance, 3) for each in planned.aims] == [0.2, 0.5]
    assert planned.joint.value == pytest.approx(powers[0] * powers[1], abs=0.02)
    assert "seed" in planned.joint.signature


def test_near_the_end_of_the_scale_the_same_distance_is_harder_to_show(
    manager: User, campaign: Campaign
) -> None:
    source = f"rubric-{campaign.rubric_version.pk}"
    spread = {"tone-item": 0.3, "tone-reviewer": 0.2, "tone-rest": 0.4}
    design = {"items": 60, "reviewers": 5, "level": 0.01, "source": source, **spread}

    def planned(**aim: object) -> PlannedAim:
        query = design | {f"tone-{name}": value for name, value in aim.items()}
        (found,) = client_of(manager).get(url_of(campaign.project), query).context["planned"].aims
        return found

    floors = [planned(kind="floor", expected=mean, bound=mean - 0.45).power.value for mean in (3.2, 4.4, 4.8)]
    assert floors[0] > floors[1] + 0.05 > floors[2] + 0.1
    margins = [planned(kind="difference", expected=0, bound=0.45, champion=mean) for mean in (3.2, 4.4, 4.8)]
    assert margins[0].power.value > margins[1].power.value > margins[2].power.value
    unknown = planned(kind="difference", expected=0, bound=0.45)
    assert unknown.power.value >= margins[0].power.value and unknown.power.note == FAR_ENDS_NOTE
    assert {each.power.note for each in margins} == {""}


def test_a_margin_is_planned_where_the_reviewed_champion_stands(reviewed: Campaign, manager: User) -> None:
    tone = next(each for each in variances_of(load_scores(reviewed)) if each.criterion.key == "tone")
    query = {
        "campaign": reviewed.pk, "items": 60, "reviewers": 4, "level": 0.05,
        "tone-kind": "difference", "tone-expected": 0, "tone-bound": 0.5,
    }  # fmt: skip
    browser = client_of(manager)
    (planned,) = browser.get(url_of(reviewed.project), query).context["planned"].aims
    assert planned.aim.champion == tone.champion == pytest.approx(2.0)
    (typed_mean,) = (
        browser.get(url_of(reviewed.project), {**query, "tone-champion": 4.5}).context["planned"].aims
    )
    assert typed_mean.aim.champion == 4.5


@pytest.mark.parametrize(
    ("kind", "expected", "bound"),
    [("floor", 5, 4.9), ("floor", 1, 1), ("floor", 3, 5), ("difference", 4, 0), ("difference", -4, 4)],
)
def test_the_ends_of_the_scale_can_be_planned_for(
    reviewed: Campaign, manager: User, kind: str, expected: float, bound: float
) -> None:
    query = {
        "campaign": reviewed.pk, "items": 60, "reviewers": 4, "level": 0.05,
        "tone-kind": kind, "tone-expected": expected, "tone-bound": bound,
    }  # fmt: skip
    page = client_of(manager).get(url_of(reviewed.project), query)
    assert page.status_code == 200 and 0 <= page.context["planned"].joint.value <= 1


def test_one_reviewer_passes_no_gate_and_the_plan_says_so(
    project: Project, manager: User, reviewed: Campaign
) -> None:
    query = {"campaign": reviewed.pk, **typed(reviewers=1)}
    page = client_of(manager).get(url_of(project), query)
    planned = page.context["planned"]
    assert (
        {each.power.reason for each in planned.aims}
        == {planned.joint.reason, planned.items.reason}
        == {ALONE}
    )
    assert ALONE.capitalize() in page.text and "items</strong> with these reviewers" not in page.text
    table = client_of(manager).get(f"{url_of(project)}tables/power.md", query)
    assert ALONE.capitalize() in table.text


def test_a_campaign_of_one_reviewer_can_detect_nothing(
    empty_project: Project, manager: User, reviewer: User
) -> None:
    empty_project.population = "reviewers"
    empty_project.save()
    alone = make_campaign(empty_project, [reviewer], rows=ROWS)
    review_all(alone, reviewer, said(0))
    found = {
        each.criterion.key: each
        for each in detectable(variances_of(load_scores(alone)), design_of_campaign(alone))
    }
    assert (found["tone"].difference.reason, found["tone"].distance.reason) == (NO_INTERVAL, ALONE)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"items": 1}, "items", "greater than or equal to 2"),
        ({"items": "many"}, "items", "whole number"),
        ({"overlap": 3}, "overlap", "There are only 2 reviewers"),
        ({"level": "nan"}, "level", ""),
        ({"tone-expected": ""}, "tone-expected", "Enter what you expect."),
        ({"tone-kind": "floor"}, "tone-bound", "Give the minimum"),
        ({"tone-bound": -1}, "tone-bound", "0 or more"),
        ({"tone-champion": 5.1}, "tone-champion", "from 1 to 5"),
        ({"tone-expected": 4.1}, "tone-expected", "differ by 4 at most"),
        ({"tone-expected": -4.1}, "tone-expected", "differ by 4 at most"),
        ({"tone-bound": 1e6}, "tone-bound", "differ by 4 at most"),
        ({"tone-kind": "floor", "tone-expected": 6, "tone-bound": 4}, "tone-expected", "from 1 to 5"),
        ({"tone-kind": "floor", "tone-expected": 4, "tone-bound": -9}, "tone-bound", "from 1 to 5"),
        ({"tone-item": "1e999"}, "tone-item", ""),
        ({"tone-item": 0}, "tone-item", "nothing to plan"),
        ({"tone-item": ""}, "tone-item", "The variance is unknown"),
        ({"tone-kind": "magic"}, "tone-kind", "magic"),
    ],
)
def test_what_cannot_be_planned_is_said_at_its_field(
    manager: User, campaign: Campaign, changes: dict[str, object], field: str, text: str
) -> None:
    source = f"rubric-{campaign.rubric_version.pk}"
    page = client_of(manager).get(url_of(campaign.project), {"source": source, **typed(**changes)})
    assert page.status_code == 400
    assert field in page.context["form"].errors and text in str(page.context["form"].errors[field])


def test_sources_are_the_projects_own(empty_project: Project, manager: User) -> None:
    assert "A plan needs the scales of a rubric" in client_of(manager).get(url_of(empty_project)).text
    for query in ({"campaign": "99999"}, {"source": "rubric-99999"}, {"campaign": "x"}):
        assert client_of(manager).get(url_of(empty_project), query).status_code == 404
    draft = make_rubric(empty_project)
    assert client_of(manager).get(url_of(empty_project), {"source": f"rubric-{draft.pk}"}).status_code == 404


def test_one_reviewer_is_no_knowledge_of_reviewers(campaign: Campaign, reviewer: User) -> None:
    review_all(campaign, reviewer, said(0))
    tone = next(each for each in variances_of(load_scores(campaign)) if each.criterion.key == "tone")
    assert isinstance(tone.scores.spread, Spread) and tone.scores.note == ONE_REVIEWER


def test_the_api_plans_alike(reviewed: Campaign, manager: User) -> None:
    program = program_of(manager)
    told = program.get(api_of(reviewed)).json()
    assert told["design"] == {
        "items": ROWS, "reviewers": 2, "overlap": 2, "groups": None, "population": "reviewers",
    }  # fmt: skip
    expected = detectable(variances_of(load_scores(reviewed)), design_of_campaign(reviewed))
    assert [row["difference"]["value"] for row in told["detectable"]] == [
        each.difference.value for each in expected
    ]
    aim = {"criterion": "tone", "kind": "difference", "expected": 0.2, "item": 1, "reviewer": 0, "rest": 0}
    body = {"items": 199, "reviewers": 2, "level": 0.025, "aims": [aim]}
    planned = program.post(api_of(reviewed), body)
    assert planned.status_code == 200
    assert planned.json()["aims"][0]["power"]["value"] == pytest.approx(0.8, abs=0.005)
    # The same 199 from 20 documents, which half of the variance lies between.
    of_documents = {**body, "groups": 20, "aims": [{**aim, "item": 0.7, "group": 0.7}]}
    found = program.post(api_of(reviewed), of_documents).json()
    assert found["aims"][0]["power"]["value"] < 0.4
    assert found["items"]["value"] > 600
    margin = {**aim, "expected": 0, "bound": 0.1, "item": 0.5}
    powers = [
        program.post(api_of(reviewed), {**body, "aims": [{**margin, "champion": mean}], "items": 100}).json()[
            "joint"
        ]["value"]
        for mean in (3, 4.8)
    ]
    assert powers[0] > powers[1] + 0.1
    for wrong, field in (
        ({**body, "items": 1}, "items"),
        ({**body, "groups": 200}, "groups"),
        ({**body, "aims": [{**aim, "criterion": "charm"}]}, "aims"),
        ({**body, "aims": [aim, aim]}, "aims"),
        ({**body, "aims": []}, "aims"),
        ({**body, "aims": [{**aim, "bound": -1}]}, "tone-bound"),
    ):
        refused = program.post(api_of(reviewed), wrong)
        assert refused.status_code == 400 and field in refused.json()["error"]["fields"], wrong


def test_more_campaigns_take_no_more_queries(
    project: Project, reviewed: Campaign, manager: User, reviewer: User
) -> None:
    browser = client_of(manager)
    counts = []
    for name in ("", "Second", "Third"):
        if name:
            texts = {f"a {name}": "Yes.", f"b {name}": "No."}
            make_campaign(project, [reviewer], rows=2, name=name, texts=texts)
        with CaptureQueriesContext(connection) as queries:
            browser.get(url_of(project), {"campaign": reviewed.pk})
        counts.append(len(queries))
    assert counts[1] == counts[2]


def test_the_planner_s_tables_are_taken_along_with_the_plan_of_the_address(
    reviewed: Campaign, project: Project, manager: User
) -> None:
    browser = client_of(manager)
    query = urlencode({"source": f"campaign-{reviewed.pk}", **typed()})
    page = browser.get(f"{url_of(project)}?{query}")
    tables = {}
    for name in ("detectable", "power", "variances"):
        link = f"{url_of(project)}tables/{name}.csv?{query}"
        assert escape(link) in page.text
        tables[name] = list(csv.DictReader(io.StringIO(browser.get(link).text)))
    tone, together = tables["power"]
    assert (tone["Criterion"], tone["Aim"], tone["Expected"]) == ("Tone", "difference", "0.2")
    planned = page.context["planned"]
    assert float(tone["Power"]) == pytest.approx(planned.aims[0].power.value, abs=1e-6)
    assert (together["Criterion"], float(together["Power"])) == (
        "All aims",
        pytest.approx(planned.joint.value, abs=1e-6),
    )
    found = {each.criterion.name: each for each in page.context["detectable"]}
    for row in tables["detectable"]:
        of = found[row["Criterion"]].difference
        assert row["Difference undefined because"] == of.reason
        assert not of.defined or float(row["Difference"]) == pytest.approx(of.value, abs=1e-6)
    assert [
        (row["Criterion"], row["Values"]) for row in tables["variances"] if row["Criterion"] == "Tone"
    ] == [
        ("Tone", "scores"),
        ("Tone", "paired differences"),
    ]
    markdown = browser.get(f"{url_of(project)}tables/power.md?{query}")
    assert markdown.text.startswith("**Power**") and "80% power for all aims" in markdown.text
    assert browser.get(f"{url_of(project)}tables/power.md").status_code == 404
    assert "There is no table" in browser.get(f"{url_of(project)}tables/other.csv").text


def test_a_large_campaign_is_planned_from_some_of_its_items(
    reviewed: Campaign, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, program = f"{url_of(reviewed.project)}?campaign={reviewed.pk}", program_of(manager)
    assert "drawn at random" not in client_of(manager).get(address).text
    assert program.get(api_of(reviewed)).json()["sample"] is None
    # Half of what there is.
    monkeypatch.setattr(stored_results, "MOST_AT_REQUEST", len(load_scores(reviewed).answers) // 2)
    monkeypatch.setattr(item_sample, "LEAST_ITEMS", 2)
    told = f"From {ROWS // 2} of the {ROWS} items reviewed so far, drawn at random."
    assert told in client_of(manager).get(address).text
    table = client_of(manager).get(f"{url_of(reviewed.project)}tables/variances.md?campaign={reviewed.pk}")
    assert told in table.text
    answer = program.get(api_of(reviewed)).json()
    assert answer["sample"] == {"items": ROWS // 2, "of_items": ROWS}
    assert answer["design"]["items"] == ROWS, "what is planned is the whole"


def test_about_these_reviewers_one_or_more_are_enough(
    project: Project, manager: User, reviewed: Campaign
) -> None:
    """A plan speaks of whom its form names, whatever the project's results are about."""
    query = {"campaign": reviewed.pk, **typed(reviewers=1, population="panel")}
    page = client_of(manager).get(url_of(project), query)
    planned = page.context["planned"]
    assert planned.joint.value == pytest.approx(0.81, abs=0.02)
    assert planned.items.value == pytest.approx(194, abs=6)
    sent = {
        "items": 199,
        "reviewers": 1,
        "level": 0.025,
        "population": "panel",
        "aims": [
            {"criterion": "tone", "kind": "difference", "expected": 0.2, "item": 1, "reviewer": 0, "rest": 0}
        ],
    }
    told = program_of(manager).post(api_of(reviewed), sent).json()
    assert told["joint"]["value"] == planned.joint.value


def test_of_items_in_groups_the_page_and_its_copy_tell_the_variance_between_groups(
    project: Project, manager: User, reviewer: User, other_reviewer: User
) -> None:
    people = [reviewer, other_reviewer]
    gated = make_gated_campaign(project, people, rows=12, group=lambda number: f"client {number % 4}")
    campaign = gated.campaign
    for person in people:
        said = {
            (label, row): answers(tone=1 + row % 4 + (row // 4 + position) % 2)
            for position, label in enumerate(("old Gated", "v1 Gated"))
            for row in range(1, 13)
        }
        review_all(campaign, person, said)
    design = design_of_campaign(campaign)
    assert design is not None and (design.items, design.groups) == (12, 4)
    page = client_of(manager).get(url_of(project), {"source": f"campaign-{campaign.pk}"}).text
    assert "12 items from 4 groups, 2 reviewers" in page and ">Groups</th>" in page
    copied = reverse("planner_table_csv", args=[project.slug, "variances"])
    heading = client_of(manager).get(copied, {"source": f"campaign-{campaign.pk}"}).text.splitlines()[0]
    assert heading.endswith("Residual,Groups,Note")
    tone = next(each for each in variances_of(load_scores(campaign)) if each.criterion.key == "tone")
    # Most of what differs lies between clients.
    assert tone.scores.spread.group > tone.scores.spread.item
