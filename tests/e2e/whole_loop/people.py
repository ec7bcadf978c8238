"""People at their own browsers, and what their browsers complained of."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

PASSWORD = "nine plain words open the door"
# A training or a generation starts an interpreter with PyTorch in it.
JOB_MS = 120_000
PATIENCE_MS = 20_000


class Person:
    """Somebody with a browser of their own; every page they open must stay quiet and at home."""

    def __init__(self, browser: Browser, address: str, name: str, **settings: Any) -> None:
        self.name, self.address = name, address
        self.email = f"{name.lower()}@example.org"
        self.complaints: list[str] = []
        self.context = browser.new_context(base_url=address, **settings)
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("request", self._watch_address)
        self.context.on("response", self._watch_answer)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.context.on("console", self._watch_console)
        self.page: Page = self.context.new_page()

    def _watch_address(self, request: Any) -> None:
        if not request.url.startswith((self.address + "/", "data:", "blob:")):
            self.complaints.append(f"asks another host: {request.url}")

    def _watch_answer(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} from {response.request.method} {response.url}")

    def _watch_console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def sign_in(self) -> None:
        self.page.goto("/accounts/login/")
        self.fill("E-mail address", self.email)
        self.fill("Password", PASSWORD)
        self.press("Sign in")

    def go_to(self, entry: str, tab: str = "") -> None:
        """By the navigation, and by a tab of the entry."""
        for navigation, link in (("Main", entry), (entry, tab)):
            if link:
                place = self.page.get_by_role("navigation", name=navigation, exact=True)
                place.get_by_role("link", name=link, exact=True).click()

    def add_model(self, source: str) -> None:
        self.go_to("Models")
        self.follow("Add model")
        self.follow(source)

    def new_run(self, kind: str) -> None:
        self.go_to("Runs")
        self.follow("New run")
        self.follow(kind)

    def follow(self, link: str | re.Pattern[str], *, within: Locator | None = None) -> None:
        """Click a link of the page's content."""
        place = within if within is not None else self.page.locator("main")
        place.get_by_role("link", name=link, exact=isinstance(link, str)).first.click()

    def press(self, button: str | re.Pattern[str]) -> None:
        place = self.page.locator("main")
        place.get_by_role("button", name=button, exact=isinstance(button, str)).click()

    def fill(self, label: str, text: str) -> None:
        self.page.locator("main").get_by_label(label).first.fill(text)

    def choose(self, label: str, option: str) -> None:
        """Choose the one entry of a list whose words fit a pattern."""
        field = self.page.locator("main").get_by_label(label).first
        fitting = field.locator("option").filter(has_text=re.compile(option))
        expect(fitting).to_have_count(1)
        field.select_option(label=fitting.inner_text())

    def tick(self, label: str | re.Pattern[str], is_on: bool = True) -> None:
        box = self.page.locator("main").get_by_role("checkbox", name=label, exact=isinstance(label, str))
        box.set_checked(is_on)

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        for text in texts:
            expect(self.page.locator("main")).to_contain_text(text)

    def is_at(self, heading: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    def row(self, *texts: str | re.Pattern[str]) -> Locator:
        """The one table row with these texts."""
        rows = self.page.locator("main tbody tr")
        for text in texts:
            rows = rows.filter(has_text=text)
        expect(rows).to_have_count(1)
        return rows

    def waits_for_job(self, state: str = "Succeeded") -> None:
        """Watch the progress on the page, which turns into the result without a reload by hand."""
        chip = self.page.locator(".job-progress .chip").first
        expect(chip).to_have_text(state, timeout=JOB_MS)

    def close(self) -> None:
        self.context.close()


@contextmanager
def three_people(browser: Browser, address: str, settings: dict[str, Any]) -> Iterator[tuple[Person, ...]]:
    """A manager, an engineer and a reviewer; at the end none of their browsers may have complained."""
    people = tuple(Person(browser, address, name, **settings) for name in ("Manager", "Engineer", "Reviewer"))
    try:
        yield people
    finally:
        for person in people:
            person.close()
    assert {person.name: person.complaints for person in people} == {person.name: [] for person in people}
