"""Whatever is sent, the answer is JSON of one shape that says what was wrong and how to fix it."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.core.strict_json import DEEPEST_NESTING, read_json
from evalapp.datasets.models import Dataset
from evalapp.wsgi import application
from tests.api.conftest import Program, problem_in
from tests.factories import make_campaign, make_proposed_rows, make_version, review_all

ProgramFor = Callable[[User | None], Program]

# name, the body of a POST that makes a dataset, code, part of the message
BAD_BODIES: list[tuple[str, bytes, str, str]] = [
    ("no JSON", b"name=Clients", "invalid_json", "line 1, column 1"),
    ("cut off", b'{"name": "Cli', "invalid_json", "line 1, column 10"),
    ("more after it", b'{"name": "C"} {}', "invalid_json", "Extra data"),
    ("byte order mark", b'\xef\xbb\xbf{"name": "C"}', "invalid_json", "line 1, column 1"),
    ("Latin-1", '{"name": "café"}'.encode("latin-1"), "invalid_json", "byte 14 is not UTF-8"),
    ("UTF-16", '{"name": "C"}'.encode("utf-16"), "invalid_json", "not UTF-8"),
    ("NUL", b'{"name": "a\\u0000b"}', "invalid_json", "name has a NUL character"),
    (
        "NUL in a field's name",
        b'{"na\\u0000me": "b"}',
        "invalid_json",
        "field's name in the body has a NUL",
    ),
    ("lone surrogate", b'{"name": "a\\ud800"}', "invalid_json", "half of a surrogate pair (at 2)"),
    ("NaN", b'{"name": NaN}', "invalid_json", "NaN is not a JSON value"),
    ("infinity", b'{"name": -Infinity}', "invalid_json", "-Infinity is not a JSON value"),
    ("a number out of range", b'{"name": 1e999}', "invalid_json", "1e999 is too large"),
    ("5,000 digits", b'{"name": %s}' % (b"9" * 5000), "invalid_json", "5,000 digits"),
    ("a field twice", b'{"name": "a", "name": "b"}', "invalid_json", "“name” is given twice"),
    ("deep", b'{"name": ' + b"[" * 40 + b"]" * 40 + b"}", "invalid_json", "deeper than 32 levels"),
    ("very deep", b"[" * 200_000 + b"]" * 200_000, "invalid_json", "deeper than 32 levels"),
    ("a list", b"[]", "invalid", "must be a JSON object"),
    ("null", b"null", "invalid", "must be a JSON object"),
    ("a text", b'"name"', "invalid", "must be a JSON object"),
    ("an unknown field", b'{"name": "C", "project": 1}', "invalid", "project: Unknown field"),
    ("a missing field", b"{}", "invalid", "name: This field is required"),
    ("a number for a text", b'{"name": 7}', "invalid", "name: This must be text, in double quotes"),
    ("null for a text", b'{"name": null}', "invalid", "name: This field may not be null"),
    ("too long", b'{"name": "%s"}' % (b"x" * 121), "invalid", "no more than 120 characters"),
    ("white space", b'{"name": "  "}', "invalid", "1 to 120 characters"),
]


@pytest.mark.parametrize(
    ("content", "code", "message"), [case[1:] for case in BAD_BODIES], ids=[case[0] for case in BAD_BODIES]
)
def test_a_bad_body_is_told_and_nothing_is_stored(
    content: bytes, code: str, message: str, project: Project, engineer: User, program_for: ProgramFor
) -> None:
    answer = program_for(engineer).ask("POST", f"projects/{project.slug}/datasets/", content)
    problem = problem_in(answer, 400)
    assert problem["code"] == code
    assert message in problem["message"]
    assert not Dataset.objects.exists()


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    text = "[" * DEEPEST_NESTING + "]" * DEEPEST_NESTING
    assert json.dumps(read_json(text.encode())) == text
    with pytest.raises(InvalidError):
        read_json(b"[" + text.encode() + b"]")


def test_a_repeated_name_among_very_many_is_found_at_once() -> None:
    names = ",".join(f'"f{number}":0' for number in range(4_000))
    started = time.thread_time()
    with pytest.raises(InvalidError, match="“last” is given twice"):
        read_json(f'{{{names},"last":1,"last":2}}'.encode())
    assert time.thread_time() - started < 5


def test_all_problems_are_told_with_their_places(
    project: Project, owner: User, program_for: ProgramFor
) -> None:
    body = {
        "name": "Mine",
        "criteria": [{"name": "Tone"}, {"name": 3, "weight": "1"}, {"name": "Ease", "tags": [{"key": "a"}]}],
    }
    problem = problem_in(program_for(owner).post(f"projects/{project.slug}/rubrics/", body), 400)
    assert set(problem["fields"]) == {"criteria.1.name", "criteria.1.weight", "criteria.2.tags.0.label"}
    assert problem["message"].endswith("(2 more, see fields.)")


def test_a_bad_row_is_named_with_its_field(project: Project, engineer: User, program_for: ProgramFor) -> None:
    program = program_for(engineer)
    dataset = program.post(f"projects/{project.slug}/datasets/", {"name": "Clients"}).json()["id"]
    rows = [{"prompt": "Q", "completion": "A", "split": "train"}, {"prompt": "", "split": "exam"}]
    address = f"projects/{project.slug}/datasets/{dataset}/versions/"
    problem = problem_in(program.post(address, {"rows": rows}), 400)
    assert list(problem["fields"]) == ["rows.1.prompt"]
    assert program.get(address).json()["results"] == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "x"]
)
def test_another_content_type_is_415(
    kind: str, project: Project, engineer: User, program_for: ProgramFor
) -> None:
    answer = program_for(engineer).ask(
        "POST", f"projects/{project.slug}/datasets/", b"name=x", content_type=kind
    )
    assert problem_in(answer, 415)["code"] == "unsupported_media_type"


def test_json_is_no_upload(project: Project, engineer: User, program_for: ProgramFor) -> None:
    program = program_for(engineer)
    dataset = program.post(f"projects/{project.slug}/datasets/", {"name": "Clients"}).json()["id"]
    address = f"projects/{project.slug}/datasets/{dataset}/imports/"
    problem_in(program.post(address, {"file": "rows"}), 415)
    torn = program.ask("POST", address, b"--x\r\nnonsense", content_type="multipart/form-data; boundary=x")
    problem_in(torn, 400)
    nameless = program.ask("POST", address, b"", content_type="multipart/form-data")
    problem_in(nameless, 400)


@pytest.mark.parametrize("method", ["PATCH", "DELETE", "OPTIONS", "PUT", "TRACE", "BREW"])
def test_a_method_that_is_not_offered_is_405_and_those_offered_are_named(
    method: str, project: Project, owner: User, program_for: ProgramFor
) -> None:
    answer = program_for(owner).ask(method, f"projects/{project.slug}/datasets/")
    assert problem_in(answer, 405)["code"] == "method_not_allowed"
    assert answer["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/nothing/",
        "/api/v1/me",
        "/api/v2/me/",
        "/api/",
        "/api/v1/projects/9/runs/x/",
        "/api/v1/a%0Ab/",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_address_that_is_not_there_is_json_and_no_redirect(
    path: str, method: str, owner: User, program_for: ProgramFor
) -> None:
    assert problem_in(program_for(owner).ask(method, path, b"{}"), 404)["code"] == "not_found"


def test_an_id_larger_than_any_is_not_there(project: Project, owner: User, program_for: ProgramFor) -> None:
    for number in (2**63, 10**30, "9" * 5000):
        problem_in(program_for(owner).get(f"projects/{project.slug}/runs/{number}/"), 404)


def test_a_body_without_its_length_is_411_and_not_taken_for_an_empty_one(
    project: Project, owner: User, program_for: ProgramFor
) -> None:
    headers = {"Transfer-Encoding": "chunked"}
    answer = program_for(owner).ask("POST", f"projects/{project.slug}/datasets/", b"", headers=headers)
    assert problem_in(answer, 411)["code"] == "length_required"


def test_a_nul_in_an_address_is_told_in_json(owner: User, program_for: ProgramFor) -> None:
    for path in ("projects/%00/", "projects/?after=%00"):
        assert "NUL" in problem_in(program_for(owner).get(path), 400)["message"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("limit=%EF%BC%91", "limit"),
        ("page=2", "page"),
        ("limit=1&limit=2", "limit"),
        ("kind=secret", "kind"),
        ("ordering=-id", "ordering"),
        ("created_by__password__startswith=a", "created_by__password__startswith"),
    ],
)
def test_parameters_that_are_not_declared_are_refused(
    query: str, field: str, project: Project, owner: User, program_for: ProgramFor
) -> None:
    problem = problem_in(program_for(owner).get(f"projects/{project.slug}/runs/?{query}"), 400)
    assert list(problem["fields"]) == [field]


@pytest.mark.parametrize("charset", ["hex", "idna", "unicode_escape", "utf-16", "latin-1", "none such"])
@pytest.mark.parametrize("path", ["/api/v1/me/", "/api/v1/nothing/", "/accounts/login/"])
def test_another_charset_than_utf8_is_told(db: None, path: str, charset: str) -> None:
    # The server's own entrance: Django's test client builds its requests in another way.
    environ = RequestFactory().get(path, {"next": "\\ud800"}).environ
    environ["CONTENT_TYPE"] = f"text/plain; charset={charset}"
    said: dict[str, Any] = {}
    answer = application(environ, lambda status, headers: said.update(status=status, headers=dict(headers)))
    assert said["status"] == "400 Bad Request"
    assert b"only UTF-8" in b"".join(answer)
    kind = "application/json" if path.startswith("/api/") else "text/html"
    assert said["headers"]["Content-Type"].startswith(kind)
    assert "Content-Security-Policy" in said["headers"]


def test_a_body_over_the_limit_is_413_before_and_after_it_is_read(
    project: Project, engineer: User, program_for: ProgramFor, settings: Any
) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    program = program_for(engineer)
    content = json.dumps({"name": "x" * 1000})
    address = f"projects/{project.slug}/datasets/"
    assert problem_in(program.ask("POST", address, content), 413)["code"] == "too_large"
    # Said to be a form, so that only the larger limit of uploads has looked at it.
    settings.IMPORT_MAX_BYTES = 5000
    upload = program.ask("POST", address, b"x" * 5001, content_type="multipart/form-data; boundary=x")
    problem_in(upload, 413)


def test_ids_of_another_project_in_a_body_are_refused_by_field(
    project: Project, other_project: Project, manager: User, reviewer: User, program_for: ProgramFor
) -> None:
    foreign = make_version(other_project)
    own = make_version(project)
    program = program_for(manager)
    body = {"dataset_version": foreign.pk, "base": 1, "name": "v1"}
    problem = problem_in(program.post(f"projects/{project.slug}/runs/training/", body), 400)
    assert list(problem["fields"]) == ["dataset_version"]
    address = f"projects/{project.slug}/datasets/{own.dataset_id}/versions/"
    rows = [{"prompt": "Q", "completion": "A", "split": "train"}]
    problem = problem_in(program.post(address, {"rows": rows, "parent": foreign.pk}), 400)
    assert list(problem["fields"]) == ["parent"]


def test_a_file_that_left_the_disk_is_told(
    project: Project, owner: User, reviewer: User, program_for: ProgramFor
) -> None:
    campaign = make_campaign(project, [reviewer])
    review_all(campaign, reviewer, {})
    export = make_proposed_rows(campaign, owner)
    type(export).objects.filter(pk=export.pk).update(state="done", files=[{"name": "answers.jsonl"}])
    answer = program_for(owner).get(f"projects/{project.slug}/exports/{export.pk}/files/answers.jsonl/")
    assert "not on this server's disk" in problem_in(answer, 404)["message"]


def test_a_lost_database_is_503_with_a_time_to_wait(
    owner: User, program_for: ProgramFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*arguments: object, **named: object) -> None:
        raise OperationalError("the connection is lost")

    program = program_for(owner)
    monkeypatch.setattr("evalapp.decisions.api.projects.open_project", lost)
    answer = program.post("projects/", {"name": "New"})
    assert problem_in(answer, 503)["code"] == "unavailable"
    assert answer["Retry-After"] == "2"


def test_a_fault_of_ours_is_json_without_its_trace(
    owner: User, program_for: ProgramFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise RuntimeError("secret words")

    secret = program_for(owner).secret
    monkeypatch.setattr("evalapp.decisions.api.projects.open_project", broken)
    browser = Client(raise_request_exception=False)
    answer = browser.post(
        "/api/v1/projects/",
        {"name": "New"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert problem_in(answer, 500)["code"] == "broken"
    assert "secret words" not in answer.text
