"""A real browser: the Chromium of the machine where there is one, else Playwright's own."""

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any
from urllib.request import urlopen

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page

from evalapp.accounts.models import User
from evalapp.core.static_build import build_browser_bundle
from installer.browser import find_chromium
from tests.cast import client_of

# Playwright keeps an event loop in the test's thread; the ORM is used there between its steps.
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")

QUIET = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
PATIENCE_MS = 20_000


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    arguments = [*QUIET, "--no-sandbox"] if os.getuid() == 0 else QUIET
    program = find_chromium()
    own = {"executable_path": program} if program else {}
    return {**browser_type_launch_args, **own, "args": arguments}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "viewport": {"width": 1440, "height": 900}}


@pytest.fixture
def context(context: BrowserContext, live_server: Any) -> Iterator[BrowserContext]:
    """A page sends drafts while it closes; the tables are emptied only after the server has answered."""
    context.set_default_timeout(PATIENCE_MS)
    # Servers that earlier tests stood up in this process may keep connections of their own.
    others = set(threading.enumerate())
    yield context
    context.close()
    _wait_for_answers(live_server.url, others)


def _wait_for_answers(address: str, others: set[threading.Thread]) -> None:
    """Until the server is done with every connection that the browser had opened."""
    # Connections are taken in turn: once this one is answered, each before it has its thread.
    urlopen(f"{address}/healthz").close()
    for thread in set(threading.enumerate()) - others:
        if "process_request_thread" in thread.name:
            thread.join(PATIENCE_MS / 1000)
            assert not thread.is_alive(), (
                f"a request of the closed browser has no answer yet:\n{_place(thread)}"
            )


def _place(thread: threading.Thread) -> str:
    """Where it is just now."""
    frame = sys._current_frames().get(thread.ident or 0)
    return "".join(traceback.format_stack(frame)) if frame else "it has ended"


@pytest.fixture
def browser_bundle(settings: Any) -> None:
    build_browser_bundle(settings.HOME / "build")


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
