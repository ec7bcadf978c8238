"""A real browser: the Chromium of the machine where there is one, else Playwright's own."""

import os
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from evalapp.accounts.models import User
from tests.cast import client_of

# Playwright keeps an event loop in the test's thread; the ORM is used there between its steps.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    arguments = ["--no-sandbox"] if os.getuid() == 0 else []
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    own = {"executable_path": program} if program else {}
    return {**browser_type_launch_args, **own, "args": arguments}


@pytest.fixture
def sign_in(context: BrowserContext, live_server: Any) -> Callable[[User], Client]:
    """Sign a person into the browser without the form."""

    def enter(user: User) -> Client:
        client = client_of(user)
        context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
        )
        return client

    return enter


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complained of on the page: refused styles and scripts, errors, failed loads."""
    found: list[str] = []
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: found.append(str(error)))
    return found
