"""An adjudicator at their desk in a real browser, with the keyboard alone."""

import pytest
from playwright.sync_api import expect

from evalapp.adjudication.models import Adjudication, ComparisonAdjudication
from evalapp.reviews.preferences.answers import PreferenceAnswers
from tests.campaigns.making import make_open_campaign
from tests.factories import YES_NO, answers, make_campaign, review_all
from tests.reviews.preferences.conftest import judge_all

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def start(page, live_server, sign_in, project, manager, reviewer, other_reviewer):
    campaign = make_campaign(project, [reviewer, other_reviewer], rows=2)
    review_all(campaign, reviewer, {("formal", 1): answers(tone=1), ("plain", 2): answers(tone=1, clarity=5)})
    review_all(
        campaign, other_reviewer, {("formal", 1): answers(tone=5, error=1), ("plain", 2): answers(clarity=1)}
    )
    sign_in(manager)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/adjudication/")
    yield page
    assert problems == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def tab_to(page, words):
    for _ in range(40):
        press(page, "Tab")
        if words in page.evaluate("document.activeElement.textContent"):
            return
    raise AssertionError(f"Tab does not lead to “{words}”")


def ready(page):
    page.wait_for_selector("[data-desk][data-ready]")


def test_every_disagreement_is_decided_by_keyboard_alone(start):
    page = start
    expect(page.locator(".lede")).to_contain_text("0 of 4 disagreements decided")
    page.locator("main").focus()
    tab_to(page, "Next disagreement")
    press(page, "Enter")
    ready(page)
    first = page.url
    # A figure decides the first criterion, then its reason is written; Esc leads to the next one.
    press(page, "2")
    assert page.evaluate("document.activeElement.name") == "reason-tone"
    page.keyboard.type("Stiff in the greeting alone; 5 is too much.")
    press(page, "Escape", "1")
    assert page.evaluate("document.activeElement.name") == f"reason-{YES_NO}"
    page.keyboard.type("The yield is wrong.")
    press(page, "Control+Enter")
    page.wait_for_load_state()
    ready(page)
    expect(page.locator(".lede")).to_contain_text("2 of 4 disagreements decided")
    assert page.url != first
    # Left for later, it comes again, because it is the only one.
    press(page, "Escape", "n")
    assert page.evaluate("document.activeElement.name") == "reason-clarity"
    page.keyboard.type("Nothing to be clear about.")
    press(page, "Escape", "4")
    page.keyboard.type("As the second said.")
    press(page, "Control+Enter")
    expect(page.locator("main")).to_contain_text("Every disagreement here is decided")
    decided = {(each.criterion.key, each.value) for each in Adjudication.objects.select_related("criterion")}
    assert decided == {("tone", 2), (YES_NO, 1), ("clarity", None), ("tone", 4)}


def test_a_reason_that_is_missing_is_said_and_what_was_given_stays(start):
    page = start
    page.get_by_role("link", name="Next disagreement").click()
    ready(page)
    press(page, "2", "Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")
    expect(page.locator("[name=criterion-tone][value='2']")).to_be_checked()
    # Typed at once, it is the reason of that criterion and no key.
    ready(page)
    page.keyboard.type("No 1 is right.")
    expect(page.locator("[name=reason-tone]")).to_have_value("No 1 is right.")
    assert not Adjudication.objects.exists()


def test_it_is_left_for_later_by_its_key(start):
    page = start
    page.get_by_role("link", name="Next disagreement").click()
    ready(page)
    first = page.url
    press(page, "s")
    page.wait_for_url(lambda address: address != first and "adjudication" in address)
    ready(page)


@pytest.mark.parametrize("method", ["pairwise", "ranking"])
def test_preferences_that_differ_are_decided_by_keyboard_alone(
    method, page, live_server, sign_in, project, manager, reviewer, other_reviewer
):
    is_pair = method == "pairwise"
    people, count = [reviewer, other_reviewer], 2 if is_pair else 3
    campaign = make_open_campaign(project, people, rows=2, candidates=count, overlap=2, method=method)
    judge_all(campaign, reviewer, PreferenceAnswers("a") if is_pair else PreferenceAnswers("", [1, 2, 3]))
    judge_all(
        campaign, other_reviewer, PreferenceAnswers("b") if is_pair else PreferenceAnswers("", [3, 2, 1])
    )
    sign_in(manager)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{live_server.url}/projects/{project.slug}/results/{campaign.pk}/adjudication/next/")
    ready(page)
    # Figures give the preference, then its reason; Esc leads out of it.
    first = page.url
    press(page, *(["2"] if is_pair else ["2", "1", "3"]))
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.type("No 1 names the deadline.")
    press(page, "Control+Enter")
    expect(page.locator(".lede")).to_contain_text("1 of 2 disagreements decided")
    ready(page)
    assert page.url != first
    # What is missing is said, and the preference stays.
    press(page, "1") if is_pair else press(page, "1", "2", "3")
    press(page, "Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("Give a reason")
    ready(page)
    page.keyboard.type("As the first said.")
    press(page, "Control+Enter")
    expect(page.locator("main")).to_contain_text("Every disagreement here is decided")
    decided = [(each.choice, each.ranks) for each in ComparisonAdjudication.objects.order_by("pk")]
    assert decided == ([("b", None), ("a", None)] if is_pair else [("", [2, 1, 3]), ("", [1, 2, 3])])
    assert problems == []
