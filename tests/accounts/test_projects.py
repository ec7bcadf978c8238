from collections.abc import Callable

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client

from evalapp.accounts.deletion import _referring_first, paths_to_project
from evalapp.accounts.models import Project, User
from evalapp.accounts.queries import may_create_project
from evalapp.accounts.services import create_project
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import InvalidError
from tests.access_objects import make_world
from tests.cast import make_user

ClientFor = Callable[[User | None], Client]
# Rows that belong to a person, to nobody, or to Django itself.
OUTSIDE_PROJECTS = {"User", "ApiToken", "AuditEvent"}


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
        path, {"name": "Claims", "description": "d", "slug": "x", "is_demonstration": "1"}
    )
    assert response.status_code == 302
    changed = Project.objects.get()
    assert (changed.name, changed.description, changed.slug) == ("Claims", "d", project.slug)
    assert not changed.is_demonstration


def test_a_project_goes_only_by_its_owner_and_its_typed_name(
    client_for: ClientFor, owner: User, manager: User, project: Project, other_project: Project
) -> None:
    path = f"/projects/{project.slug}/delete/"
    assert client_for(manager).post(path, {"typed_name": project.name}).status_code == 403
    assert client_for(owner).post(path, {"typed_name": "summaries"}).status_code == 400
    assert Project.objects.count() == 2
    assert client_for(owner).post(path, {"typed_name": project.name}).status_code == 302
    assert list(Project.objects.all()) == [other_project]
    event = AuditEvent.objects.get(action="project.deleted")
    assert (event.project_id, event.project_label, event.actor_id) == (project.pk, "Summaries", owner.pk)


def test_deletion_knows_a_way_to_every_table_of_a_project() -> None:
    known = {model.__name__ for model in paths_to_project()}
    ours = {model.__name__ for model in apps.get_app_config("evalapp").get_models()}
    assert ours - known == OUTSIDE_PROJECTS | {"Project"}


def test_deletion_takes_referring_tables_first() -> None:
    paths = paths_to_project()
    order = _referring_first(paths)
    for position, model in enumerate(order):
        first_step = paths[model].split("__")[0]
        target = model._meta.get_field(first_step).related_model
        assert target is Project or order.index(target) > position


def test_deletion_takes_every_row_of_the_project_and_none_of_another(
    client_for: ClientFor, owner: User, reviewer: User, project: Project, other_project: Project
) -> None:
    make_world(project, reviewer=reviewer)
    make_world(other_project, reviewer=make_user("elsewhere"))

    def counts(of: Project) -> dict[str, int]:
        return {
            model.__name__: model._base_manager.filter(**{path: of.pk}).count()
            for model, path in paths_to_project().items()
        }

    assert [name for name, count in counts(project).items() if not count] == []
    kept = counts(other_project)
    client_for(owner).post(f"/projects/{project.slug}/delete/", {"typed_name": project.name})
    connection.check_constraints()
    assert set(counts(project).values()) == {0}
    assert counts(other_project) == kept
