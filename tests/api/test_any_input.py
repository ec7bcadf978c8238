"""Whatever the schema allows, and much that it does not: no operation answers with a fault of ours."""

import json
import re
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from evalapp.accounts.models import User
from evalapp.api_urls import urlpatterns
from tests.access_objects import make_world
from tests.access_urls import kwargs_of
from tests.api.conftest import Program
from tests.cast import make_project, make_user

ProgramFor = Callable[[User | None], Program]

EXAMPLES, MANY_EXAMPLES = 1, 20
PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
ROUTES = {
    "/api/v1/" + PLACE.sub(r"{\1}", str(pattern.pattern)): (pattern.name, PLACE.findall(str(pattern.pattern)))
    for pattern in urlpatterns
}

ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18) + 1, 10**18 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "../../etc", "x" * 300_000]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def _operations() -> Iterator[Any]:
    described = SchemaGenerator().get_schema(request=None, public=True)
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(described)))
    for found in schema.get_all_operations():
        operation = found.ok()
        yield pytest.param(operation, id=f"{operation.method.upper()} {operation.path}")


def _spoilt(case: Any, data: st.DataObject) -> object:
    """The case's body with any value in place of one of its fields."""
    if not isinstance(case.body, dict) or not case.body:
        return data.draw(ANY_JSON, label="body")
    field = data.draw(st.sampled_from(sorted(case.body)), label="field")
    return {**case.body, field: data.draw(ANY_JSON, label=field)}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[SimpleNamespace]:
    """A project made once for this file; each test's changes to it are taken back."""
    with django_db_blocker.unblock(), transaction.atomic():
        owner = make_user("owner")
        yield make_world(make_project("Summaries", owner=owner), reviewer=owner)
        transaction.set_rollback(True)


@pytest.mark.django_db
@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MANY_EXAMPLES, marks=pytest.mark.verification)])
@pytest.mark.parametrize("operation", list(_operations()))
def test_no_input_makes_an_operation_break(
    operation: Any, examples: int, world: SimpleNamespace, program_for: ProgramFor
) -> None:
    name, places = ROUTES[operation.path]
    program = program_for(world.user)
    address = operation.path.format(**kwargs_of(name, places, world))

    stream = {"evalapp-stream": f"{world.project.slug}/{world.stream.pk}"}

    def send(case: Any, body: object) -> None:
        is_form = (case.media_type or "").startswith("multipart")
        content = b"--x--\r\n" if is_form else json.dumps(body).encode() if case.media_type else b""
        kind = "multipart/form-data; boundary=x" if is_form else "application/json"
        query = urlencode(case.query or {}, doseq=True)
        with transaction.atomic():
            answer = program.ask(
                operation.method, f"{address}?{query}", content, content_type=kind, headers=stream
            )
            transaction.set_rollback(True)
        assert answer.status_code < 500, answer.content
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message", "fields"}

    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(path_parameters=dict.fromkeys(places, "1")), data=st.data())
    def check(case: Any, data: st.DataObject) -> None:
        body = case.body if isinstance(case.body, dict | list) else {}
        send(case, body)
        send(case, _spoilt(case, data))

    check()
