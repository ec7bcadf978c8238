"""Every address × method × role, generated from tests/access_table.py.

Whoever is not a member gets 404, which confirms nothing; a member without the permission gets 403;
nobody signed in is sent to the door (401 on API routes). Ids of another project are 404 everywhere.
"""

import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from pytest_django import DjangoDbBlocker

from evalapp.accounts.models import ApiToken, User
from evalapp.accounts.permissions import PERMISSIONS, Permission
from evalapp.accounts.secrets import hash_of
from tests.access_objects import make_world
from tests.access_table import ACCESS, ALLAUTH, LINK, OWNS_ONE, PUBLIC, SIGNED_IN, SITE_ADMIN
from tests.access_urls import kwargs_of
from tests.cast import client_of, make_project, make_user

METHODS = "GET", "POST"
# Each may do what those before it may.
ROLES = REVIEWER, ENGINEER, MANAGER, OWNER = "reviewer", "engineer", "manager", "owner"

# Written out once more, so that a slip in the product's own table is found.
EXPECTED_ROLES: dict[Permission, set[str]] = {
    Permission.VIEW_HOME: {OWNER, MANAGER, ENGINEER},
    Permission.REVIEW: {OWNER, MANAGER, ENGINEER, REVIEWER},
    Permission.VIEW_DATA: {OWNER, MANAGER, ENGINEER},
    Permission.EDIT_DATA: {OWNER, MANAGER, ENGINEER},
    Permission.VIEW_RUBRICS: {OWNER, MANAGER, ENGINEER},
    Permission.EDIT_RUBRICS: {OWNER, MANAGER},
    Permission.VIEW_MODELS: {OWNER, MANAGER, ENGINEER},
    Permission.EDIT_MODELS: {OWNER, MANAGER, ENGINEER},
    Permission.VIEW_RUNS: {OWNER, MANAGER, ENGINEER},
    Permission.START_RUNS: {OWNER, MANAGER, ENGINEER},
    Permission.VIEW_CAMPAIGNS: {OWNER, MANAGER, ENGINEER},
    Permission.EDIT_CAMPAIGNS: {OWNER, MANAGER},
    Permission.VIEW_ANALYSIS: {OWNER, MANAGER, ENGINEER},
    Permission.ADJUDICATE: {OWNER, MANAGER},
    Permission.VIEW_EXPORTS: {OWNER, MANAGER, ENGINEER},
    Permission.EDIT_EXPORTS: {OWNER, MANAGER, ENGINEER},
    Permission.DECIDE_EXPORT_ROWS: {OWNER, MANAGER, ENGINEER},
    Permission.DECIDE: {OWNER, MANAGER},
    Permission.MANAGE_MEMBERS: {OWNER, MANAGER},
    Permission.VIEW_AUDIT: {OWNER, MANAGER},
    Permission.MANAGE_WEBHOOKS: {OWNER, MANAGER},
    Permission.UNMASK: {OWNER},
    Permission.ALLOW_CONTAMINATION: {OWNER},
    Permission.DELETE_PROJECT: {OWNER},
}
# 404 is right for those who may see it, too: the file behind the row, or the demonstration, is not there.
MAY_BE_MISSING = {
    "export_file",
    "api_export_file",
    "report_file",
    "api_report_file",
    "dataset_import",
    "demonstration",
}


class Route(NamedTuple):
    name: str
    pattern: str
    kwargs: tuple[str, ...]
    read: object
    write: object


def _walk(resolver: URLResolver, prefix: str = "", names: tuple[str, ...] = ()) -> Iterator[Route]:
    for each in resolver.url_patterns:
        pattern = prefix + str(each.pattern)
        own = (*names, *each.pattern.regex.groupindex)
        if isinstance(each, URLResolver):
            yield from _walk(each, pattern, own)
        elif isinstance(each, URLPattern):
            view: Any = each.callback
            view = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
            read = getattr(view, "required_permission", "none")
            yield Route(each.name or "", pattern, own, read, getattr(view, "post_permission", read))


ROUTES = list(_walk(get_resolver("evalapp.urls")))
PROJECT_ROUTES = [route for route in ROUTES if "slug" in route.kwargs]


def _identity(route: Route) -> str:
    return f"{route.name}:{route.pattern}"


def test_the_permissions_of_every_role_are_as_written_here() -> None:
    assert {
        permission: {str(role) for role, permissions in PERMISSIONS.items() if permission in permissions}
        for permission in Permission
    } == EXPECTED_ROLES


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert {route.name for route in ROUTES} == set(ACCESS)


@pytest.mark.parametrize("route", ROUTES, ids=_identity)
def test_the_view_needs_what_the_table_says(route: Route) -> None:
    expected = ACCESS[route.name]
    signed_in = OWNS_ONE if expected.read == OWNS_ONE else SIGNED_IN
    words = {None: signed_in, "link": LINK, "none": expected.read}
    if route.read == "none":
        assert expected.read in (PUBLIC, ALLAUTH), "decorate the view with @project_view or @signed_in_view"
    assert words.get(route.read, route.read) == expected.read
    if route.read is not None and route.read not in words:
        assert route.write == expected.write


class Stage(NamedTuple):
    """``keys``: by person, the session's cookie and the secret of an API token."""

    world: SimpleNamespace
    foreign: SimpleNamespace
    people: dict[str, User]
    keys: dict[int, tuple[str, str]]
    told: dict[tuple[str, str, str], int]


def _keys_of(person: User) -> tuple[str, str]:
    secret = uuid.uuid4().hex
    ApiToken.objects.create(user=person, name="t", prefix=secret[:10], token_hash=hash_of(secret))
    return client_of(person).cookies[settings.SESSION_COOKIE_NAME].value, secret


@pytest.fixture(scope="module")
def shared(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    """Both projects, made once for this file: to make them takes longer than to ask for an address."""
    with django_db_blocker.unblock(), transaction.atomic():
        people = {name: make_user(name) for name in (OWNER, MANAGER, ENGINEER, REVIEWER, "stranger")}
        stranger = people["stranger"]
        members = {role: person for role, person in people.items() if person is not stranger}
        world = make_world(make_project("Summaries", **members), reviewer=people[REVIEWER])
        elsewhere = make_project("Elsewhere", owner=stranger)
        foreign = make_world(elsewhere, reviewer=make_user("elsewhere"))
        yield Stage(world, foreign, people, {person.pk: _keys_of(person) for person in people.values()}, {})
        transaction.set_rollback(True)


@pytest.fixture
def stage(shared: Stage, db: None) -> Stage:
    """As it was made, because each test's changes are taken back."""
    return shared


def _ask(stage: Stage, route: Route, method: str, person: User | None, kwargs: dict[str, object]) -> int:
    """The status that this person gets; whatever the request did is taken back."""
    with transaction.atomic():
        # A failure of ours is a 500 here, not an exception, as it is for people.
        client, headers = Client(raise_request_exception=False), {}
        address = reverse(route.name, kwargs=kwargs)
        if person is not None:
            session, secret = stage.keys[person.pk]
            client.cookies[settings.SESSION_COOKIE_NAME] = session
            headers = {"Authorization": f"Bearer {secret}"} if address.startswith("/api/") else {}
        send: Callable[..., Any] = client.get if method == "GET" else client.post
        status = int(send(address, headers=headers).status_code)
        transaction.set_rollback(True)
    return status


def _is_told(stage: Stage, route: Route, method: str, role: str) -> int:
    """The status that a member gets for their own project's objects; asked once, because pages take long."""
    asked = route.pattern, method, role
    if asked not in stage.told:
        kwargs = kwargs_of(route.name, list(route.kwargs), stage.world)
        stage.told[asked] = _ask(stage, route, method, stage.people[role], kwargs)
    return stage.told[asked]


def _needed(route: Route, method: str) -> Permission:
    access = ACCESS[route.name]
    needed = access.read if method == "GET" else access.write
    assert isinstance(needed, Permission)
    return needed


def _least_and_before(needed: Permission) -> list[str]:
    """The least role that has the permission, after the one that just lacks it where there is one."""
    has = [role in EXPECTED_ROLES[needed] for role in ROLES]
    assert has == sorted(has), "the roles are no ladder here: ask for each"
    least = has.index(True)
    return list(ROLES[max(0, least - 1) : least + 1])


def _is_offered(route: Route, method: str, stage: Stage) -> bool:
    """Whether the address takes this method at all; where not, it tells everyone the same."""
    if _is_told(stage, route, method, _least_and_before(_needed(route, method))[-1]) != 405:
        return True
    kwargs = kwargs_of(route.name, list(route.kwargs), stage.world)
    assert _ask(stage, route, method, stage.people["stranger"], kwargs) in (404, 405)
    return False


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.verification)])
@pytest.mark.parametrize("route", PROJECT_ROUTES, ids=_identity)
def test_a_project_page_opens_for_its_roles_alone(route: Route, every: bool, stage: Stage) -> None:
    for method in METHODS:
        _require_its_roles(route, method, every, stage)


def _require_its_roles(route: Route, method: str, every: bool, stage: Stage) -> None:
    kwargs = kwargs_of(route.name, list(route.kwargs), stage.world)
    needed = _needed(route, method)
    if not _is_offered(route, method, stage):
        return
    nobody = _ask(stage, route, method, None, kwargs)
    assert nobody == (401 if route.pattern.startswith("api/") else 302), method
    assert _ask(stage, route, method, stage.people["stranger"], kwargs) == 404, method
    for role in ROLES if every else _least_and_before(needed):
        status = _is_told(stage, route, method, role)
        if role in EXPECTED_ROLES[needed]:
            good = status not in (401, 403, 404) or (status == 404 and route.name in MAY_BE_MISSING)
            # A rule of the content ("not your own correction") may answer 403 to a write.
            assert good or (method == "POST" and status == 403), f"{method} {role}: {status}"
            assert status < 500, f"{method} {role}: {status}"
        else:
            assert status == 403, f"{method} {role}: {status}"


def _id_names(route: Route) -> list[str]:
    return [
        name for name in route.kwargs if name.endswith(("id", "pk")) or name in ("key", "campaign_reviewer")
    ]


@pytest.mark.parametrize("route", [route for route in PROJECT_ROUTES if _id_names(route)], ids=_identity)
def test_ids_of_another_project_are_not_there(route: Route, stage: Stage) -> None:
    own = kwargs_of(route.name, list(route.kwargs), stage.world)
    elsewhere = kwargs_of(route.name, list(route.kwargs), stage.foreign)
    for method in METHODS:
        if not _is_offered(route, method, stage):
            continue
        for name in _id_names(route):
            status = _ask(stage, route, method, stage.people[OWNER], {**own, name: elsewhere[name]})
            assert status == 404, f"{method} {name} of another project: {status}"


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if ACCESS.get(route.name, (None,))[0] in (SIGNED_IN, OWNS_ONE)],
    ids=_identity,
)
def test_a_personal_page_opens_for_its_person_alone(route: Route, stage: Stage) -> None:
    for method in METHODS:
        _require_its_person(route, method, stage)


def _require_its_person(route: Route, method: str, stage: Stage) -> None:
    kwargs = kwargs_of(route.name, list(route.kwargs), stage.world)
    unknown = _ask(stage, route, method, None, kwargs)
    if unknown == 405:
        return
    assert unknown == (401 if route.pattern.startswith("api/") else 302), method
    if _id_names(route):
        assert _ask(stage, route, method, stage.people["stranger"], kwargs) == 404, method
        assert _ask(stage, route, method, stage.people[OWNER], kwargs) == 404, method
    needs_ownership = ACCESS[route.name].read == OWNS_ONE
    if needs_ownership:
        assert _ask(stage, route, method, stage.people[REVIEWER], kwargs) == 403, method
    own = _ask(stage, route, method, stage.people[OWNER if needs_ownership else REVIEWER], kwargs)
    assert own not in (401, 403, 404) and own < 500, method


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if ACCESS.get(route.name, (None,))[0] == SITE_ADMIN], ids=_identity
)
def test_a_page_of_the_installation_opens_for_the_site_admin_alone(route: Route, stage: Stage) -> None:
    assert _ask(stage, route, "GET", None, {}) == 302
    assert {_ask(stage, route, "GET", person, {}) for person in stage.people.values()} == {403}
    stranger = stage.people["stranger"]
    User.objects.filter(pk=stranger.pk).update(is_superuser=True)
    assert _ask(stage, route, "GET", stranger, {}) == 200


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if ACCESS.get(route.name, (None,))[0] == LINK], ids=_identity
)
def test_a_link_without_its_secret_opens_nothing(route: Route, stage: Stage) -> None:
    kwargs = kwargs_of(route.name, list(route.kwargs), stage.world)
    for person in (None, stage.people["stranger"], stage.people[OWNER]):
        for method in METHODS:
            assert _ask(stage, route, method, person, kwargs) == 404
