"""A reviewer who compares answers, in a real browser with the keyboard alone."""

import re

import pytest
from playwright.sync_api import expect

from evalapp.campaigns.models import CampaignReviewer
from evalapp.campaigns.services import close_campaign, remove_reviewer
from evalapp.reviews.models import Draft, Review
from evalapp.runs.models import Output
from tests.campaigns.making import make_open_campaign, make_team

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def desk_of(page, live_server, sign_in):
    """Opens a campaign's first comparison for its only reviewer; the browser must not complain."""
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))

    def opened(**options):
        project, (person,) = make_team(1)
        campaign = make_open_campaign(
            project, [person], **{"rows": 4, "candidates": 2, "overlap": 1, "method": "pairwise", **options}
        )
        sign_in(person)
        page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
        page.wait_for_selector("[data-review][data-ready]")
        return page, campaign

    yield opened
    assert problems == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def say(page, words):
    expect(page.locator("[data-state]")).to_contain_text(words)


def test_a_pair_is_judged_by_keyboard_alone_and_the_next_is_there(desk_of):
    page, _campaign = desk_of()
    page.wait_for_load_state("networkidle")
    first = page.url
    press(page, "2", "c")
    page.keyboard.type("Says what to do.")
    press(page, "Escape", "Control+Enter")
    say(page, "Saved")
    expect(page).not_to_have_url(first)
    review = Review.objects.get()
    assert (review.preference.choice, review.comment) == ("b", "Says what to do.")
    assert 0 < review.seconds_active < 120
    assert page.locator("[name=choice]:checked").count() == 0
    assert page.evaluate("document.activeElement.name") == "choice"
    for key, choice in (("1", "a"), ("3", "tie"), ("4", "both_bad")):
        page.wait_for_load_state("networkidle")
        press(page, key, "Control+Enter")
        say(page, "Saved")
        expect(page.locator("[data-progress=mine]")).to_have_text(str(Review.objects.count()))
        assert Review.objects.latest("pk").preference.choice == choice
    expect(page.locator("[data-end-title]")).to_have_text("All done")


def test_what_differs_is_marked_on_both_sides(desk_of):
    page, _campaign = desk_of(rows=1)
    for output in Output.objects.all():
        output.text = f"You hold {60 if output.text.split()[1] == 'a' else 40}% shares. Call us."
        output.save(update_fields=["text"])
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    press(page, "d")
    figures = [page.locator("[data-side] del").inner_text(), page.locator("[data-side] ins").inner_text()]
    assert sorted(figures) == ["40", "60"]
    assert page.locator("[data-side='0'] [data-answer]").is_hidden()
    expect(page.locator("[data-compare-legend]")).to_be_visible()
    press(page, "r")
    assert page.locator("[data-side] del").count() == 0
    assert "Call us." in page.locator("[data-side='1'] [data-answer-raw]").inner_text()
    press(page, "r")
    assert page.locator("[data-side='0'] [data-answer]").is_visible()


def test_answers_are_put_in_order_by_figures_and_a_rank_is_given_once(desk_of):
    page, _campaign = desk_of(candidates=3, method="ranking", rows=2)
    page.wait_for_load_state("networkidle")
    press(page, "2", "1")
    expect(page.locator("[data-order]")).to_have_text("Your order: B › A …")
    press(page, "Control+Enter")
    say(page, "Not submitted yet")
    expect(page.get_by_text("Not ranked yet: C.")).to_have_count(1)
    press(page, "3")
    expect(page.locator("[data-order]")).to_have_text("Your order: B › A › C")
    # Who had the rank takes the one that is free now.
    page.locator("[name=rank-2][value='1']").focus()
    press(page, "1")
    expect(page.locator("[data-order]")).to_have_text("Your order: C › A › B")
    press(page, "Control+Enter")
    say(page, "Saved")
    assert Review.objects.get().preference.ranks == [2, 3, 1]
    assert page.locator("[data-ranks] input:checked").count() == 0


def test_nothing_is_submitted_without_a_preference(desk_of):
    page, _campaign = desk_of()
    press(page, "Control+Enter")
    say(page, "Not submitted yet")
    expect(page.get_by_text("Choose the better answer")).to_have_count(1)
    assert not Review.objects.exists()


def test_on_a_phone_what_a_preference_lacks_is_in_sight(desk_of):
    page, _campaign = desk_of()
    page.set_viewport_size({"width": 390, "height": 600})
    page.locator("[data-submit]").click()
    expect(page.get_by_text("Choose the better answer")).to_be_in_viewport(ratio=1)


def test_on_a_phone_an_answer_without_a_rank_is_in_sight(desk_of):
    page, _campaign = desk_of(candidates=3, method="ranking", rows=2)
    page.set_viewport_size({"width": 390, "height": 400})
    page.locator("[data-submit]").click()
    expect(page.locator("[name=rank-0][value='1']")).to_be_in_viewport()


def test_what_a_submission_lacks_stays_told_while_the_draft_is_saved(desk_of):
    page, _campaign = desk_of()
    press(page, "c")
    page.keyboard.type("Why")
    page.locator("[data-submit]").click()
    say(page, "Draft saved")
    say(page, "Not submitted yet")
    page.locator("[name=choice]").first.check()
    expect(page.locator("[data-state]")).not_to_contain_text("Not submitted yet")


def test_a_draft_is_back_after_a_reload_and_on_the_server_within_two_seconds(desk_of):
    page, _campaign = desk_of()
    press(page, "1", "c")
    page.keyboard.type("Half a thou")
    say(page, "Draft saved")
    body = Draft.objects.get().body
    assert (body["choice"], body["comment"]) == ("a", "Half a thou")
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    assert page.locator("[data-comment]").input_value() == "Half a thou"
    assert page.locator("[name=choice]:checked").get_attribute("value") == "a"


def test_what_was_chosen_offline_is_back_after_the_tab_is_closed(desk_of):
    page, _campaign = desk_of()
    address = page.url
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "2", "c")
    page.keyboard.type("On a train")
    say(page, "Offline")
    page.close(run_before_unload=False)
    page.context.set_offline(False)
    again = page.context.new_page()
    again.goto(address)
    again.wait_for_selector("[data-review][data-ready]")
    assert again.locator("[data-comment]").input_value() == "On a train"
    assert again.locator("[name=choice]:checked").get_attribute("value") == "b"


def test_a_submission_survives_a_dead_network_and_an_answer_lost_on_the_way(desk_of):
    page, _campaign = desk_of()
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "1", "Control+Enter")
    say(page, "Not sent yet")
    assert not Review.objects.exists()
    page.context.set_offline(False)
    say(page, "Saved")
    lost = []

    def lose_the_first(route):
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    page.route(re.compile(r"/reviews/[0-9a-f-]{36}/\d/(\?|$)"), lose_the_first)
    page.wait_for_load_state("networkidle")
    press(page, "1", "Control+Enter")
    say(page, "Saved")
    assert lost == [201]
    assert Review.objects.count() == CampaignReviewer.objects.get().reviews_done == 2


def test_an_open_page_is_told_that_the_campaign_was_closed_and_keeps_the_text(desk_of):
    page, campaign = desk_of()
    place = page.url
    close_campaign(campaign=campaign, by=campaign.created_by)
    press(page, "1", "c")
    page.keyboard.type("Too late")
    say(page, "was closed on")
    page.goto(place)
    expect(page.locator("main")).to_contain_text("was closed on")
    expect(page.locator("main")).to_contain_text("Too late")


def test_a_reviewer_taken_off_while_comparing_is_told_and_keeps_the_text(desk_of):
    page, campaign = desk_of()
    page.wait_for_load_state("networkidle")
    written = page.url
    press(page, "1", "c")
    page.keyboard.type("Clearer for her.")
    remove_reviewer(campaign_reviewer=campaign.reviewers.get(), by=campaign.created_by)
    press(page, "Control+Enter")
    expect(page.get_by_role("heading", name="You were removed from this campaign")).to_be_visible()
    given = page.get_by_label("Your answers, to copy")
    expect(given).to_have_value("Preference: A is better\nReason: Clearer for her.")
    assert not Review.objects.exists()
    page.goto(written)
    expect(page.locator("main")).to_contain_text("You were removed from this campaign")
    expect(page.locator("main")).to_contain_text("Clearer for her.")


def test_undo_opens_the_last_one_to_be_changed_and_a_skip_goes_on(desk_of):
    page, campaign = desk_of()
    press(page, "1", "Control+Enter")
    say(page, "Saved")
    press(page, "u")
    page.wait_for_selector(".notice-info")
    page.wait_for_selector("[data-review][data-ready]")
    assert page.locator("[name=choice]:checked").get_attribute("value") == "a"
    press(page, "3", "Control+Enter")
    say(page, "Saved")
    review = Review.objects.get()
    assert (review.preference.choice, review.revision) == ("tie", 2)
    page.wait_for_load_state("networkidle")
    before = page.url
    press(page, "s", "Enter")
    say(page, "Skipped")
    page.wait_for_function("address => location.href !== address", arg=before)
    assert campaign.skips.get().reason == "My own client or case"


def test_the_keys_are_listed_and_can_be_switched_off(desk_of):
    page, _campaign = desk_of()
    press(page, "?")
    assert page.locator("#keys").is_visible()
    assert page.locator("[data-listed-key=diff]").inner_text() == "d"
    with page.expect_response("**/reviews/keys/"):
        page.locator("[data-keys-switch]").uncheck()
    press(page, "Escape", "d")
    assert page.locator("[data-compare]").get_attribute("aria-pressed") == "false"
    press(page, "1")
    assert page.locator("[name=choice]:checked").count() == 1


def test_on_a_phone_the_answers_stand_one_under_the_other_and_nothing_is_cut(desk_of):
    page, _campaign = desk_of()
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    first, second = (page.locator(f"[data-side='{n}']").bounding_box() for n in (0, 1))
    assert first["y"] + first["height"] <= second["y"]
    assert first["width"] > 300


def test_an_item_is_flagged_by_a_key_and_kept(desk_of):
    page, campaign = desk_of(rows=1)
    before = page.url
    press(page, "f")
    page.keyboard.type("Both are of another client")
    press(page, "Tab", "Enter")
    say(page, "Flagged")
    assert page.url == before
    assert campaign.flags.get().note == "Both are of another client"
    press(page, "1", "Control+Enter")
    say(page, "Saved")
