"""Marking words of an answer, by keys and by mouse, on text that the browser and the server count unlike."""

import gzip

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from evalapp.reviews.models import Draft, Review
from evalapp.reviews.queries import answers_of
from evalapp.reviews.spans import Span
from evalapp.rubrics.drafts import CriterionDraft
from evalapp.rubrics.kinds.base import Option
from evalapp.rubrics.services import create_rubric, save_version
from tests.campaigns.making import make_team
from tests.e2e.looks import RULES
from tests.factories import make_campaign

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

# Each line is harder to count: joined figures, a letter beyond 16 bits, a combining accent, right-to-left
# words.
TEXT = "👩‍👩‍👧‍👦 one\r\n𝒳 two e\u0301t\u00e9\r\nשלום עולם three 🇩🇪 end"


def make_desk(page, live_server, sign_in, text=TEXT, **fields):
    project, (person,) = make_team(1)
    labels = (Option("invented", is_undesired=True), Option("well said"))
    version = save_version(
        rubric=create_rubric(project=project, name="Marks", by=project.created_by),
        criteria=[
            CriterionDraft(name="Tone"),
            CriterionDraft(
                name="Facts", kind="spans", minimum=0, maximum=1, low_threshold=None,
                allows_not_applicable=True, options=labels,
            ),
        ],
        by=project.created_by,
    )  # fmt: skip
    campaign = make_campaign(
        project, [person], rows=3, rubric_version=version, texts={"formal": text}, **fields
    )
    sign_in(person)
    page.goto(f"{live_server.url}/reviews/campaigns/{campaign.key}/")
    page.wait_for_selector("[data-review][data-ready]")
    return campaign


@pytest.fixture
def desk(page, live_server, sign_in):
    problems = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    make_desk(page, live_server, sign_in)
    yield page
    assert problems == []


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)


def say(page, words):
    expect(page.locator("[data-state]")).to_contain_text(words)


def select(page, words):
    """As the mouse would: from the first of the words to the last, wherever they stand in the page."""
    page.locator("[data-answer-raw]").evaluate(
        """(raw, words) => {
            const at = raw.textContent.indexOf(words);
            const walker = document.createTreeWalker(raw, NodeFilter.SHOW_TEXT);
            const point = (unit) => {
                walker.currentNode = raw;
                while (walker.nextNode()) {
                    if (unit <= walker.currentNode.length) return [walker.currentNode, unit];
                    unit -= walker.currentNode.length;
                }
            };
            getSelection().setBaseAndExtent(...point(at), ...point(at + words.length));
        }""",
        words,
    )


def span(words, label, comment=""):
    start = TEXT.index(words)
    return Span(start, start + len(words), label, comment)


def test_words_are_marked_and_commented_by_keys_alone(desk):
    page = desk
    press(page, "4", "h")
    expect(page.get_by_role("textbox", name="Exact text of the answer")).to_be_focused()
    # One step is the whole family, which is seven code points and eleven units.
    press(page, "Shift+ArrowRight", "1", "c")
    page.keyboard.type("Who? 12 of them")
    press(page, "Enter", "End", "Shift+Control+ArrowLeft", "2", "Escape")
    assert page.evaluate("document.activeElement.closest('[data-rubric]') !== null")
    expect(page.locator("[data-span-list] q")).to_have_text(["👩‍👩‍👧‍👦", "one"])
    # What is marked stays in sight.
    expect(page.locator(".span-mark")).to_have_text(["👩‍👩‍👧‍👦", "one"])
    assert page.locator(".span-mark").first.is_visible()
    press(page, "Control+Enter")
    say(page, "Saved")
    said = answers_of(Review.objects.get())
    assert said.spans == {"facts": [Span(0, 7, 1, "Who? 12 of them"), span("one", 2)]}
    assert said.scores == {"tone": 4}
    # The next one has none.
    expect(page.locator("[data-span-list] li")).to_have_count(0)


@pytest.mark.parametrize(
    "words", ["𝒳", "e\u0301", "t\u00e9", "שלום", "עולם three", "🇩🇪", "two e\u0301t\u00e9\r\nש"]
)
def test_a_stretch_is_stored_as_the_server_counts(desk, words):
    page = desk
    page.get_by_role("button", name="Highlight h").click()
    select(page, words)
    page.locator("[data-span-bar]").get_by_role("button", name="well said").click()
    press(page, "Escape", "3", "Control+Enter")
    say(page, "Saved")
    (mark,) = answers_of(Review.objects.get()).spans["facts"]
    assert TEXT[mark.start : mark.end] == words
    assert mark == span(words, 2)


def test_marks_are_told_apart_without_colour_and_can_be_removed(desk):
    page = desk
    press(page, "h")
    select(page, "two")
    press(page, "1")
    select(page, " two e\u0301t\u00e9 ".strip())
    press(page, "2")
    marks = page.locator(".span-mark")
    assert marks.evaluate_all("all => all.map((each) => [each.textContent, each.dataset.ends ?? ''])") == [
        ["two", "1"],
        [" e\u0301t\u00e9", "2"],
    ]
    content = marks.first.evaluate("each => getComputedStyle(each, '::after').content")
    assert content == '"1"'
    # The text itself is what it was.
    assert page.locator("[data-answer-raw]").evaluate("each => each.textContent") == TEXT
    select(page, "two")
    press(page, "1")
    expect(page.locator("[data-span-said]")).to_contain_text("already")
    page.get_by_role("button", name="Remove invented, “two”").click()
    expect(page.locator("[data-span-list] q")).to_have_text(["two e\u0301t\u00e9"])
    press(page, "h")
    page.locator("[data-answer-raw]").focus()
    select(page, "e\u0301t")
    press(page, "Delete")
    expect(page.locator("[data-span-list] li")).to_have_count(0)


def test_nothing_can_be_written_into_the_answer(desk):
    page = desk
    press(page, "h")
    page.keyboard.type("xyz")
    press(page, "Enter", "Control+b", "Control+x", "Control+Delete")
    page.keyboard.insert_text("ü")
    assert page.locator("[data-answer-raw]").evaluate("each => each.textContent") == TEXT


def test_marks_wait_in_the_draft_and_come_back(desk):
    page = desk
    press(page, "h")
    select(page, "three")
    press(page, "2")
    say(page, "Draft saved")
    assert Draft.objects.get().body["spans"] == {"facts": [span("three", 2).as_dict()]}
    page.reload()
    page.wait_for_selector("[data-review][data-ready]")
    expect(page.locator("[data-span-list] q")).to_have_text(["three"])
    expect(page.locator("[data-answer-raw] mark")).to_have_text(["three"])


def test_what_must_be_marked_is_asked_for_or_there_is_nothing(desk):
    page = desk
    press(page, "4", "Control+Enter")
    expect(page.get_by_text("or say that there is nothing to mark")).to_be_visible()
    nothing = page.get_by_label("Nothing to mark")
    press(page, "Tab", "Space")
    expect(nothing).to_be_checked()
    # A mark takes it back, and while there is one it cannot be said.
    press(page, "h")
    select(page, "end")
    press(page, "1")
    expect(nothing).not_to_be_checked()
    expect(nothing).to_be_disabled()
    page.get_by_role("button", name="Remove invented").click()
    nothing.check()
    press(page, "Control+Enter")
    say(page, "Saved")
    assert answers_of(Review.objects.get()).scores == {"tone": 4, "facts": "na"}


def test_a_submitted_mark_is_opened_again_and_changed(desk):
    page = desk
    press(page, "4", "h")
    select(page, "one")
    press(page, "2", "Control+Enter")
    say(page, "Saved")
    press(page, "Escape", "u")
    page.wait_for_selector(".notice-info")
    page.wait_for_selector("[data-review][data-ready]")
    page.get_by_label("Comment on well said, “one”").fill("so")
    press(page, "Control+Enter")
    say(page, "Saved")
    assert answers_of(Review.objects.get()).spans == {"facts": [span("one", 2, "so")]}


def test_marks_are_given_without_scripts(desk, browser, live_server):
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(desk.context.cookies())
    plain = context.new_page()
    plain.goto(desk.url)
    plain.get_by_label("Words", exact=True).fill("שלום")
    plain.get_by_label("Label", exact=True).select_option(label="well said")
    plain.get_by_role("button", name="Highlight words").click()
    expect(plain.locator(".span-list q")).to_have_text(["שלום"])
    plain.get_by_role("group", name="Tone").get_by_role("radio").nth(3).check()
    plain.get_by_role("button", name="Submit and next").click()
    plain.wait_for_load_state()
    assert answers_of(Review.objects.get()).spans == {"facts": [span("שלום", 2)]}
    context.close()


def test_an_item_is_flagged_by_a_key_and_kept(desk):
    page = desk
    before = page.url
    press(page, "f")
    page.keyboard.type("Of another client")
    press(page, "Tab", "Enter")
    say(page, "Flagged")
    assert page.url == before
    press(page, "5")
    assert page.locator("[data-rubric] input:checked").count() == 1


@pytest.mark.parametrize(("width", "theme"), [(1440, "light"), (390, "dark")])
def test_axe_finds_nothing_while_words_are_marked(desk, width, theme):
    page = desk
    page.set_viewport_size({"width": width, "height": 3000})
    page.emulate_media(color_scheme=theme)
    press(page, "h")
    for words, figure in (("two", "1"), ("three", "2"), ("two e\u0301t\u00e9", "2")):
        select(page, words)
        press(page, figure)
    for _ in ("with the keys of the text", "with the list alone"):
        violations = (
            Axe().run(page, options={"runOnly": RULES, "resultTypes": ["violations"]}).response["violations"]
        )
        assert [(each["id"], node["html"][:200]) for each in violations for node in each["nodes"]] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        press(page, "Escape")


def test_the_page_weighs_at_most_150_kb(desk):
    """Scripts and styles of the review page, as they travel."""
    loaded = desk.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")
    loaded = [address for address in loaded if address.partition("?")[0].endswith((".js", ".css"))]
    assert any(address.endswith("review-spans.js") for address in loaded)
    weights = [len(gzip.compress(desk.request.get(address).body())) for address in loaded]
    assert sum(weights) <= 150_000


def test_by_touch_a_mark_is_made_and_commented_where_the_text_is(browser, live_server, sign_in, context):
    touching = browser.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = touching.new_page()
    try:
        make_desk(
            page, live_server, lambda person: touching.add_cookies(cookies_of(context, sign_in, person))
        )
        expect(page.get_by_role("button", name="Shortcuts")).to_be_hidden()
        page.get_by_role("button", name="Highlight", exact=True).tap()
        said = page.locator("[data-span-said]")
        expect(said).to_contain_text("Press and hold a word")
        select(page, "three")
        page.locator("[data-span-bar]").get_by_role("button", name="invented").tap()
        expect(said).to_have_text("“three” highlighted as invented.")
        page.get_by_label("Comment on this highlight").fill("Two of them")
        say(page, "Draft saved")
        assert Draft.objects.get().body["spans"]["facts"][0]["comment"] == "Two of them"
        expect(page.get_by_label("Comment on invented, “three”")).to_have_value("Two of them")
    finally:
        touching.close()


def cookies_of(context, sign_in, person):
    sign_in(person)
    return context.cookies()
