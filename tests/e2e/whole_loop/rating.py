"""The rubric, the campaign and the ratings."""

import re
from dataclasses import dataclass

from playwright.sync_api import expect

from tests.e2e.whole_loop.beginning import ANSWERS, CANDIDATES, DATASET, RATED
from tests.e2e.whole_loop.people import Person

RUBRIC, QUESTION = "Summary quality", "Would you send it to this client under your name?"
CAMPAIGN, INSTRUCTIONS = "First round", "Read the request before the answer."
REVIEWS = len(RATED) * len(CANDIDATES)
# One figure a review and in turn, so that the means of the candidates differ.
TONES = (2, 4, 1, 5, 3, 2, 5, 1, 4)


@dataclass
class Rating:
    """What somebody gave an answer, known by the words they saw; who wrote it was hidden from them."""

    prompt: str
    answer: str
    tone: int
    correction: str = ""
    comment: str = ""
    is_amended: bool = False
    candidate: str = ""


def ask_in_own_words(manager: Person) -> None:
    """The rubric that is there from the start, with one question changed in the builder."""
    manager.go_to("Campaigns", "Rubrics")
    manager.row(RUBRIC, "v1", "Draft", "5")
    manager.follow(RUBRIC)
    manager.follow("Edit criteria")
    tone = manager.page.get_by_role("group", name=re.compile("3. Tone"))
    tone.get_by_label("Question").fill(QUESTION)
    manager.press("Save")
    manager.is_at(f"{RUBRIC} v1")
    expect(manager.page.locator(".review-preview")).to_contain_text(QUESTION)


def launch(manager: Person, reviewers: tuple[Person, ...]) -> None:
    manager.go_to("Runs")
    manager.follow(ANSWERS)
    manager.follow("Create campaign")
    # The run has said already what there is to review.
    chosen = manager.page.locator("main option:checked")
    expect(chosen).to_contain_text([f"{DATASET} v1", "Feedback", f"{RUBRIC} v1"])
    for label in CANDIDATES:
        expect(manager.page.get_by_role("checkbox", name=re.compile(f"{label} · "))).to_be_checked()
    manager.fill("Name", CAMPAIGN)
    manager.fill("Instructions", INSTRUCTIONS)
    for person in reviewers:
        manager.tick(person.name)
    manager.fill("Reviewers per item", str(len(reviewers)))
    manager.page.get_by_label("Reviewers per item").blur()
    cost = f"{len(RATED)} items × {len(CANDIDATES)} candidates × {len(reviewers)} reviewers"
    manager.sees(
        f"{cost} = {REVIEWS * len(reviewers)} reviews",
        f"Each of {len(reviewers)} people: about {len(RATED)} items × {len(CANDIDATES)} candidates ="
        f" {REVIEWS} reviews",
    )
    manager.press("Save design")
    manager.is_at(CAMPAIGN)
    manager.press("Open campaign")
    manager.sees("Blind", f"0 of {REVIEWS * len(reviewers)} reviews")
    manager.go_to("Campaigns", "Rubrics")
    manager.row(RUBRIC, "v1", "In use")


def _type(person: Person, *keys: str) -> None:
    for key in keys:
        person.page.keyboard.press(key)


def rate_everything(
    person: Person, tones: tuple[int, ...], *, corrections: dict[int, str], comment: str
) -> list[Rating]:
    """All answers by keyboard, blind; the first gets the comment, ``corrections`` says what to rewrite."""
    person.page.goto("/reviews/")
    person.follow(re.compile("Start reviewing"))
    person.page.wait_for_selector("[data-review][data-ready]")
    person.sees(INSTRUCTIONS, QUESTION)
    ratings = []
    for number, tone in enumerate(tones):
        expect(person.page.locator("[data-progress=mine]")).to_have_text(str(number))
        # Nothing on the page may say which model wrote the answer.
        expect(person.page.locator("[data-candidate]")).to_be_hidden()
        rating = Rating(
            prompt=person.page.locator("[data-source] .prose").first.inner_text(),
            answer=person.page.locator("[data-answer]").inner_text(),
            tone=tone,
            correction=corrections.get(number, ""),
            comment="" if number else comment,
        )
        _give(person, rating)
        ratings.append(rating)
    expect(person.page.locator("[data-end]")).to_be_visible()
    expect(person.page.locator("[data-progress=mine]")).to_have_text(str(len(tones)))
    return ratings


def _give(person: Person, rating: Rating) -> None:
    page = person.page
    _type(person, "4", "5", str(rating.tone))
    if rating.tone <= 2:
        reasons = page.locator("[data-criterion=tone] .reason").filter(has_text="too formal")
        expect(reasons).to_be_visible()
        _type(person, "a")
        expect(reasons.get_by_role("checkbox")).to_be_checked()
    _type(person, "3", "0")
    if rating.comment:
        _type(person, "c")
        page.keyboard.type(rating.comment)
        _type(person, "Escape")
    if rating.correction:
        _type(person, "e", "ControlOrMeta+a")
        page.keyboard.type(rating.correction)
        expect(page.locator("[data-diff] ins").first).to_be_visible()
    _type(person, "ControlOrMeta+Enter")


def amend_the_first(person: Person, rating: Rating, *, tone: int) -> None:
    """Open what was submitted first, give another score, and see that it counts once."""
    person.page.goto("/reviews/")
    person.follow("My submitted reviews")
    expect(person.page.locator("main tbody tr")).to_have_count(REVIEWS)
    person.row(rating.comment).get_by_role("link").click()
    person.page.wait_for_selector("[data-review][data-ready]")
    person.sees("Change it and submit again")
    person.page.locator(f"[data-criterion=tone] input[value='{tone}']").check()
    _type(person, "ControlOrMeta+Enter")
    expect(person.page.locator("[data-state]")).to_contain_text("Saved")
    rating.tone, rating.is_amended = tone, True
    person.page.goto("/reviews/submitted/")
    expect(person.row(rating.comment)).to_contain_text(re.compile(rf"Tone\s*{tone}"))
    expect(person.row(rating.comment)).to_contain_text(re.compile(r"Material factual error\s*no"))
    expect(person.row(rating.comment)).to_contain_text("changed")
    expect(person.page.locator("main tbody tr")).to_have_count(REVIEWS)
