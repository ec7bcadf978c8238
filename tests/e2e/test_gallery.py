from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from tests.charts import samples

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.e2e.gallery"),
    pytest.mark.usefixtures("browser_bundle"),
]


@pytest.fixture
def gallery(
    live_server: Any, page: Page, sign_in: Callable[[User], object], owner: User, project: Project
) -> str:
    sign_in(owner)
    return f"{live_server.url}/gallery/"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_and_components_show_under_the_content_policy(
    theme: str, gallery: str, page: Page, complaints: list[str]
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(gallery)
    expect(page.locator("[data-chart=scatter] svg .mark-symbol.role-mark path")).to_have_count(
        12, timeout=20_000
    )
    ink = page.evaluate("getComputedStyle(document.body).color")
    legend = page.locator("[data-chart=scatter] .role-legend-label text").first
    assert legend.get_attribute("fill") == ink
    assert complaints == []


# Each once; every kind of chart is looked at in both themes by test_charts_seen.
@pytest.mark.parametrize(
    ("kind", "mark", "count", "token", "theme"),
    [
        ("ratings", "mark-rect", 16, "rating-1", "light"),
        ("differences", "mark-symbol", 3, "candidate-2", "dark"),
        ("means", "mark-symbol", 2, "candidate-1", "light"),
        ("agreement", "mark-rect", 4, None, "dark"),
    ],
)
def test_a_chart_is_drawn_in_the_theme_with_its_words(
    kind: str, mark: str, count: int, token: str | None, theme: str, gallery: str, page: Page
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(gallery)
    figure = page.locator(f"[data-chart=chart-{kind}]")
    marks = figure.locator(f"svg .{mark}.role-mark path")
    expect(marks).to_have_count(count, timeout=20_000)
    if token is not None:
        probe = (
            "Object.assign(document.body.appendChild(document.createElement('i')), {style: 'color:"
            f" var(--{token})'}})"
        )
        assert marks.first.get_attribute("fill") == page.evaluate(f"getComputedStyle({probe}).color")
    ink = page.evaluate("getComputedStyle(document.body).color")
    assert figure.locator(".role-axis-label text").last.get_attribute("fill") in {ink, soft(page)}
    # A picture of nothing takes some hundred bytes.
    assert len(figure.locator(".chart-drawing").screenshot()) > 3_000
    says = samples.ALL[kind]().says
    expect(figure.locator(".chart-says")).to_have_text(says)
    figure.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(figure.locator("table")).to_be_visible()


def soft(page: Page) -> str:
    """The colour of quiet words."""
    colour: str = page.evaluate("getComputedStyle(document.querySelector('.chart figcaption')).color")
    return colour


def test_a_point_opens_its_case(gallery: str, page: Page) -> None:
    page.goto(gallery)
    page.locator("[data-chart=scatter] .mark-symbol.role-mark path").first.click()
    page.wait_for_url("**/profile/?item=0")


def test_nothing_is_wider_than_a_phone(gallery: str, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(gallery)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_chosen_theme_sticks(gallery: str, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(gallery)
    menu = page.locator("header .menu summary")
    menu.click()
    page.get_by_role("button", name="Theme: system").click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
    menu.click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_the_confirmation_names_what_goes_and_closes_by_escape(gallery: str, page: Page) -> None:
    page.goto(gallery)
    page.get_by_role("link", name="Delete…").click()
    expect(page.get_by_role("dialog", name="Delete “July”?")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_confirmation_opens_without_scripts(gallery: str, browser: Any, page: Page) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.add_cookies(page.context.cookies())
    plain = context.new_page()
    plain.goto(gallery)
    plain.get_by_role("link", name="Delete…").click()
    expect(plain.get_by_role("button", name="Delete July")).to_be_visible()
    context.close()


def test_the_skip_link_leads_to_the_content(gallery: str, page: Page) -> None:
    page.goto(gallery)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
