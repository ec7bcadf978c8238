"""The people and the project of tests/cast.py created once per file, with everything that the file adds to
them.

Each test's changes are rolled back, so files whose tests commit cannot use it. To replace the fixtures of
tests/cast.py, unpack `FIXTURES` into their names; a slow fixture then has module scope and uses `cast`, and
each test reads its rows `again`.
"""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import pytest
from django.db import transaction
from django.db.models import Model
from pytest_django import DjangoDbBlocker

from evalapp.accounts.models import Project, User
from tests.cast import make_project, make_user

Row = TypeVar("Row", bound=Model)


class Cast(NamedTuple):
    owner: User
    manager: User
    engineer: User
    reviewer: User
    other_reviewer: User
    project: Project


def again(made: Row) -> Row:
    """The row read anew, without attributes that other tests have set or cached."""
    return type(made)._default_manager.get(pk=made.pk)


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Cast]:
    with django_db_blocker.unblock(), transaction.atomic():
        names = ("owner", "manager", "engineer", "reviewer", "other reviewer")
        owner, manager, engineer, reviewer, other_reviewer = map(make_user, names)
        project = make_project(
            "Summaries",
            owner=owner,
            manager=manager,
            engineer=engineer,
            reviewer=reviewer,
            reviewer2=other_reviewer,
        )
        yield Cast(owner, manager, engineer, reviewer, other_reviewer, project)
        transaction.set_rollback(True)


@pytest.fixture
def owner(cast: Cast, db: None) -> User:
    return again(cast.owner)


@pytest.fixture
def manager(cast: Cast, db: None) -> User:
    return again(cast.manager)


@pytest.fixture
def engineer(cast: Cast, db: None) -> User:
    return again(cast.engineer)


@pytest.fixture
def reviewer(cast: Cast, db: None) -> User:
    return again(cast.reviewer)


@pytest.fixture
def other_reviewer(cast: Cast, db: None) -> User:
    return again(cast.other_reviewer)


@pytest.fixture
def project(cast: Cast, owner: User, db: None) -> Project:
    found = again(cast.project)
    found.created_by = owner
    return found


@pytest.fixture
def empty_project(
    owner: User, manager: User, engineer: User, reviewer: User, other_reviewer: User
) -> Project:
    """Another project of the same people, with nothing in it."""
    people = {"owner": owner, "manager": manager, "engineer": engineer, "reviewer": reviewer}
    return make_project("Begun today", **people, reviewer2=other_reviewer)


FIXTURES = (cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project)
