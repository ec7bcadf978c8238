"""What people said against what metrics say, the way back into training, and the lineage."""

import json
import re
from statistics import mean

from playwright.sync_api import Locator, expect

from tests.e2e.whole_loop.beginning import CANDIDATES, CLIENTS, DATASET, FIRST, RATED, SECOND
from tests.e2e.whole_loop.people import Person
from tests.e2e.whole_loop.rating import CAMPAIGN, REVIEWS, Rating

METRICS = ("ROUGE-1", "ROUGE-2", "ROUGE-L", "BLEU", "chrF", "Token F1", "Words")
VERDICT_NOTE = "The tone is not ours yet."


def _figure(cell: Locator) -> tuple[float, int, str]:
    """A cell's value, its decimals and its words."""
    text = " ".join(cell.inner_text().split())
    found = re.search(r"(\d+)(?:\.(\d+))?", text)
    assert found, f"no figure in {text!r}"
    decimals = found[2] or ""
    return float(f"{found[1]}.{decimals}"), len(decimals), text


def read_cases(engineer: Person, ratings: list[Rating]) -> None:
    """Every case holds what was given to its answers, and tells who wrote them, which ratings then know."""
    engineer.go_to("Results")
    engineer.follow(CAMPAIGN)
    _open_first_case(engineer)
    for position in range(len(RATED)):
        prompt = engineer.page.locator(".case-prompt .prose").first.inner_text()
        engineer.page.wait_for_load_state()
        for output in engineer.page.locator(".case-output").all():
            _read_output(output, prompt, ratings)
        if position < len(RATED) - 1:
            engineer.follow("Next")
            expect(engineer.page.locator(".case-prompt .prose").first).not_to_have_text(prompt)
    assert all(rating.candidate for rating in ratings)


def _read_output(output: Locator, prompt: str, ratings: list[Rating]) -> None:
    answer = output.locator(".prose").first.inner_text()
    given = [rating for rating in ratings if (rating.prompt, rating.answer) == (prompt, answer)]
    reviews = output.locator(".case-review")
    expect(reviews).to_have_count(len(given))
    for rating in given:
        rating.candidate = output.get_by_role("heading", level=2).inner_text().strip()
        own = reviews.filter(has_text=re.compile(rf"Tone\s*{rating.tone}"))
        expect(own.filter(has_text=rating.comment).first).to_be_visible()
        expect(own.filter(has_text="too formal")).to_have_count(own.count() if rating.tone <= 2 else 0)
        if rating.is_amended:
            expect(own.filter(has_text="amended")).to_have_count(1)
        if rating.correction:
            expect(own.filter(has_text="Lineage").first).to_be_visible()


def compare(manager: Person, ratings: list[Rating]) -> None:
    """People beside metrics; every mean is the mean of what was given, and leads to its cases."""
    manager.go_to("Results")
    manager.row(CAMPAIGN, "feedback", "Open", str(2 * REVIEWS))
    manager.follow(CAMPAIGN)
    manager.sees(
        "3 items × 3 candidates × 2 reviewers", "18 of 18 reviews so far, by 2", "blind", "reference hidden"
    )
    manager.sees("Not tested: ")
    manager.follow("Who is better")
    people = manager.page.locator("section[aria-labelledby=people]")
    people = people.locator("table").first
    expect(people.locator("tbody tr")).to_have_count(len(CANDIDATES))
    for label in CANDIDATES:
        row = people.locator("tbody tr").filter(has_text=label)
        cells = row.locator("td")
        value, digits, words = _figure(cells.nth(2))
        tones = [rating.tone for rating in ratings if rating.candidate == label]
        assert abs(value - mean(tones)) <= 0.5 * 10**-digits, (label, words, tones)
        # True of all means of the candidate, so it stands once.
        expect(row.get_by_text("no interval: reviewers with fewer than 5 items", exact=False)).to_have_count(
            1
        )
        expect(cells.nth(0)).to_contain_text("4.00")
    metrics = manager.page.locator("section[aria-labelledby=metrics]")
    expect(metrics.locator("thead")).to_contain_text(re.compile("ROUGE-L"))
    for name in METRICS:
        expect(metrics.locator("thead")).to_contain_text(name)
    expect(metrics.locator("tbody")).not_to_contain_text("ot scored")
    manager.follow("What to fix")
    reasons = manager.page.locator("section[aria-labelledby=reasons]")
    expect(reasons).to_contain_text("too formal")
    manager.follow("Can I trust it")
    expect(
        manager.page.locator("#human-against-metric, [data-chart] svg, [data-chart] canvas").first
    ).to_be_visible()
    manager.follow("Who is better")
    # A number leads to what it is made of.
    row = people.locator("tbody tr").filter(has_text=FIRST)
    row.locator("td").nth(2).locator("a.figure").click()
    manager.is_at("Cases")
    expect(manager.page.locator("main tbody tr")).to_have_count(len(RATED))


def close(manager: Person) -> None:
    manager.go_to("Campaigns")
    manager.follow(CAMPAIGN)
    manager.follow("Close…")
    manager.press("Close campaign")
    manager.sees("Closed", f"{2 * REVIEWS} of {2 * REVIEWS} reviews")


def decide(manager: Person) -> None:
    """From what waits on the home to the decision in the cycle's row."""
    manager.go_to("Home")
    manager.follow(f"{CAMPAIGN} is closed and waits for a decision")
    manager.choose("Candidate", FIRST)
    manager.page.get_by_label("Not yet").check()
    manager.fill("Note", VERDICT_NOTE)
    manager.press("Record decision")
    manager.go_to("Home")
    row = manager.row(CAMPAIGN, f"{DATASET} v1", FIRST, "Not yet")
    expect(row).to_contain_text("8 training rows")
    expect(row.locator("a.figure").first).to_be_visible()
    manager.sees("Nothing to do.")


def propose_rows(engineer: Person, *, own: str, others: list[str]) -> None:
    """Every row in or out with its reason; a correction of one's own is for somebody else."""
    engineer.go_to("Results")
    engineer.follow(CAMPAIGN)
    engineer.follow("Train the next version from these corrections")
    engineer.press("Propose rows")
    engineer.is_at(f"Feedback of {CAMPAIGN}")
    engineer.follow("Training answers")
    for text in (own, *others):
        engineer.row(text, "In", "Correction by a reviewer", "To decide")
    engineer.sees(re.compile(r"Mean \d\.\d is under 4\.5"))
    engineer.follow(own)
    engineer.sees("You wrote this correction; another person decides on it.")
    expect(engineer.page.get_by_role("button", name="Accept this text")).to_have_count(0)


def accept_what_others_wrote(engineer: Person, text: str, *, fixed: str) -> None:
    """Read one row, fix it, accept it; then the rest at once."""
    engineer.go_to("Data", "Proposed rows")
    engineer.follow(f"Feedback of {CAMPAIGN}")
    engineer.follow("Training answers")
    engineer.follow(text)
    engineer.sees("Original output", "Better answer")
    engineer.fill("Answer", fixed)
    engineer.press("Accept this text")
    engineer.go_to("Data", "Proposed rows")
    engineer.follow(f"Feedback of {CAMPAIGN}")
    engineer.press(re.compile(r"^Accept \d+ rows$"))


def accept_rest(manager: Person) -> None:
    """Somebody else decides on what the engineer wrote."""
    manager.go_to("Home")
    manager.follow(re.compile(f"Feedback of {CAMPAIGN}: "))
    manager.press(re.compile(r"^Accept \d+ rows?$"))
    expect(manager.page.locator(".stat").filter(has_text="To decide")).to_contain_text("0")


def finish_export(engineer: Person, texts: list[str]) -> None:
    """Files to take away, and a dataset version to train on."""
    engineer.go_to("Data", "Proposed rows")
    engineer.follow(f"Feedback of {CAMPAIGN}")
    engineer.fill("Note on the new version", "First corrections")
    engineer.press("Create dataset version")
    expect(engineer.page.get_by_role("heading", name="Created files")).to_be_visible(timeout=60_000)
    engineer.sees(f"{DATASET} v2")
    with engineer.page.expect_download() as started:
        engineer.follow("answers.jsonl")
    lines = started.value.path().read_text().splitlines()
    said = [json.loads(line)["completion"][0]["content"] for line in lines]
    assert sorted(said) == sorted(texts)
    engineer.follow(f"{DATASET} v2")
    for text in texts:
        engineer.row("train", text)


def choose_what_to_train_on(engineer: Person) -> None:
    """From the export to the next adapter's form, with its data chosen already."""
    engineer.go_to("Data", "Proposed rows")
    engineer.follow(f"Feedback of {CAMPAIGN}")
    engineer.follow("Train the next version")
    engineer.is_at("New run")
    expect(engineer.page.get_by_label("Dataset version").locator("option:checked")).to_contain_text(
        f"{DATASET} v2"
    )
    engineer.choose("Start from", f": {FIRST}$")


def walk_the_lineage(engineer: Person, rating: Rating) -> None:
    """From a rating to the adapter that it trained, and back to the rating."""
    engineer.go_to("Results")
    engineer.follow(CAMPAIGN)
    _open_first_case(engineer)
    prompt = engineer.page.locator(".case-prompt .prose").first
    for _ in RATED[1:]:
        here = prompt.inner_text()
        if here == rating.prompt:
            break
        engineer.follow("Next")
        expect(prompt).not_to_have_text(here)
    row = RATED[0] + [f"for a client who {each}." in rating.prompt for each in _rated_clients()].index(True)
    engineer.is_at(f"Row {row} of {DATASET} v1")
    output = engineer.page.locator(".case-output").filter(has_text=rating.answer)
    engineer.follow("Lineage", within=output)
    engineer.is_at("Lineage of a review")
    engineer.sees(f"of {rating.candidate}", "became row", f"of {DATASET} v2", f"{SECOND} created {SECOND}")
    engineer.page.locator("main li").filter(has_text="Training").get_by_role("link", name=SECOND).last.click()
    engineer.is_at(f"Lineage of {SECOND}")
    engineer.sees(f"the feedback of {CAMPAIGN}")
    expect(engineer.page.locator("ol.lineage > li")).to_contain_text([SECOND, FIRST])
    engineer.page.get_by_text("Ratings behind its data", exact=True).click()
    engineer.follow(re.compile(f"Review of {rating.candidate}, row "))
    engineer.is_at("Lineage of a review")
    engineer.follow(re.compile(f"^{CAMPAIGN}, row "))
    engineer.is_at(re.compile("^Row "))
    assert "#review-" in engineer.page.url


def read_audit(manager: Person) -> None:
    """Every write of the round stands in the audit, by whom."""
    manager.go_to("Settings", "Audit")
    for action, name in (
        ("Project created", "Manager"),
        ("Invitation accepted", "Reviewer"),
        ("Run started", "Engineer"),
        ("Campaign opened", "Manager"),
        ("Review amended", "Reviewer"),
        ("Export done", "Engineer"),
        ("Decision made", "Manager"),
    ):
        manager.follow(action.split()[0].lower())
        events = manager.page.locator("main tbody tr").filter(has_text=action)
        expect(events.first).to_contain_text(name)


def _rated_clients() -> list[str]:
    return [CLIENTS[number - 1] for number in RATED]


def _open_first_case(engineer: Person) -> None:
    engineer.follow("Who is better")
    table = engineer.page.locator("section[aria-labelledby=people]")
    table.locator("tbody tr").first.locator("td:last-child a.figure").click()
    engineer.is_at("Cases")
    engineer.page.locator("main tbody tr").first.get_by_role("link").click()
