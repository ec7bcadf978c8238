from collections.abc import Callable

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.accounts.queries import may_create_project
from evalapp.accounts.services import create_project
from evalapp.core.errors import InvalidError

ClientFor = Callable[[User | None], Client]


def test_projects_of_one_name_have_addresses_of_their_own(owner: User) -> None:
    first, second = create_project(name="  Claims   2 ", by=owner), create_project(name="Claims 2", by=owner)
    assert (first.name, first.slug) == ("Claims 2", "claims-2")
    assert second.slug.startswith("claims-2-")
    assert create_project(name="—", by=owner).slug == "project"


@pytest.mark.parametrize("name", ["", "   ", "x" * 121])
def test_a_name_that_is_none_is_refused(name: str, owner: User) -> None:
    with pytest.raises(InvalidError):
        create_project(name=name, by=owner)
    assert not Project.objects.exists()


def test_owners_and_the_site_admin_may_create_projects(
    owner: User, manager: User, stranger: User, project: Project
) -> None:
    admin = User.objects.create_superuser("admin@cast.example")
    assert [may_create_project(person) for person in (admin, owner, manager, stranger)] == [
        True,
        True,
        False,
        False,
    ]


def test_the_settings_change_the_name_but_not_the_address(
    client_for: ClientFor, manager: User, project: Project
) -> None:
    path = f"/projects/{project.slug}/settings/"
    response = client_for(manager).post(
        path,
        {
            "name": "Claims",
            "description": "d",
            "population": "reviewers",
            "slug": "x",
            "is_demonstration": "1",
        },
    )
    assert response.status_code == 302
    changed = Project.objects.get()
    assert (changed.name, changed.description, changed.slug) == ("Claims", "d", project.slug)
    assert changed.population == "reviewers"
    assert not changed.is_demonstration
