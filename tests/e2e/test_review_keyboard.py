"""A reviewer at work in a real browser, with the keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.campaigns.services import close_campaign, open_campaign, remove_reviewer
from evalapp.reviews.change_requests import request_changes
from evalapp.reviews.models import Correction, Draft, Review, Score
from evalapp.reviews.presentation import review_url
from evalapp.reviews.queries import answers_of
from evalapp.rubrics.models import ReasonTag
from evalapp.runs.models import Output
from tests.campaigns.making import make_campaign, make_open_campaign, make_team
from tests.e2e.keyboard import Keyboard

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk(page, live_server, sign_in):
    """A campaign with a reviewer signed in, and their page at its first item."""
    project, (person,) = make_team(1)
    campaign = make_open_campaign(project, [person], rows=4, candidates=2, overlap=1)
    sign_in(person)
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    yield page, campaign
    assert problems == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def say(page, words):
    expect(page.locator("[data-state]")).to_contain_text(words)


def test_a_reviewer_rates_corrects_and_submits_by_keyboard_alone(desk):
    page, _campaign = desk
    first = page.url
    hint = page.get_by_text("You can correct the answer once every required criterion is scored")
    expect(hint).to_be_visible()
    press(page, "4", "5", "2")
    # The reasons of the low score have letters of their own, while the next criterion waits.
    press(page, "a")
    press(page, "3", "0", "c")
    page.keyboard.type("Too stiff.")
    expect(hint).to_be_hidden()
    press(page, "Escape", "e", "End")
    page.keyboard.type(" Call me.")
    assert page.locator(".diff ins").inner_text().strip()
    assert page.locator("[data-rubric]").evaluate("each => each.classList.contains('is-locked')")
    press(page, "Control+Enter")
    say(page, "Saved")
    # The next answer comes by itself where it was not fetched ahead.
    expect(page).not_to_have_url(first)
    review = Review.objects.get()
    answers = answers_of(review)
    assert answers.scores == {
        "accuracy": 4,
        "clarity": 5,
        "tone": 2,
        "personalization": 3,
        "material-factual-error": 0,
    }
    assert answers.tags == {"tone": ["too-formal"]}
    assert answers.comment == "Too stiff."
    assert Correction.objects.get().text.endswith("Call me.")
    assert 0 < review.seconds_active < 120
    # The next one is empty and focused.
    expect(page.locator("[data-rubric] input:checked")).to_have_count(0)
    expect(page.locator("[name=criterion-accuracy]:focus")).to_have_count(1)


def test_the_next_item_is_there_at_once_because_it_was_fetched_ahead(desk):
    page, _campaign = desk
    with page.expect_response(lambda answer: "?assignment=" in answer.url):
        page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    page.wait_for_load_state("networkidle")
    press(page, "4", "4", "4", "4", "0")
    before = page.url
    took = page.evaluate(
        """() => new Promise((done) => {
            const started = performance.now();
            document.querySelector("[data-submit]").click();
            requestAnimationFrame(() => done([performance.now() - started, location.pathname]));
        })"""
    )
    assert took[1] not in before
    assert took[0] < 100


def test_a_review_is_one_request_which_brings_what_comes_after_the_next(desk):
    page, _campaign = desk
    page.wait_for_load_state("networkidle")
    asked = []
    page.on("request", lambda each: "/reviews/" in each.url and asked.append(each.method))
    for number in (1, 2):
        press(page, "4", "4", "4", "4", "0", "Control+Enter")
        say(page, "Saved")
        expect(page.locator("[data-progress=mine]")).to_have_text(str(number))
    page.wait_for_load_state("networkidle")
    assert asked == ["POST", "POST"]


def test_the_next_answer_begins_at_the_first_criterion_wherever_the_last_one_ended(desk):
    page, _campaign = desk
    page.wait_for_load_state("networkidle")
    press(page, "4", "4", "4", "4", "0")
    assert page.evaluate("document.activeElement.name") == "criterion-material-factual-error"
    press(page, "Control+Enter")
    second = page.url
    with page.expect_response(
        lambda answer: answer.url.startswith(second) and answer.request.method == "POST"
    ):
        press(page, "5", "3", "3", "3", "0", "Control+Enter")
    expect(page.locator("[data-progress=mine]")).to_have_text("2")
    given = [answers_of(review).scores["accuracy"] for review in Review.objects.order_by("pk")]
    assert given == [4, 5]


def test_two_quick_submissions_on_a_slow_line_lead_to_the_third_answer(desk):
    page, _campaign = desk
    page.wait_for_load_state("networkidle")
    held = []

    def hold_the_first(route):
        if route.request.method == "POST" and not held:
            held.append(route)
        else:
            route.continue_()

    page.route(re.compile(r"/reviews/[0-9a-f-]{36}/\d/(\?|$)"), hold_the_first)
    first = page.url
    press(page, "4", "4", "4", "4", "0", "Control+Enter")
    second = page.url
    press(page, "5", "3", "3", "3", "0", "Control+Enter")
    expect(page.locator("[data-form]")).to_be_hidden()
    held[0].continue_()
    expect(page.locator("[data-form]")).to_be_visible()
    expect(page.locator("[data-progress=mine]")).to_have_text("2")
    assert len({first, second, page.url}) == 3
    assert Review.objects.count() == 2
    assert page.locator("[data-rubric] input:checked").count() == 0


def test_a_submission_survives_a_dead_network_and_is_sent_once(desk):
    page, _campaign = desk
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "3", "3", "3", "3", "0", "Control+Enter")
    say(page, "Not sent yet")
    assert not Review.objects.exists()
    page.context.set_offline(False)
    say(page, "Saved")
    assert (Review.objects.count(), Score.objects.count()) == (1, 5)
    assert CampaignReviewer.objects.get().reviews_done == 1


def test_an_answer_lost_on_the_way_back_is_not_stored_twice(desk):
    page, _campaign = desk
    page.wait_for_load_state("networkidle")
    lost = []

    def lose_the_first(route):
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r"/reviews/[0-9a-f-]{36}/\d/(\?|$)"), lose_the_first)
    press(page, "3", "3", "3", "3", "0", "Control+Enter")
    say(page, "Saved")
    assert lost == [201]
    assert Review.objects.count() == 1


def test_a_draft_whose_answer_was_lost_does_not_conflict_with_itself(desk):
    page, _campaign = desk
    lost = []

    def lose_the_first(route):
        if lost:
            route.continue_()
        else:
            lost.append(route.fetch().status)
            route.abort()

    page.route("**/draft/", lose_the_first)
    press(page, "c")
    page.keyboard.type("Half")
    say(page, "Offline")
    page.keyboard.type(" a thought")
    # It is sent again after five seconds.
    expect(page.locator("[data-state]")).to_contain_text("Draft saved", timeout=20_000)
    assert lost == [200]
    assert page.locator(".notice").count() == 0
    assert Draft.objects.get().body["comment"] == "Half a thought"


def test_an_open_page_is_told_that_the_campaign_was_closed_and_keeps_the_text(desk):
    page, campaign = desk
    place = page.url
    close_campaign(campaign=campaign, by=campaign.created_by)
    press(page, "c")
    page.keyboard.type("Too late")
    say(page, "was closed on")
    assert Draft.objects.get().body["comment"] == "Too late"
    page.goto(place)
    expect(page.locator("main")).to_contain_text("was closed on")
    expect(page.locator("main")).to_contain_text("Too late")


def test_a_draft_is_back_after_a_reload_and_on_the_server_within_two_seconds(desk):
    page, _campaign = desk
    press(page, "5", "1", "c")
    page.keyboard.type("Half a thou")
    say(page, "Draft saved")
    assert Draft.objects.get().body["scores"] == {"accuracy": 5, "clarity": 1}
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    assert page.locator("[data-comment]").input_value() == "Half a thou"
    assert page.locator("[data-rubric] input:checked").count() == 2


def test_what_was_typed_offline_is_back_after_the_tab_is_closed(desk):
    page, _campaign = desk
    address = page.url
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "2", "c")
    page.keyboard.type("Typed on a train")
    say(page, "Offline")
    page.close(run_before_unload=False)
    page.context.set_offline(False)
    again = page.context.new_page()
    again.goto(address)
    again.wait_for_selector("[data-review][data-ready]")
    assert again.locator("[data-comment]").input_value() == "Typed on a train"


def test_undo_opens_the_last_one_with_all_that_was_given(desk):
    page, _campaign = desk
    press(page, "4", "4", "4", "4", "0", "Control+Enter")
    say(page, "Saved")
    press(page, "u")
    page.wait_for_url(re.compile(r"/reviews/[0-9a-f-]{36}/\d/"))
    page.wait_for_selector(".notice-info")
    page.wait_for_selector("[data-review][data-ready]")
    assert page.locator("[data-rubric] input:checked").count() == 5
    page.locator("[name=criterion-tone]").first.focus()
    press(page, "1", "Control+Enter")
    say(page, "Saved")
    assert Review.objects.get().revision == 2
    assert Score.objects.get(criterion__key="tone").value == 1


def test_a_skip_asks_why_and_goes_on(desk):
    page, campaign = desk
    first = page.url
    press(page, "s", "Enter")
    say(page, "Skipped")
    page.wait_for_function("address => location.href !== address", arg=first)
    assert campaign.skips.get().reason == "My own client or case"


def test_the_keys_are_listed_and_can_be_switched_off(desk):
    page, _campaign = desk
    press(page, "?")
    assert page.locator("#keys").is_visible()
    with page.expect_response("**/reviews/keys/"):
        page.locator("[data-keys-switch]").uncheck()
    press(page, "Escape", "c")
    assert page.evaluate("document.activeElement.tagName") != "TEXTAREA"
    press(page, "4")
    assert page.locator("[data-rubric] input:checked").count() == 1


def test_switched_off_no_letter_stands_anywhere(desk):
    page, _campaign = desk
    press(page, "1")
    letters = page.locator(".review-bar [data-key-for] kbd, .reason kbd, [data-listed-key]")
    assert letters.filter(visible=True).count() > 3
    expect(page.get_by_role("button", name="Shortcuts ?")).to_be_visible()
    press(page, "?")
    with page.expect_response("**/reviews/keys/"):
        page.locator("[data-keys-switch]").uncheck()
    assert letters.filter(visible=True).count() == 0
    press(page, "Escape")
    assert letters.filter(visible=True).count() == 0
    expect(page.get_by_role("button", name="Shortcuts", exact=True)).to_be_visible()


def test_the_next_item_begins_at_its_top_with_the_first_criterion_in_sight(desk):
    page, _campaign = desk
    Output.objects.update(text="\n\n".join(f"Line {n} of a long answer." for n in range(80)))
    page.set_viewport_size({"width": 1440, "height": 560})
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    page.wait_for_load_state("networkidle")
    page.locator(".pane-answer").evaluate("pane => pane.scrollTo(0, 900)")
    press(page, "4", "4", "4", "4", "0")
    scrolls = "[...document.querySelectorAll('.pane')].map((pane) => pane.scrollTop)"
    assert page.evaluate(scrolls)[1:] != [0, 0]
    first = page.url
    press(page, "Control+Enter")
    say(page, "Saved")
    # The next answer comes by itself where it was not fetched ahead.
    expect(page).not_to_have_url(first)
    assert page.evaluate(scrolls) == [0, 0, 0]
    keyboard = Keyboard(page)
    assert keyboard.focused["group"].startswith("Accuracy")
    assert keyboard.unseen == []


def test_after_a_change_the_next_item_is_submitted_anew(desk):
    page, _campaign = desk
    press(page, "4", "4", "4", "4", "0", "Control+Enter")
    say(page, "Saved")
    press(page, "u")
    page.wait_for_selector(".notice-info")
    page.wait_for_selector("[data-review][data-ready]")
    expect(page.locator("[data-submit]")).to_contain_text("Submit the change")
    page.locator("[name=criterion-tone]").first.focus()
    press(page, "1", "Control+Enter")
    say(page, "Saved")
    expect(page.locator("[data-submit]")).to_contain_text("Submit and next")


def test_what_changes_were_requested_to_and_is_submitted_again_is_not_asked_for_any_more(desk):
    page, campaign = desk
    for number in range(8):
        press(page, "4", "4", "4", "4", "0", "Control+Enter")
        expect(page.locator("[data-progress=mine]")).to_have_text(str(number + 1))
        say(page, "Saved")
    review = Review.objects.first()
    request_changes(review=review, by=campaign.created_by, reason="Look at the tone again.")
    page.goto(f"{page.url.split('/reviews/')[0]}{review_url(review)}")
    page.wait_for_selector("[data-review][data-ready]")
    expect(page.locator("[data-notices]")).to_contain_text("Look at the tone again.")
    # As it was it is refused, and stays here with the reason.
    press(page, "Control+Enter")
    expect(page.locator("[data-notices]")).to_contain_text("The review is unchanged")
    page.wait_for_load_state("networkidle")
    expect(page.locator("[data-form]")).to_be_visible()
    page.locator("[name=criterion-tone]").first.focus()
    press(page, "1", "Control+Enter")
    expect(page.locator("[data-end]")).to_be_visible()
    expect(page.locator("[data-notices] .notice")).to_have_count(0)


def test_a_reviewer_taken_off_while_writing_is_told_and_keeps_the_text(desk):
    page, campaign = desk
    page.wait_for_load_state("networkidle")
    written = page.url
    press(page, "4", "4", "4", "4", "0", "c")
    page.keyboard.type("Too stiff for her.")
    remove_reviewer(campaign_reviewer=campaign.reviewers.get(), by=campaign.created_by)
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", name="You were removed from this campaign")).to_be_visible()
    expect(page.locator("[data-form]")).to_be_hidden()
    given = page.get_by_label("Your answers, to copy")
    expect(given).to_have_value(re.compile("Accuracy: 4\n(.*\n)*Comment: Too stiff for her."))
    assert not Review.objects.exists()
    page.goto(written)
    expect(page.locator("main")).to_contain_text("You were removed from this campaign")
    expect(page.locator("main")).to_contain_text("Too stiff for her.")


def test_long_instructions_leave_the_submit_button_in_sight(desk):
    page, campaign = desk
    words = "\n\n".join(f"Rule {n} of the house." for n in range(30))
    Campaign.objects.filter(pk=campaign.pk).update(instructions=words)
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    expect(page.get_by_text("Rule 0 of the house.")).to_be_visible()
    box = page.locator("[data-submit]").bounding_box()
    assert box["y"] + box["height"] <= 1000


def test_a_flag_is_sent_by_the_key_that_submits(desk):
    page, campaign = desk
    press(page, "f")
    page.keyboard.type("Another client's text")
    press(page, "Control+Enter")
    say(page, "Flagged")
    assert campaign.flags.get().note == "Another client's text"
    assert not Review.objects.exists()


def test_missing_scores_are_named_and_focused(desk):
    page, _campaign = desk
    press(page, "4", "Control+Enter")
    say(page, "4 still to score")
    assert page.evaluate("document.activeElement.name") == "criterion-clarity"
    assert not Review.objects.exists()


def test_the_ring_around_a_level_is_seen_whole(desk):
    page, _campaign = desk
    page.locator(".criterion .level input").nth(1).focus()
    press(page, "ArrowUp")
    ring = page.locator(".criterion .level:has(input:focus-visible)").evaluate(
        """level => {
            const style = getComputedStyle(level);
            const reach = parseFloat(style.outlineOffset) + parseFloat(style.outlineWidth);
            const next = level.nextElementSibling.getBoundingClientRect();
            return [style.outlineStyle, level.getBoundingClientRect().right + reach <= next.left];
        }"""
    )
    assert ring == ["solid", True]


ROWS = """() => [...document.querySelectorAll('.pane-rubric .criterion-row')].map(
    (row) => [...row.querySelectorAll('.level')].map((level) => level.getBoundingClientRect().toJSON()))"""


@pytest.mark.parametrize("size", [(1440, 900), (390, 844)], ids=["laptop", "phone"])
def test_five_criteria_fit_on_the_screen_and_nothing_moves_while_one_scores(desk, size):
    page, _campaign = desk
    page.set_viewport_size({"width": size[0], "height": size[1]})
    if page.locator(".review-instructions[open]").count():
        page.get_by_text("Instructions", exact=True).click()
    page.locator(".pane-rubric").evaluate("pane => pane.scrollIntoView()")
    before = page.evaluate(ROWS)
    assert len(before) == 5
    boxes = [level for row in before for level in row]
    assert all(box["top"] >= 0 and box["bottom"] <= size[1] and box["width"] >= 40 for box in boxes)
    # What each level means is said of the criterion that has the turn, and of no other.
    assert page.locator(".criterion-guide:visible").count() == 1
    expect(page.locator(".criterion-guide:visible .guide-title")).to_have_text("Accuracy")
    page.locator(".pane-rubric").get_by_role("group", name="Accuracy").get_by_role("radio").nth(1).focus()
    press(page, "2")
    # A low score asks for its reasons while the next criterion has the turn.
    expect(page.get_by_text("Accuracy: Why?")).to_be_visible()
    expect(page.locator(".criterion-guide:visible .guide-title")).to_have_text("Clarity")
    press(page, "5", "1")
    expect(page.get_by_text("Accuracy: Why?")).to_be_hidden()
    expect(page.get_by_text("Tone: Why?")).to_be_visible()
    page.locator(".criterion-guide:visible .level-guide > li").nth(3).click()
    assert page.evaluate("document.querySelector('[name=criterion-personalization]:checked').value") == "4"
    assert page.evaluate(ROWS) == before


def test_all_reasons_of_a_low_score_are_in_sight(page, live_server, sign_in):
    project, (person,) = make_team(1)
    campaign = make_campaign(project, [person], rows=2, candidates=1, overlap=1)
    (accuracy,) = campaign.rubric_version.criteria.filter(key="accuracy")
    for place, label in enumerate(
        ["repeats itself", "figure of another client", "date is missing", "no source"]
    ):
        ReasonTag.objects.create(criterion=accuracy, position=20 + place, key=f"more-{place}", label=label)
    open_campaign(campaign=campaign, by=project.created_by)
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    press(page, "2")
    expect(page.get_by_text("Accuracy: Why?")).to_be_visible()
    box = page.locator(".offers-reasons .reasons").bounding_box()
    reasons = page.locator(".offers-reasons .reason")
    assert reasons.count() >= 6
    for each in reasons.all():
        own = each.bounding_box()
        assert own["y"] >= box["y"] and own["y"] + own["height"] <= box["y"] + box["height"] + 1, (
            each.inner_text()
        )
