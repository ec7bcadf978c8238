"""The people in tests, and their projects.

Import only helpers from here; pytest finds the fixtures by name (tests/conftest.py).
"""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.test import Client
from django.utils import timezone

from evalapp.accounts.models import Membership, Project, Role, User
from evalapp.accounts.sessions import SessionStore

BACKEND = "evalapp.accounts.backends.AccountBackend"


def make_user(name: str, **fields: object) -> User:
    """A person with verified email and without a password; `client_for` signs them in."""
    fields = {"email_verified_at": timezone.now(), **fields}
    return User.objects.create_user(f"{name.replace(' ', '.')}@cast.example", name=name.title(), **fields)


def make_project(name: str, **members: User) -> Project:
    """A project with members by role: ``make_project("Claims", owner=owner, reviewer=reviewer)``.

    Digits at the end distinguish people with the same role (``reviewer2``).
    """
    slug = name.lower().replace(" ", "-")
    project = Project.objects.create(name=name, slug=slug, created_by=members.get("owner"))
    for role, user in members.items():
        Membership.objects.create(project=project, user=user, role=Role(role.rstrip("0123456789")))
    return project


def client_of(user: User | None) -> Client:
    """A browser with this person signed in; None: nobody."""
    client = Client()
    if user is not None:
        # The session that a sign-in would create: three statements instead of fourteen.
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = BACKEND
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.create()
        client.cookies[settings.SESSION_COOKIE_NAME] = str(session.session_key)
    return client


@pytest.fixture
def owner(db: None) -> User:
    return make_user("owner")


@pytest.fixture
def manager(db: None) -> User:
    return make_user("manager")


@pytest.fixture
def engineer(db: None) -> User:
    return make_user("engineer")


@pytest.fixture
def reviewer(db: None) -> User:
    return make_user("reviewer")


@pytest.fixture
def other_reviewer(db: None) -> User:
    return make_user("other reviewer")


@pytest.fixture
def stranger(db: None) -> User:
    """Signed in, and owner of another project: never a member of `project`."""
    return make_user("stranger")


@pytest.fixture
def project(owner: User, manager: User, engineer: User, reviewer: User, other_reviewer: User) -> Project:
    return make_project(
        "Summaries",
        owner=owner,
        manager=manager,
        engineer=engineer,
        reviewer=reviewer,
        reviewer2=other_reviewer,
    )


FIXTURES = (owner, manager, engineer, reviewer, other_reviewer, project)


@pytest.fixture
def other_project(stranger: User) -> Project:
    return make_project("Elsewhere", owner=stranger)


@pytest.fixture
def client_for() -> Callable[[User | None], Client]:
    return client_of
