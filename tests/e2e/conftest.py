"""A real browser: the Chromium of the machine where there is one, else Playwright's own."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from evalapp.accounts.models import User
from tests.cast import client_of

# Playwright keeps an event loop in the test's thread; the ORM is used there between its steps.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 20_000


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    arguments = [*QUIET, "--no-sandbox"] if os.getuid() == 0 else QUIET
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    own = {"executable_path": program} if program else {}
    return {**browser_type_launch_args, **own, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}}


@pytest.fixture
def context(context: BrowserContext, live_server: Any) -> Iterator[BrowserContext]:
    """A page sends drafts while it closes; the tables are emptied only after the server has them."""
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()
    _wait_until_quiet()


def _wait_until_quiet(looks: int = 5) -> None:
    quiet = 0
    with connection.cursor() as cursor:
        while quiet < looks:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity, pg_sleep(0.02) "
                "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'"
            )
            quiet = quiet + 1 if cursor.fetchone() == (0,) else 0


@pytest.fixture
def sign_in(context: BrowserContext, live_server: Any) -> Callable[[User], Client]:
    """Sign a person into the browser without the form."""

    def enter(user: User) -> Client:
        client = client_of(user)
        name = settings.SESSION_COOKIE_NAME
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        return client

    return enter


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complained of on the page: refused styles and scripts, errors, failed loads."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
