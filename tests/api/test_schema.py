"""The OpenAPI schema: valid, complete, and without a warning of the library that writes it."""

import re
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, resolve, reverse
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator

from evalapp.api.example_bodies import NoExampleError, with_examples
from evalapp.api.operations import ApiView, Operation
from evalapp.api_urls import urlpatterns
from tests.api.conftest import problem_in


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    GENERATOR_STATS.reset()
    return dict(SchemaGenerator().get_schema(request=None, public=True))


def test_it_is_written_without_warnings_and_is_valid(schema: dict[str, Any]) -> None:
    assert not GENERATOR_STATS, "\n".join([*GENERATOR_STATS._warn_cache, *GENERATOR_STATS._error_cache])
    assert schema["openapi"].startswith("3.1")
    validate_schema(schema)


def _address(pattern: URLPattern) -> str:
    return "/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern))


def test_every_route_is_in_it_with_the_methods_that_it_takes(schema: dict[str, Any]) -> None:
    own = [pattern for pattern in urlpatterns if pattern.name not in ("api_schema", "api_missing")]
    offered = {
        _address(pattern): {
            method
            for method in ("get", "post", "put", "patch", "delete")
            if hasattr(pattern.callback.cls, method)
        }
        for pattern in own
    }
    described = {path: set(methods) - {"parameters"} for path, methods in schema["paths"].items()}
    assert described == offered


def test_every_class_with_operations_has_its_route() -> None:
    routed = {getattr(pattern.callback, "cls", None) for pattern in urlpatterns}
    declaring: set[type[ApiView]] = set()
    waiting = ApiView.__subclasses__()
    while waiting:
        view = waiting.pop()
        waiting += view.__subclasses__()
        if any(hasattr(each, "operation") for each in vars(view).values()):
            declaring.add(view)
    assert {view for view in declaring if view.__module__.startswith("evalapp.")} - routed == set()


def test_no_route_hides_another() -> None:
    """They stand in the order of their modules' names."""
    values = {"slug": "a", "uuid": UUID(int=0), "int": 1, "str": "a"}
    for pattern in urlpatterns:
        converters = re.findall(r"<(\w+):(\w+)>", str(pattern.pattern))
        if pattern.name not in ("api_schema", "api_missing"):
            address = reverse(str(pattern.name), kwargs={name: values[kind] for kind, name in converters})
            assert resolve(address).url_name == pattern.name


def _operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", described)
        for path, methods in schema["paths"].items()
        for method, described in methods.items()
    ]


def test_every_operation_has_words_a_token_and_the_shape_of_its_errors(schema: dict[str, Any]) -> None:
    assert schema["components"]["securitySchemes"].keys() == {"token"}
    for name, described in _operations(schema):
        assert described["summary"] and described["description"], name
        assert described["security"] == [{"token": []}], name
        error = described["responses"]["default"]["content"]["application/json"]["schema"]
        assert error == {"$ref": "#/components/schemas/Problem"}, name
        good = [status for status in described["responses"] if status.startswith("2")]
        assert good, name
    identifiers = [described["operationId"] for _, described in _operations(schema)]
    assert len(set(identifiers)) == len(identifiers)


def _contents(described: dict[str, Any]) -> list[dict[str, Any]]:
    bodies = [described.get("requestBody", {}), *described["responses"].values()]
    return [
        content
        for body in bodies
        for media_type, content in body.get("content", {}).items()
        if media_type != "application/octet-stream"
    ]


def _example(schema: dict[str, Any], content: dict[str, Any]) -> Any:
    name = content["examples"]["example"]["$ref"].rpartition("/")[2]
    return schema["components"]["examples"][name]["value"]


def test_every_request_and_every_answer_has_an_example_that_its_schema_admits(schema: dict[str, Any]) -> None:
    for name, described in _operations(schema):
        for content in _contents(described):
            admits = Draft202012Validator({**content["schema"], "components": schema["components"]})
            problems = [error.message for error in admits.iter_errors(_example(schema, content))]
            assert problems == [], name


def _declared() -> list[tuple[str, str, Operation]]:
    handlers = [
        (_address(pattern), method, getattr(pattern.callback.cls, method, None))
        for pattern in urlpatterns
        if hasattr(pattern.callback, "cls")
        for method in pattern.callback.cls.http_method_names
    ]
    return [(path, method, each.operation) for path, method, each in handlers if hasattr(each, "operation")]


def test_an_operation_takes_the_example_of_its_request(schema: dict[str, Any]) -> None:
    taken = 0
    for path, method, operation in _declared():
        described = schema["paths"][path][method]
        if "requestBody" in described and not operation.upload:
            given = operation.body(data=_example(schema, _contents(described)[0]))
            assert given.is_valid(), (path, given.errors)
            taken += 1
    assert taken >= 80


def test_an_operation_with_a_field_that_has_no_example_is_refused(schema: dict[str, Any]) -> None:
    unknown = {"type": "object", "properties": {"riddle": {"type": "string"}}}
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/RiddleBody"}}}
    result = {
        "paths": {"/api/v1/riddles/": {"patch": {"requestBody": {"content": content}, "responses": {}}}},
        "components": {"schemas": {"RiddleBody": unknown}},
    }
    with pytest.raises(NoExampleError, match=r"RiddleBody\.riddle has no example"):
        with_examples(result, None, None, True)


def test_every_list_has_the_parameters_of_paging(schema: dict[str, Any]) -> None:
    lists = 0
    for name, described in _operations(schema):
        good = described["responses"].get("200", {}).get("content", {}).get("application/json", {})
        reference = good.get("schema", {}).get("$ref", "")
        if "Paginated" in reference:
            lists += 1
            names = {parameter["name"] for parameter in described["parameters"]}
            assert {"after", "limit"} <= names, name
    assert lists >= 20


def test_anybody_may_read_it(db: None) -> None:
    answer = Client().get("/api/v1/schema/")
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("application/vnd.oai.openapi+json")
    assert answer.json()["info"]["title"] == "evalapp"


@pytest.mark.parametrize("query", ["version=2", "lang=xx", "format=yaml", "version=a%0d%0aX-Own:%201"])
def test_it_takes_no_parameters(query: str, db: None) -> None:
    answer = Client().get(f"/api/v1/schema/?{query}")
    assert problem_in(answer, 400)["message"] == "The schema takes no parameters."
    assert "X-Own" not in answer.headers


def test_it_is_written_once_however_many_ask(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks needs no account, and writing it takes a second."""
    first = Client().get("/api/v1/schema/")

    def write(*args: object, **options: object) -> None:
        raise AssertionError("written again")

    monkeypatch.setattr(SchemaGenerator, "get_schema", write)
    assert Client().get("/api/v1/schema/").content == first.content


def test_a_client_that_has_it_is_not_sent_it_again(db: None) -> None:
    etag = Client().get("/api/v1/schema/")["ETag"]
    again = Client().get("/api/v1/schema/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)
