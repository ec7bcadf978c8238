"""Who may open a project, at every door."""

import pytest

from evalapp.accounts.models import Project, User
from evalapp.accounts.tokens import create_api_token
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def test_a_member_who_owns_nothing_opens_no_project(project: Project, manager: User, reviewer: User) -> None:
    for person in (manager, reviewer):
        browser = client_of(person)
        assert "Create project" not in browser.get("/projects/").content.decode()
        assert browser.get("/projects/new/").status_code == 403
        answer = browser.post("/projects/new/", {"name": "Mine"})
        assert answer.status_code == 403
        assert "owners of other projects" in answer.content.decode()
        token = create_api_token(user=person, name="Test", by=person).secret
        headers = {"Authorization": f"Bearer {token}"}
        body = {"name": "Mine"}
        assert (
            browser.post(
                "/api/v1/projects/", body, content_type="application/json", headers=headers
            ).status_code
            == 403
        )
    assert Project.objects.count() == 1


def test_an_owner_opens_another_and_lands_in_it(project: Project, owner: User) -> None:
    browser = client_of(owner)
    assert "Create project" in browser.get("/projects/").content.decode()
    answer = browser.post("/projects/new/", {"name": "Claims", "population": "reviewers"}, follow=True)
    assert answer.redirect_chain == [("/projects/claims/", 302)]
    opened = Project.objects.get(slug="claims")
    assert opened.rubrics.get().versions.count() == 1
    assert opened.population == "reviewers"
