"""The door of the API: a live token and nothing else, with limits that all processes share."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from evalapp.accounts.models import ApiToken, Membership, Project, User
from evalapp.accounts.services import remove_member
from evalapp.accounts.tokens import create_api_token, revoke_api_token
from evalapp.api.throttling import MOST_WRONG_TOKENS
from tests.api.conftest import Program, problem_in
from tests.cast import client_of

ProgramFor = Callable[[User | None], Program]


def test_a_token_opens_what_is_the_persons(program_for: ProgramFor, project: Project, engineer: User) -> None:
    me = program_for(engineer).get("me/").json()
    assert (me["id"], me["email"]) == (engineer.pk, engineer.email)
    (membership,) = me["memberships"]
    assert (membership["project"]["slug"], membership["role"]) == (project.slug, "engineer")
    assert "START_RUNS" in membership["may"] and "EDIT_RUBRICS" not in membership["may"]


def test_the_database_holds_only_the_hash_of_a_token(owner: User, program_for: ProgramFor) -> None:
    secret = program_for(owner).secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_jsonb(t)::text FROM evalapp_apitoken t")
        (row,) = cursor.fetchone()
    assert secret not in row and secret[12:] not in row


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer eva_wrong",
        "Basic b3duZXI6cHc=",
        "Token {secret}",
        "{secret}",
        "Bearer {secret} {secret}",
        "Bearer {secret}x",
        "Bearer " + "x" * 5000,
        "Bearer ée",
    ],
)
def test_anything_else_is_401_and_says_how_to_come_in(
    header: str | None, owner: User, program_for: ProgramFor
) -> None:
    secret = program_for(owner).secret
    headers = {} if header is None else {"Authorization": header.format(secret=secret)}
    answer = Program("").get("me/", headers=headers)
    problem = problem_in(answer, 401)
    assert problem["code"] in ("not_authenticated", "authentication_failed")
    assert answer["WWW-Authenticate"] == 'Bearer realm="evalapp"'
    assert secret not in answer.text


def test_a_browsers_session_is_no_key(owner: User) -> None:
    assert client_of(owner).get("/api/v1/me/").status_code == 401
    posted = client_of(owner).post("/api/v1/projects/", {"name": "x"}, content_type="application/json")
    assert posted.status_code == 401


def test_a_token_that_ended_opens_nothing(owner: User) -> None:
    made = create_api_token(user=owner, name="Nightly", by=owner)
    program = Program(made.secret)
    assert program.get("me/").status_code == 200
    ApiToken.objects.filter(pk=made.token.pk).update(expires_at=timezone.now() - dt.timedelta(hours=1))
    assert program.get("me/").status_code == 401
    ApiToken.objects.filter(pk=made.token.pk).update(expires_at=timezone.now() + dt.timedelta(hours=1))
    assert program.get("me/").status_code == 200
    revoke_api_token(token=made.token, by=owner)
    assert program.get("me/").status_code == 401


def test_the_token_of_somebody_who_was_shut_out_opens_nothing(owner: User, program_for: ProgramFor) -> None:
    program = program_for(owner)
    User.objects.filter(pk=owner.pk).update(is_active=False)
    assert program.get("me/").status_code == 401


def test_a_removed_members_token_opens_the_project_no_more(
    owner: User, engineer: User, project: Project, program_for: ProgramFor
) -> None:
    program = program_for(engineer)
    assert program.get(f"projects/{project.slug}/").status_code == 200
    remove_member(membership=Membership.objects.get(project=project, user=engineer), by=owner)
    problem_in(program.get(f"projects/{project.slug}/"), 404)
    assert program.get("me/").json()["memberships"] == []
    assert program.get("projects/").json()["results"] == []


def test_a_role_that_was_taken_takes_its_permissions_at_once(
    engineer: User, project: Project, program_for: ProgramFor
) -> None:
    program = program_for(engineer)
    Membership.objects.filter(project=project, user=engineer).update(role="reviewer")
    assert problem_in(program.get(f"projects/{project.slug}/runs/"), 403)["code"] == "not_allowed"


def test_projects_are_opened_by_owners_alone(
    engineer: User, owner: User, project: Project, program_for: ProgramFor
) -> None:
    problem_in(program_for(engineer).post("projects/", {"name": "Mine"}), 403)
    made = program_for(owner).post("projects/", {"name": "Mine"})
    assert made.status_code == 201
    assert Project.objects.get(slug=made.json()["slug"]).memberships.get().user == owner


def test_an_address_that_tries_tokens_is_locked_out_and_a_known_token_works_on(
    owner: User, manager: User, program_for: ProgramFor
) -> None:
    known, other = program_for(owner), program_for(manager)
    assert known.get("me/").status_code == 200
    for number in range(MOST_WRONG_TOKENS):
        problem_in(Program(f"eva_guess{number}").get("me/"), 401)
    answer = Program("eva_guess").get("me/")
    assert problem_in(answer, 429)["code"] == "throttled"
    assert int(answer["Retry-After"]) == 900
    assert other.get("me/").status_code == 429, "a right guess must not show that it is right"
    assert known.get("me/").status_code == 200
    assert other.get("me/", REMOTE_ADDR="10.0.0.2").status_code == 200


def test_requests_are_limited_for_each_person(
    owner: User, manager: User, program_for: ProgramFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.api.throttling.UserThrottle.rate", "3/day", raising=False)
    busy, quiet = program_for(owner), program_for(manager)
    second = program_for(owner)
    assert [program.get("me/").status_code for program in (busy, second, busy)] == [200] * 3
    answer = busy.get("me/")
    assert problem_in(answer, 429)["code"] == "throttled"
    assert 0 < int(answer["Retry-After"]) <= 86_400
    assert second.get("me/").status_code == 429, "the limit is the person's, not the token's"
    assert quiet.get("me/").status_code == 200


def test_the_schema_is_limited_by_address(monkeypatch: pytest.MonkeyPatch, db: Any) -> None:
    monkeypatch.setattr("evalapp.api.throttling.UserThrottle.rate", "1/day", raising=False)
    assert Client().get("/api/v1/schema/").status_code == 200
    problem_in(Client().get("/api/v1/schema/"), 429)
    assert Client().get("/api/v1/schema/", REMOTE_ADDR="10.0.0.2").status_code == 200
