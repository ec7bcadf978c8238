"""The navigation: what is lit, what is offered, and to whom."""

import re
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from django.db import transaction
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from evalapp.accounts.models import Project
from evalapp.templatetags import navigation
from tests.access_objects import make_world
from tests.access_urls import kwargs_of
from tests.cast import client_of, make_project, make_user
from tests.test_access import PROJECT_ROUTES

ENTRIES = ["Home", "Data", "Models", "Runs", "Campaigns", "Results", "Monitor", "Settings"]


@pytest.fixture(scope="module")
def shared(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[SimpleNamespace]:
    with django_db_blocker.unblock(), transaction.atomic():
        people = {name: make_user(name) for name in ("owner", "manager", "engineer", "reviewer")}
        project = make_project("Summaries", **people)
        yield SimpleNamespace(world=make_world(project, reviewer=people["reviewer"]), **people)
        transaction.set_rollback(True)


@pytest.fixture
def stage(shared: SimpleNamespace, db: None) -> SimpleNamespace:
    return shared


def _links(page: str, name: str) -> list[tuple[str, str, bool]]:
    """Label, address and whether it is the current one, of the first navigation of that class."""
    found = re.search(rf'<nav class="{name}".*?</nav>', page, re.DOTALL)
    links = re.findall(r"<a ([^>]*)>(.*?)</a>", found[0] if found else "", re.DOTALL)
    return [
        (label, re.search('href="([^"]*)"', has)[1], 'aria-current="page"' in has)  # type: ignore[index]
        for has, label in links
    ]


def _entries(page: str) -> list[tuple[str, str, bool]]:
    return [each for each in _links(page, "rail") if each[0] in ENTRIES]


PAGES = [route for route in PROJECT_ROUTES if not route.name.startswith("api_")]


def test_every_page_lights_one_entry_and_one_tab(stage: SimpleNamespace) -> None:
    home = reverse("project_home", args=[stage.world.project.slug])
    browser, seen = client_of(stage.owner), 0
    for route in PAGES:
        url = reverse(route.name, kwargs=kwargs_of(route.name, list(route.kwargs), stage.world))
        answer = browser.get(url, follow=True)
        is_page = answer.status_code == 200 and answer["Content-Type"].startswith("text/html")
        if not is_page or "<nav" not in answer.text:  # takes posts, is a file, or a part of a page
            continue
        seen += 1
        entry = answer.request["PATH_INFO"].removeprefix(home).partition("/")[0].capitalize()
        lit = [label for label, _, is_lit in _entries(answer.text) if is_lit]
        assert lit == [entry if entry in ENTRIES else "Home"], url
        for name in ("tabs", "tabs tabs-parts"):
            tabs = _links(answer.text, name)
            assert sum(is_lit for _, _, is_lit in tabs) == bool(tabs), (url, tabs)
    assert seen > 80


def test_whatever_is_offered_opens(stage: SimpleNamespace) -> None:
    # Whoever may do more is offered what others are, and more: that alone is opened anew.
    opened: set[str] = set()
    for person in (stage.engineer, stage.manager, stage.owner):
        browser = client_of(person)
        subjects = ("dataset_row", "model_version", "run_detail", "campaign_detail", "result_detail")
        seen = set()
        for name in subjects:
            kwargs = kwargs_of(name, _kwargs_of_route(name), stage.world)
            page = browser.get(reverse(name, kwargs=kwargs)).text
            entries = [href for _, href, _ in _entries(page)]
            seen.update(entries, (href for _, href, _ in _links(page, "tabs")))
        for href in sorted(seen):
            page = browser.get(href, follow=True)
            assert page.status_code == 200, href
            tabs = [*_links(page.text, "tabs"), *_links(page.text, "tabs tabs-parts")]
            parts = {part for _, part, _ in tabs} - opened
            opened |= parts
            for part in sorted(parts):
                assert browser.get(part, follow=True).status_code == 200, part


def _kwargs_of_route(name: str) -> list[str]:
    return next(list(route.kwargs) for route in PROJECT_ROUTES if route.name == name)


def test_each_role_is_offered_what_it_may_open(stage: SimpleNamespace) -> None:
    home = reverse("project_home", args=[stage.world.project.slug])
    manager = client_of(stage.manager).get(home).text
    assert [label for label, _, _ in _entries(manager)] == ENTRIES
    settings = [
        label for label, _, _ in _links(client_of(stage.manager).get(f"{home}settings/").text, "tabs")
    ]
    assert settings == [
        *("Project and privacy", "Members", "Webhooks", "Audit", "Endpoints", "Prices", "Storage"),
        *("Rule checks", "External metrics", "LLM judges"),
    ]
    engineer = client_of(stage.engineer)
    entries = {label: href for label, href, _ in _entries(engineer.get(home).text)}
    assert list(entries) == ENTRIES
    parts = [label for label, _, _ in _links(engineer.get(entries["Settings"]).text, "tabs")]
    assert parts == [each for each in settings if each not in ("Project and privacy", "Members", "Audit")]


def test_who_only_reviews_is_offered_reviews_alone(stage: SimpleNamespace) -> None:
    page = client_of(stage.reviewer).get("/reviews/").text
    assert '<nav class="rail"' not in page and "Menu</summary>" not in page
    assert re.search(r'href="/reviews/" aria-current="page">Review', page)
    assert re.search(r'href="/reviews/">Review', client_of(stage.reviewer).get("/profile/").text)


def test_the_top_bar_counts_the_reviews_that_are_to_do(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = reverse("project_home", args=[stage.world.project.slug])
    assert ">Review" not in client_of(stage.manager).get(home).text
    monkeypatch.setattr(navigation, "reviews_to_do", lambda _: 12)
    page = client_of(stage.manager).get(home).text
    assert re.search(r'href="/reviews/">Review \(12\)<', page)


def test_the_switcher_is_there_outside_of_projects(stage: SimpleNamespace) -> None:
    links = {label: href for label, href, _ in _links(client_of(stage.owner).get("/profile/").text, "rail")}
    assert {"Summaries", "All projects", "Create project"} <= set(links)
    assert Project.objects.get(slug=stage.world.project.slug).name in links


def test_every_tab_leads_to_a_page() -> None:
    for entry in navigation.ENTRIES:
        for tab in entry.tabs:
            for page in tab.pages:
                assert navigation._permission_of(entry.path + page.path)
