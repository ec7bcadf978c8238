"""However many unknown fields, bad values or problems a request holds: a short answer, and bounded work."""

import inspect
import json
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from rest_framework import serializers as framework

from evalapp.accounts.models import Project, User
from evalapp.api.errors import by_field
from evalapp.api.fields import Body, List, Nothing, Text
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import MOST_PROBLEMS, InvalidError
from evalapp.core.strict_json import read_json
from evalapp.datasets.models import Dataset
from evalapp.imports.json_objects import MOST_FIELDS, object_of
from evalapp.imports.problems import FieldProblem
from evalapp.reviews.answers import ReviewAnswers, check_answers, criteria_of, read_answers
from evalapp.reviews.models import Draft, Review
from evalapp.reviews.preferences.answers import read_preference
from evalapp.rubrics.interchange import read_yaml
from tests.api.conftest import Program, problem_in, program_of
from tests.cast import client_of
from tests.factories import make_campaign
from tests.kept_cast import FIXTURES, Cast, again
from tests.reviews.conftest import claim, url_of

cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
VERY_MANY = 330_000
WITHIN = settings.DATA_UPLOAD_MAX_NUMBER_FIELDS - 10
LONGEST_ANSWER = 64 * 2**10
JSON = {"Accept": "application/json"}


@pytest.fixture(scope="module")
def made(cast: Cast) -> Campaign:
    return make_campaign(cast.project, [cast.reviewer], rows=2)


@pytest.fixture
def campaign(made: Campaign, db: None) -> Campaign:
    return again(made)


def _require_short(answer: Any, status: int) -> None:
    assert answer.status_code == status, answer.content[:500]
    assert len(answer.content) <= LONGEST_ANSWER
    if answer["Content-Type"] == "application/json":
        texts = [text for given in answer.json()["error"]["fields"].values() for text in given]
        assert len(texts) <= MOST_PROBLEMS


def _unknown(count: int) -> dict[str, int]:
    return {f"u{number}": 1 for number in range(count)}


def _compact(body: object) -> str:
    return json.dumps(body, separators=(",", ":"))


def _body(place: str, count: int) -> dict[str, Any]:
    """What a reviewer's page sends, with that many unknown fields in that place."""
    unknown = _unknown(count)
    answers: dict[str, Any]
    if place == "itself":
        answers = unknown
    else:
        value = {"scores": 1, "tags": ["a"], "texts": "a", "spans": []}[place]
        answers = {place: dict.fromkeys(unknown, value)}
    return {"client_id": str(uuid4()), "seconds_active": 1, "revision": 0, "answers": answers}


@pytest.mark.parametrize("count", [WITHIN, VERY_MANY])
@pytest.mark.parametrize("place", ["itself", "scores", "tags", "texts", "spans"])
def test_unknown_fields_of_a_review_are_told_shortly(
    campaign: Campaign, reviewer: User, count: int, place: str
) -> None:
    body = _compact(_body(place, count if place in ("itself", "scores") else count // 2))
    assert len(body) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    address = url_of(claim(campaign, reviewer))
    page = client_of(reviewer).post(address, body, content_type="application/json", headers=JSON)
    _require_short(page, 400)
    assert page.json()["error"]["message"]
    program = program_of(reviewer)
    _require_short(program.ask("POST", f"reviews/{address.split('/')[2]}/0/", body), 400)
    assert not Review.objects.exists()


def test_a_draft_takes_no_more_fields_than_a_form(campaign: Campaign, reviewer: User) -> None:
    address = f"{url_of(claim(campaign, reviewer))}draft/"
    body = _compact(_body("scores", VERY_MANY))
    answer = client_of(reviewer).post(address, body, content_type="application/json", headers=JSON)
    _require_short(answer, 400)
    assert f"{settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} is the limit" in answer.json()["error"]["message"]
    assert not Draft.objects.exists()


def test_one_object_too_large_anywhere_in_a_text_is_refused() -> None:
    too_large = json.dumps(_unknown(VERY_MANY))
    for text in ('{"a": %s}', "[%s]", "[[{}, %s]]"):
        with pytest.raises(InvalidError, match=f"{VERY_MANY:,} fields"):
            read_json((text % too_large).encode())
    assert len(read_json(json.dumps(_unknown(WITHIN)).encode())) == WITHIN


def test_no_more_is_looked_at_after_the_last_problem_that_is_told(campaign: Campaign) -> None:
    looked_at = 0

    class Counted(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            nonlocal looked_at
            for key in super().__iter__():
                looked_at += 1
                yield key

    answers = ReviewAnswers(scores=Counted(_unknown(WITHIN)))
    with pytest.raises(InvalidError) as refused:
        check_answers(answers, criteria=criteria_of(campaign.rubric_version))
    assert sum(map(len, refused.value.fields.values())) == MOST_PROBLEMS
    assert looked_at == MOST_PROBLEMS


@pytest.mark.parametrize("read", [read_answers, read_preference], ids=lambda each: each.__name__)
def test_what_is_read_before_the_rubric_is_told_shortly(read: Callable[[object], object]) -> None:
    with pytest.raises(InvalidError) as refused:
        read({"x" * 1_000 + str(number): 1 for number in range(WITHIN)})
    assert len(str(refused.value.fields)) < LONGEST_ANSWER


def test_a_rubric_file_tells_so_many_problems_at_most() -> None:
    lines = "\n".join(f"u{number}: 1" for number in range(9_000))
    with pytest.raises(InvalidError) as refused:
        read_yaml(f"evalapp_rubric: 1\n{lines}\n".encode())
    assert sum(map(len, refused.value.fields.values())) <= MOST_PROBLEMS


def _all_bodies() -> list[type[Body]]:
    import_module("evalapp.api_urls")
    found: list[type[Body]] = []
    waiting = [Body]
    while waiting:
        body = waiting.pop()
        waiting += body.__subclasses__()
        if ".api" in body.__module__ and body is not Nothing:
            found.append(body)
    return sorted(found, key=lambda each: each.__name__)


@pytest.mark.parametrize("body", _all_bodies(), ids=lambda each: each.__name__)
def test_every_body_of_the_api_tells_so_many_problems_at_most(body: type[Body]) -> None:
    own = len(body().fields)
    given = body(data=_unknown(WITHIN))
    assert not given.is_valid()
    assert sum(len(texts) for _, texts in by_field(given.errors)) <= MOST_PROBLEMS + own
    for name, field in body().fields.items():
        if isinstance(field, framework.ListField | framework.ListSerializer):
            assert isinstance(field, List), f"{name}: a plain list has no end of problems"
            if field.max_length is None:
                continue
            given = body(data={name: [{"": None}] * (field.max_length + 1)})
            assert not given.is_valid()
            assert len(dict(by_field(given.errors)).keys()) <= own, f"{name}: its length comes first"


def test_a_list_of_bad_values_is_told_shortly(project: Project, engineer: User) -> None:
    program = program_of(engineer)
    dataset = program.post(f"projects/{project.slug}/datasets/", {"name": "Clients"}).json()["id"]
    address = f"projects/{project.slug}/datasets/{dataset}/versions/"
    for rows in ([7] * 10_000, [{}] * 10_000, [_unknown(20)] * 9_000, [7] * 500_000):
        _require_short(program.post(address, {"rows": rows}), 400)
    assert not Dataset.objects.get(pk=dataset).versions.exists()


def test_a_list_stops_at_its_last_told_problem() -> None:
    looked_at = []

    class Seen(Text):
        def to_internal_value(self, data: Any) -> str:
            looked_at.append(data)
            return super().to_internal_value(data)

    with pytest.raises(framework.ValidationError):
        List(child=Seen(max_length=5)).run_validation([7] * 10_000)
    assert len(looked_at) == MOST_PROBLEMS


def _form(count: int, prefix: str = "u") -> dict[str, str]:
    return {f"{prefix}{number}": "1" for number in range(count)}


@pytest.mark.parametrize("kind", ["a form", "an upload"])
@pytest.mark.parametrize("address", ["/accounts/login/", "/projects/new/"])
def test_a_form_of_too_many_fields_is_told_so(owner: User, address: str, kind: str) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    if address != "/accounts/login/":
        client.force_login(owner)
    client.get(address)
    many = _form(settings.DATA_UPLOAD_MAX_NUMBER_FIELDS + 1)
    if kind == "a form":
        page = client.post(
            address,
            "&".join(f"{name}={value}" for name, value in many.items()),
            content_type="application/x-www-form-urlencoded",
        )
    else:
        page = client.post(address, many)
    _require_short(page, 413)
    # A form of files is larger than what is received from anybody, and refused before its fields are counted.
    is_too_large = kind == "an upload" and address == "/accounts/login/"
    told = (
        "the limit here is 65,536"
        if is_too_large
        else f"more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields"
    )
    assert told in page.text


def test_unknown_fields_of_the_reviewers_form_are_told_shortly(campaign: Campaign, reviewer: User) -> None:
    form = {**_form(WITHIN, "criterion-"), "client_id": str(uuid4()), "revision": "0"}
    page = client_of(reviewer).post(url_of(claim(campaign, reviewer)), form)
    assert page.status_code == 400
    usual = client_of(reviewer).get(url_of(claim(campaign, reviewer)))
    assert len(page.content) < len(usual.content) + LONGEST_ANSWER


def test_what_was_sent_is_not_repeated_at_length(project: Project, owner: User) -> None:
    program: Program = program_of(owner)
    long = "x" * 1_000_000
    problem = problem_in(program.post(f"projects/{project.slug}/rubrics/", {long: 1}), 400)
    assert len(json.dumps(problem)) < LONGEST_ANSWER
    bodies = [
        (f"projects/{project.slug}/webhooks/", {"url": "https://example.org", "events": [long]}),
        (f"projects/{project.slug}/decisions/", {"campaign": 1, "candidate": 1, "preference": long}),
        (f"projects/{project.slug}/rubrics/", {"name": "A", "criteria": [{"name": "A", "kind": long}]}),
    ]
    for address, body in bodies:
        answer = program.post(address, body)
        assert 400 <= answer.status_code < 500
        assert len(answer.content) < LONGEST_ANSWER, inspect.cleandoc(answer.content[:200].decode())


def test_an_error_keeps_so_many_problems_whoever_raises_it() -> None:
    texts = ["t" * 10**6] * 3
    error = InvalidError("a" * 10**6, fields={"f" * 10**6 + str(n): texts for n in range(MOST_PROBLEMS + 10)})
    assert sum(map(len, error.fields.values())) <= MOST_PROBLEMS
    assert len(str(error.fields)) + len(error.message) < 3 * LONGEST_ANSWER


def test_a_row_of_a_file_has_as_many_fields_as_a_table_has_columns() -> None:
    row = {"prompt": "a", "completion": "b"}
    assert object_of(json.dumps({**row, **_form(MOST_FIELDS - 2)}).encode()) == {
        **row,
        **_form(MOST_FIELDS - 2),
    }
    for content in ({**row, **_form(330_000)}, {**row, "metadata": _form(MOST_FIELDS + 1)}):
        refused = object_of(json.dumps(content).encode())
        assert isinstance(refused, FieldProblem)
        assert f"{MOST_FIELDS} is the limit" in refused.problem
