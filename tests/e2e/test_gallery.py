from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.core.static_build import build_browser_bundle

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.e2e.gallery")]


@pytest.fixture
def gallery(
    live_server: Any, page: Page, sign_in: Callable[[User], object], owner: User, project: Project
) -> str:
    build_browser_bundle(settings.HOME / "build")
    sign_in(owner)
    return f"{live_server.url}/gallery/"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_and_components_show_under_the_content_policy(
    theme: str, gallery: str, page: Page, complaints: list[str]
) -> None:
    page.emulate_media(color_scheme=theme)
    page.goto(gallery)
    expect(page.locator(".chart-drawing svg .mark-symbol.role-mark path")).to_have_count(12, timeout=20_000)
    ink = page.evaluate("getComputedStyle(document.body).color")
    legend = page.locator(".chart-drawing .role-legend-label text").first
    assert legend.get_attribute("fill") == ink
    assert complaints == []


def test_a_point_opens_its_case(gallery: str, page: Page) -> None:
    page.goto(gallery)
    page.locator(".chart-drawing .mark-symbol.role-mark path").first.click()
    page.wait_for_url("**/profile/?item=0")


def test_nothing_is_wider_than_a_phone(gallery: str, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(gallery)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_a_chosen_theme_sticks(gallery: str, page: Page) -> None:
    page.emulate_media(color_scheme="light")
    page.goto(gallery)
    switch = page.get_by_role("button", name="Theme: system")
    switch.click()
    page.get_by_role("button", name="Theme: light").click()
    page.reload()
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
