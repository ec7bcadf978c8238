"""A rubric's versions, read and saved by a program."""

from collections.abc import Callable

import pytest

from evalapp.accounts.models import Project, User
from evalapp.rubrics.services import add_default_rubric, freeze
from tests.api.conftest import Program, problem_in

pytestmark = pytest.mark.django_db


def test_criteria_are_saved_as_they_are_read(
    project: Project, owner: User, program_for: Callable[[User | None], Program]
) -> None:
    rubric = add_default_rubric(project=project, by=owner)
    program = program_for(owner)
    address = f"projects/{project.slug}/rubrics/{rubric.pk}/versions/"
    first = program.get(f"{address}1/").json()
    freeze(rubric_version=rubric.versions.get(), by=owner)
    heavier = [{**first["criteria"][0], "weight": 2.0}, *first["criteria"][1:]]

    saved = program.post(address, {"criteria": heavier, "based_on": first["fingerprint"]})

    assert saved.status_code == 201, saved.content
    assert (saved.json()["number"], saved.json()["criteria"]) == (2, heavier)
    again = program.post(address, {"criteria": first["criteria"], "based_on": first["fingerprint"]})
    assert problem_in(again, 412)["code"] == "stale"
    assert [version["number"] for version in program.get(address).json()["results"]] == [2, 1]
