"""Single sign-on in a real browser: the content policy lets the way to the provider and back through."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from evalapp.accounts.models import Project, User
from evalapp.env_sign_on import SignOnSettings
from tests.accounts.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, providing

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    with providing() as running:
        settings.SIGN_ON = SignOnSettings(running.issuer, CLIENT_ID, CLIENT_SECRET, "House ID")
        settings.OUTGOING_ALLOWED = ("127.0.0.0/8",)
        yield running


def test_a_manager_comes_in_by_keyboard_and_lands_where_they_wanted(
    provider: Provider, project: Project, manager: User, live_server: Any, page: Page, complaints: list[str]
) -> None:
    provider.person |= {"email": manager.email, "name": manager.name}
    page.goto(f"{live_server.url}/projects/{project.slug}/settings/members/")
    link = page.get_by_role("link", name="Sign in with House ID")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Members", exact=True)).to_be_visible()
    assert page.url == f"{live_server.url}/projects/{project.slug}/settings/members/"
    assert complaints == []


def test_who_is_not_known_reads_why_and_goes_back(provider: Provider, live_server: Any, page: Page) -> None:
    page.goto(f"{live_server.url}/accounts/login/")
    page.get_by_role("link", name="Sign in with House ID").click()
    expect(page.get_by_role("alert")).to_contain_text("Accounts are created by invitation")
    page.get_by_role("link", name="Back to the sign-in page").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
