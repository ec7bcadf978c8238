"""Gates on pages: written by a form, applied to a campaign, evaluated, and said wherever numbers stand."""

import html
import re
from dataclasses import replace

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.services import open_campaign
from evalapp.gates.conditions import Condition, ConditionKind
from evalapp.gates.models import CampaignGate, Gate, GateEvaluation
from evalapp.rubrics.models import RubricVersion
from evalapp.rubrics.services import create_rubric, save_version
from evalapp.rubrics.templates.summaries import SUMMARIES
from tests.cast import client_of, make_project
from tests.factories import answers, make_campaign, make_rubric, review_all
from tests.gates.making import TONE_FLOOR, make_gate, make_gated_campaign
from tests.kept_cast import FIXTURES, Cast, again

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES

PLAN = {"name": "Release", "alpha": "5", "evaluated": "repeatedly", "challengers": "5", "population": "panel"}


@pytest.fixture(scope="module")
def house_rubric(cast: Cast) -> RubricVersion:
    return make_rubric(cast.project)


@pytest.fixture(scope="module")
def planned(cast: Cast) -> Campaign:
    """Without a review, in a project of its own."""
    people = {"reviewer": cast.reviewer, "engineer": cast.engineer}
    project = make_project("Planned", owner=cast.owner, manager=cast.manager, **people)
    return make_campaign(project, list(people.values()), rows=12, split="test")


@pytest.fixture
def campaign(planned: Campaign) -> Campaign:
    return again(planned)


@pytest.fixture
def browser(manager: User) -> Client:
    return client_of(manager)


def text_of(answer: object) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))  # type: ignore[attr-defined]


def test_a_gate_is_written_over_a_rubrics_criteria(
    project: Project, house_rubric: RubricVersion, browser: Client
) -> None:
    address = f"/projects/{project.slug}/campaigns/gates/new/"
    page = text_of(browser.get(address))
    assert "Mean at least (lower bound)" in page and "“yes”" in page
    sent = {
        **PLAN,
        "floor-tone": "4.5",
        "low-tone": "10",
        "against-accuracy": "non_inferiority",
        "margin-accuracy": "0.2",
        "veto-material-factual-error": "5",
        "floor-total": "4.2",
        "items": "100",
        "contamination": "on",
    }
    answer = browser.post(address, sent)
    gate = Gate.objects.get()
    assert answer["Location"] == f"/projects/{project.slug}/campaigns/gates/{gate.pk}/"
    asked = {(each.kind, each.criterion, each.threshold) for each in gate.parsed_conditions}
    assert asked == {
        (ConditionKind.FLOOR, "tone", 4.5),
        (ConditionKind.LOW_SHARE, "tone", 0.1),
        (ConditionKind.NON_INFERIORITY, "accuracy", 0.2),
        (ConditionKind.VETO, "material-factual-error", 0.05),
        (ConditionKind.FLOOR, "total", 4.2),
        (ConditionKind.ITEMS, "", 100),
        (ConditionKind.CONTAMINATION, "", None),
    }
    page = text_of(browser.get(answer["Location"]))
    assert "Tone: upper bound of the share of scores ≤ 2 at most 10%" in page
    # The edit form says what is there, and saving it changes nothing.
    edit = f"/projects/{project.slug}/campaigns/gates/{gate.pk}/edit/"
    assert 'value="4.5"' in browser.get(edit).content.decode()
    browser.post(edit, {key: value for key, value in sent.items() if key != "name"})
    assert Gate.objects.get().body_hash == gate.body_hash


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "Add a condition on at least one criterion"),
        ({"floor-tone": "6"}, "less than or equal to 5"),
        ({"floor-tone": "nan"}, "Enter a number"),
        ({"against-tone": "non_inferiority"}, "Give a margin above 0"),
        ({"margin-tone": "0.3"}, "Choose “not worse” or “better”"),
        ({"floor-tone": "4", "name": ""}, "This field is required"),
        ({"floor-tone": "4", "alpha": "50"}, "less than or equal to 20"),
        ({"floor-tone": "4", "veto-material-factual-error": "100"}, "above 0% and under 100%"),
    ],
)
def test_what_cannot_stand_comes_back_with_the_reason(
    project: Project, house_rubric: RubricVersion, browser: Client, changes: dict[str, str], message: str
) -> None:
    answer = browser.post(f"/projects/{project.slug}/campaigns/gates/new/", {**PLAN, **changes})
    assert (answer.status_code, message in text_of(answer)) == (400, True)
    assert not Gate.objects.exists()


def test_without_a_rubric_the_form_leads_to_them(empty_project: Project, browser: Client) -> None:
    assert "No rubric has criteria yet" in text_of(
        browser.get(f"/projects/{empty_project.slug}/campaigns/gates/new/")
    )


def test_a_gate_is_made_for_a_campaign_on_its_page(campaign: Campaign, browser: Client) -> None:
    project = campaign.project
    make_gate(project, name="Another")
    page = browser.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/")
    (address,) = re.findall(r'href="([^"]*gates/new/[^"]*)"', page.content.decode())
    answer = browser.post(html.unescape(address), {**PLAN, "floor-tone": "4"})
    gate = Gate.objects.latest("pk")
    assert answer["Location"].split("?")[0] == f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"
    offered = browser.get(answer["Location"]).content.decode()
    assert f'<option value="{gate.pk}" selected>' in offered
    browser.post(f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/apply/", {"gate": gate.pk})
    assert campaign.applied_gates.get().gate == gate


@pytest.mark.parametrize("campaign", ["0", "99999999999999999999999", "x"])
def test_a_gate_for_a_campaign_that_is_not_there_leads_to_its_own_page(
    project: Project, house_rubric: RubricVersion, browser: Client, campaign: str
) -> None:
    answer = browser.post(
        f"/projects/{project.slug}/campaigns/gates/new/?campaign={campaign}", {**PLAN, "floor-tone": "4"}
    )
    assert answer["Location"] == f"/projects/{project.slug}/campaigns/gates/{Gate.objects.get().pk}/"


def test_a_campaign_takes_looks_and_says_so(
    campaign: Campaign, reviewer: User, engineer: User, browser: Client
) -> None:
    project = campaign.project
    gate = make_gate(project, challengers=1)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"
    assert "There is no review yet: the gate will be frozen" in text_of(browser.get(address))
    browser.post(f"{address}apply/", {"gate": gate.pk})
    page = text_of(browser.get(address))
    assert (
        "Not yet The gate is frozen and waits for the first review; 24 reviews of each candidate are planned."
        in page
    )
    assert "Evaluate gate" not in page
    refused = browser.post(f"{address}evaluate/", {"candidate": "plain"})
    assert (refused.status_code, "has no review yet" in text_of(refused)) == (400, True)
    for person in (reviewer, engineer):
        review_all(campaign, person, {"plain": answers(tone=5)})
    browser.post(f"{address}evaluate/", {"candidate": "plain"})
    said = "The one condition is met"
    for page in (address, f"/projects/{project.slug}/campaigns/{campaign.pk}/", *_compare(campaign)):
        assert said in text_of(browser.get(page)), page
    page = text_of(browser.get(address))
    assert "evaluation 1, with 24 of 24 planned reviews of plain, candidate 1 on this test version" in page
    assert "1 of 1 candidates has been evaluated" in page
    again = browser.post(f"{address}evaluate/", {"candidate": "plain"}, follow=True)
    assert "There are no new reviews since the last evaluation" in text_of(again)
    assert GateEvaluation.objects.count() == 1


def _compare(campaign: Campaign) -> list[str]:
    start = f"/projects/{campaign.project.slug}/results/{campaign.pk}/"
    return [start, f"{start}decide/"]


def test_a_late_gate_says_that_it_explores_on_every_page(
    project: Project, reviewer: User, browser: Client
) -> None:
    campaign = make_campaign(project, [reviewer], rows=2, split="test")
    review_all(campaign, reviewer, {})
    gate = make_gate(project)
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"
    assert "the gate will be exploratory" in text_of(browser.get(address))
    browser.post(f"{address}apply/", {"gate": gate.pk})
    browser.post(f"{address}evaluate/", {"candidate": "plain"})
    evaluation = GateEvaluation.objects.get()
    sign = f"/projects/{project.slug}/results/gate-evaluations/{evaluation.pk}/sign/"
    gates = f"/projects/{project.slug}/campaigns/gates/{gate.pk}/"
    for page in (
        address,
        gates,
        f"/projects/{project.slug}/campaigns/{campaign.pk}/",
        sign,
        *_compare(campaign),
    ):
        assert "exploratory" in text_of(browser.get(page)).lower(), page
    assert "it is not signed" in text_of(browser.get(sign))


def test_an_engineer_reads_but_neither_takes_nor_looks(
    project: Project, reviewer: User, engineer: User
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer], rows=2)
    address = f"/projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/"
    page = client_of(engineer).get(address).content.decode()
    assert "Evaluate gate" not in page and "Apply gate" not in page
    assert client_of(engineer).post(f"{address}evaluate/").status_code == 403


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_takes_as_many_queries_for_three_gates_as_for_one(
    project: Project,
    house_rubric: RubricVersion,
    browser: Client,
    count: int,
    django_assert_max_num_queries: object,
) -> None:
    rubric = house_rubric.rubric
    for number in range(count):
        make_gate(project, rubric=rubric, name=f"Gate {number}")
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        page = text_of(browser.get(f"/projects/{project.slug}/campaigns/gates/"))
    assert f"Gate {count - 1} v1" in page


def test_the_panel_of_a_campaign_without_a_gate_leads_to_one(
    project: Project, reviewer: User, browser: Client
) -> None:
    campaign = make_campaign(project, [reviewer], rows=1)
    page = browser.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/").content.decode()
    assert f'href="/projects/{project.slug}/campaigns/{campaign.pk}/gate/"' in page
    assert "Apply a gate before the first review" in page
    assert not CampaignGate.objects.exists()
    review_all(campaign, reviewer, {})
    panel = text_of(browser.get(f"/projects/{project.slug}/campaigns/{campaign.pk}/"))
    assert "after the first review it is exploratory and decides nothing" in panel
    summary, decide = (text_of(browser.get(address)) for address in _compare(campaign))
    assert "No gate was applied, so this is no release decision." in summary
    assert "after the first review it is exploratory and decides nothing" in decide


def test_what_no_candidate_can_meet_is_told_before_the_first_review(
    project: Project, reviewer: User, engineer: User, browser: Client
) -> None:
    veto = Condition(ConditionKind.VETO, "material-factual-error", "Material factual error", 0.1)
    lenient = Condition(ConditionKind.LOW_SHARE, "tone", "Tone", 0.7, 2)
    items, reviewers = (
        Condition(ConditionKind.ITEMS, threshold=7),
        Condition(ConditionKind.REVIEWERS, threshold=2),
    )
    campaign_gate = make_gated_campaign(
        project,
        [reviewer, engineer],
        TONE_FLOOR,
        Condition(ConditionKind.FLOOR, "clarity", "Clarity", 3.9),
        veto,
        lenient,
        items,
        reviewers,
        challengers=1,
        is_open=False,
    )
    address = f"/projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/"
    told = browser.get(address).text
    assert "No candidate can pass" in told
    # 1 − 0.05^(1/6) of 6 items; 0.9^29 is under 5%, 0.9^28 is not.
    assert (
        "Even without a single such score, 6 items show only that it is at most 39.3%; it takes 29 items."
        in told
    )
    assert "At least 7 items reviewed. The campaign has 6." in told
    # 1 + 4 · 0.05^(1/6), and 1 + 4 · 0.05^(1/10) is 3.96.
    assert "6 items show only a mean of at least 3.43; it takes 10 items." in told
    # Of items that come in groups these are what counts: 1 + 4 · 0.05^(1/3).
    grouped = make_gated_campaign(
        project, [reviewer], Condition(ConditionKind.FLOOR, "clarity", "Clarity", 3.9), name="Clients",
        challengers=1, is_open=False, group=lambda number: f"client {number % 3}",
    )  # fmt: skip
    of_groups = browser.get(f"/projects/{project.slug}/campaigns/{grouped.campaign_id}/gate/").text
    words = "6 items from 3 groups show only a mean of at least 2.47; it takes 10 groups of items."
    assert words in of_groups
    open_campaign(campaign=campaign_gate.campaign, by=project.created_by)
    assert browser.get(address).text.count("No candidate can pass") == 1
    assert (
        told.count("Even without") == 1
        and told.count("Even if") == 1
        and "At least 2 reviewers. The campaign" not in told
    )
    for person in (reviewer, engineer):
        review_all(campaign_gate.campaign, person, {"v1 Gated": answers(tone=5)})
    evaluation = {"campaign_gate": campaign_gate.pk, "candidate": "v1 Gated"}
    assert "No candidate can pass" not in browser.post(f"{address}evaluate/", evaluation, follow=True).text


def test_the_gate_that_is_chosen_says_what_it_takes_before_it_is_applied(
    campaign: Campaign, reviewer: User, browser: Client
) -> None:
    project = campaign.project
    floor = make_gate(project, rubric=campaign.rubric_version.rubric, name="Floor")
    better = make_gate(
        project, Condition(ConditionKind.SUPERIORITY, "tone", "Tone", 0.2),
        Condition(ConditionKind.ITEMS, threshold=500), rubric=campaign.rubric_version.rubric, name="Better",
    )  # fmt: skip
    warmth = replace(SUMMARIES.criteria[2], key="warmth", name="Warmth")
    other = save_version(
        rubric=create_rubric(project=project, name="Warmth", by=None), criteria=[warmth], by=None
    )
    floor_of_warmth = Condition(ConditionKind.FLOOR, "warmth", "Warmth", 3.0)
    elsewhere = make_gate(project, floor_of_warmth, rubric=other.rubric, name="Elsewhere")
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"

    def page_with(chosen: object) -> str:
        return browser.get(address, {"gate": chosen}).text

    page = page_with(floor.pk)
    assert "Needed to pass 4 times in 5" in page and "mean of " in page
    assert "No candidate can pass" not in page and re.search(r'name="champion"', page)
    assert not re.search(r'<select name="champion"[^>]* required', page)
    page = page_with(better.pk)
    assert "At least 500 items reviewed. The campaign has 12." in page
    # Without a champion among the candidates this gate asks for one.
    assert "Choose a candidate" in page and re.search(r'<select name="champion"[^>]* required', page)
    assert browser.post(f"{address}apply/", {"gate": better.pk}).status_code == 400
    assert not campaign.applied_gates.exists()
    assert "Needed to pass" not in page_with(elsewhere.pk)
    for odd in ("x", "9" * 30, "²"):
        assert "Apply gate" in page_with(odd)
    review_all(campaign, reviewer, {"plain": answers(tone=5)})
    assert "Needed to pass" not in page_with(floor.pk)


def test_before_it_is_applied_a_gate_shows_the_level_that_it_will_have(
    campaign: Campaign, browser: Client
) -> None:
    project, rubric = campaign.project, campaign.rubric_version.rubric
    condition = Condition(ConditionKind.NON_INFERIORITY, "tone", "Tone", 0.5)
    compares = make_gate(project, condition, rubric=rubric, name="Compares", challengers=None)
    floor = make_gate(project, rubric=rubric, name="Floor", challengers=None)
    plain = campaign.candidates.get(model_version__label="plain").model_version_id
    address = f"/projects/{project.slug}/campaigns/{campaign.pk}/gate/"

    def level_on(page: str) -> str:
        found = re.search(r"each condition by itself at ([^.]*(?:\.\d+[^.]*)*)\. A candidate", page)
        assert found, page
        return found[1]

    # One of two candidates is the champion, whichever it will be.
    assert level_on(browser.get(address, {"gate": compares.pk}).text) == "5%"
    assert level_on(browser.get(address, {"gate": floor.pk}).text) == "2.5%, because 2 candidates share 5%"
    assert level_on(browser.get(address, {"gate": floor.pk, "champion": plain}).text) == "5%"
    browser.post(f"{address}apply/", {"gate": compares.pk, "champion": plain})
    assert level_on(browser.get(address).text) == "5%"


def test_a_gate_that_can_be_met_warns_of_nothing(
    project: Project, reviewer: User, engineer: User, browser: Client
) -> None:
    campaign_gate = make_gated_campaign(project, [reviewer, engineer])
    page = browser.get(f"/projects/{project.slug}/campaigns/{campaign_gate.campaign_id}/gate/").text
    assert "No candidate can pass" not in page


@pytest.mark.parametrize("odd", ["", "PANEL", "panel\x00", "x" * 5000])
def test_a_population_that_is_none_is_refused(
    project: Project, house_rubric: RubricVersion, browser: Client, odd: str
) -> None:
    answer = browser.post(
        f"/projects/{project.slug}/campaigns/gates/new/", {**PLAN, "floor-tone": "4", "population": odd}
    )
    assert answer.status_code == 400
    assert not Gate.objects.exists()
