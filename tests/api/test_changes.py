"""A PATCH changes the fields that it names; what it leaves out stays."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from tests.api.conftest import problem_in, program_of

pytestmark = pytest.mark.django_db


def test_a_rule_check_keeps_what_is_left_out(project: Project, manager: User) -> None:
    program, rules = program_of(manager), f"projects/{project.slug}/rules/"
    params = {"texts": ["claim number"]}
    made = program.post(rules, {"name": "Number", "kind": "contains", "params": params})
    rule: dict[str, Any] = made.json()
    one = f"{rules}{rule['id']}/"
    assert program.patch(one, {"is_active": False}).json() == {**rule, "is_active": False}
    renamed = {**rule, "is_active": False, "name": "Claim number"}
    assert program.patch(one, {"name": "Claim number"}).json() == renamed
    assert list(problem_in(program.patch(one, {"kind": "length"}), 400)["fields"]) == ["kind"]
    assert program.get(one).json() == renamed


def test_an_endpoint_keeps_what_is_left_out(project: Project, manager: User, settings: Any) -> None:
    settings.OUTGOING_ALLOWED = ("models.example", "other.example")
    program, endpoints = program_of(manager), f"projects/{project.slug}/models/endpoints/"
    body = {"name": "Gateway", "url": "https://models.example/v1", "secret": "sk-1"}
    endpoint: dict[str, Any] = program.post(endpoints, body).json()
    one = f"{endpoints}{endpoint['id']}/"
    assert program.patch(one, {"parallel": 7}).json() == {**endpoint, "parallel": 7}
    problem = problem_in(program.patch(one, {"url": "https://other.example/v1"}), 400)
    assert list(problem["fields"]) == ["secret"]
    moved = program.patch(one, {"url": "https://other.example/v1", "secret": "sk-2"}).json()
    assert (moved["url"], moved["parallel"]) == ("https://other.example", 7)
