"""Texts that a page or form reads as something else: whatever they hold, the answer says what is wrong with which."""

from collections.abc import Callable

import pytest

from evalapp.core.errors import InvalidError
from evalapp.registry.chat_templates import checked_template
from evalapp.rubrics.interchange import read_yaml
from evalapp.runs.possible import require_schema

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
