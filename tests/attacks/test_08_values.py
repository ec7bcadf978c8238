"""Texts that a page or form reads as something else: whatever they hold, the answer says what is wrong with
which.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import QueryDict
from django.test import Client
from django.urls import reverse
from django.utils.datastructures import MultiValueDict

from evalapp.core.errors import InvalidError
from evalapp.registry.chat_templates import checked_template
from evalapp.rubrics.interchange import read_yaml
from evalapp.runs.programs.settings_checks import require_schema
from tests.access_table import ACCESS, ALLAUTH, LINK, SIGNED_IN, SITE_ADMIN
from tests.access_urls import kwargs_of
from tests.cast import client_of
from tests.test_access import (  # noqa: F401 - fixtures
    OWNER,
    REVIEWER,
    ROUTES,
    Route,
    Stage,
    shared,
    stage,
)

DEEP = 5_000
VALUES = {
    "digits": "9" * 5_000,
    "negative digits": "-" + "9" * 5_000,
    "nineteen digits": "9" * 19,
    "exponent": "1e99999",
    "not a number": "nan",
    "infinity": "-inf",
    "superscript": "²",
    "other digits": "٣٤",
    "underscore": "1_0",
    "NUL": "a\x00b",
    "replacement": "\ufffd",
    "no date": "2026-99-99",
    "first day": "0001-01-01",
    "last day": "9999-12-31T23:59:59+14:00",
    "brackets": "[" * DEEP,
    "JSON": '{"a":' * DEEP,
    "template": "{{ " + "(" * DEEP,
    "template number": "{{ messages }}{{ " + "9" * DEEP + " }}",
    "YAML": "evalapp_rubric: 1\na: " + "[" * DEEP,
    "pattern": "(" * DEEP,
    "backslash": "\\",
    "percent": "%" * 50,
    "way up": "../" * 50,
    "long": "x" * 100_000,
}
TEMPLATES = {
    "parentheses": "{{ " + "(" * DEEP + "messages" + ")" * DEEP + " }}",
    "not": "{{ " + "not " * DEEP + "messages }}",
    "minus": "{{ " + "-" * 20_000 + "messages }}",
    "lists": "{{ " + "[" * DEEP + "messages" + "]" * DEEP + " }}",
    "conditions": "{% if messages %}" * DEEP + "{% endif %}" * DEEP,
    "blocks": "".join(f"{{% block a{number} %}}" for number in range(3_000)),
    "a sum": "{{ messages" + " + 1" * 30_000 + " }}",
    "attributes": "{{ messages" + ".a" * 30_000 + " }}",
    "filters": "{{ messages" + "|upper" * 20_000 + " }}",
    "unclosed": "{{ " * DEEP,
    "digits": "{{ messages }}{{ " + "9" * 5_000 + " }}",
    "hexadecimal digits": "{{ messages }}{{ 0x" + "f" * 9_000 + " }}",
    "an escape": '{{ messages }}{{ "\\N{nothing}" }}',
    "an unknown filter": "{{ messages|nonsense }}",
    "a surrogate": "{{ messages }}\ud800",
    "NUL": "{{ messages }}\x00",
}


@pytest.mark.parametrize("text", TEMPLATES.values(), ids=TEMPLATES)
def test_a_chat_template_that_cannot_be_read_is_refused_with_its_field(text: str) -> None:
    with pytest.raises(InvalidError, match="The template") as refused:
        checked_template(text, field="template_file")
    assert list(refused.value.fields) == ["template_file"]


@pytest.mark.parametrize("depth", [1, 20])
def test_a_usual_chat_template_is_kept(depth: int) -> None:
    text = "{% for message in messages %}{{ " + "(" * depth + "message" + ")" * depth + " }}{% endfor %}"
    assert checked_template(text) == text


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize(
    "read",
    [lambda text: read_yaml(text.encode()), lambda text: require_schema({"json_schema": text})],
    ids=["a rubric file", "a JSON schema"],
)
def test_a_file_that_cannot_be_read_is_refused(read: Callable[[str], object], value: str) -> None:
    with pytest.raises(InvalidError) as refused:
        read(value)
    assert refused.value.message


class _Names:
    """Which fields a view asks of an address, of a form and of its files."""

    def __init__(self) -> None:
        self.read: set[str] = set()

    @contextmanager
    def recorded(self) -> Iterator[None]:
        kept = {name: getattr(MultiValueDict, name) for name in ("get", "getlist", "__getitem__")}

        def recording(name: str) -> Callable[..., Any]:
            def asked(given: Any, key: Any, *rest: Any, **options: Any) -> Any:
                if isinstance(given, QueryDict | MultiValueDict) and isinstance(key, str):
                    self.read.add(key)
                return kept[name](given, key, *rest, **options)

            return asked

        with patch.multiple(MultiValueDict, **{name: recording(name) for name in kept}):
            yield


def _client(route: Route, stage: Stage) -> Client:  # noqa: F811
    client = client_of(stage.people[REVIEWER if ACCESS[route.name].read == SIGNED_IN else OWNER])
    client.raise_request_exception = False
    return client


# Of a kind that is read alike one is enough where every page is asked.
IN_ADDRESSES = ("nineteen digits", "superscript", "last day")
IN_FORMS = ("digits", "nineteen digits", "superscript", "NUL", "no date", "last day", "template", "brackets")
PAGES = [
    route
    for route in ROUTES
    if not route.pattern.startswith("api/") and ACCESS[route.name].read not in (ALLAUTH, LINK, SITE_ADMIN)
]


def _each_page(turn: int) -> pytest.MarkDecorator:
    """Every second page, asked one kind; over all of them every kind comes up. `make verify` asks every page
    all kinds.
    """
    return pytest.mark.parametrize(
        ("route", "every"),
        [pytest.param(route, False, id=route.name) for route in PAGES[turn::2]]
        + [
            pytest.param(route, True, id=f"{route.name}-all", marks=pytest.mark.verification)
            for route in PAGES
        ],
    )


def _asked(kinds: tuple[str, ...], route: Route, every: bool) -> list[tuple[str, str]]:
    turn = PAGES.index(route) // 2 % len(kinds)
    return [(kind, VALUES[kind]) for kind in (kinds if every else kinds[turn : turn + 1])]


def _require_an_answer(send: Callable[[], Any], what: str) -> None:
    with transaction.atomic():
        answer = send()
        transaction.set_rollback(True)
    assert answer.status_code < 500, f"{what}: {answer.status_code}"


@_each_page(0)
def test_no_part_of_an_address_breaks_a_page(
    route: Route,
    every: bool,
    stage: Stage,  # noqa: F811
) -> None:
    address = reverse(route.name, kwargs=kwargs_of(route.name, list(route.kwargs), stage.world))
    client, names = _client(route, stage), _Names()
    with names.recorded():
        _require_an_answer(lambda: client.get(address), address)
    for kind, value in _asked(IN_ADDRESSES, route, every):
        _require_an_answer(
            lambda v=value: client.get(address, dict.fromkeys(names.read, v)), f"{address}: {kind}"
        )
    for name in sorted(names.read) if every else ():
        _require_an_answer(lambda n=name: client.get(address, {n: VALUES["digits"]}), f"{address}: {name}")


@_each_page(1)
def test_no_field_of_a_form_breaks_it(
    route: Route,
    every: bool,
    stage: Stage,  # noqa: F811
) -> None:
    address = reverse(route.name, kwargs=kwargs_of(route.name, list(route.kwargs), stage.world))
    client, names = _client(route, stage), _Names()
    with names.recorded():
        _require_an_answer(lambda: client.post(address), address)
    fields = sorted(names.read)
    for kind, value in _asked(IN_FORMS, route, every):
        _require_an_answer(
            lambda v=value: client.post(address, dict.fromkeys(fields, v)), f"{address}: {kind}"
        )
        given = {name: SimpleUploadedFile("given.jsonl", value.encode()) for name in fields if "file" in name}
        if given:
            _require_an_answer(lambda g=given: client.post(address, g), f"{address}, a file: {kind}")
