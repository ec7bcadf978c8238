"""Whatever a span or an exported row holds, it becomes an event or is told why not: never a fault of ours."""

import copy
import datetime as dt
import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalapp.core.errors import ProblemError
from evalapp.imports.problems import RowProblemError
from evalapp.monitoring.events.reading import events_of_request, read_events
from evalapp.monitoring.otlp.calls import calls_in
from evalapp.monitoring.otlp.requests import read_otlp_json
from evalapp.monitoring.otlp.taking import _read
from evalapp.monitoring.trace_files import event_of, is_exported
from tests.monitoring import test_trace_files as samples
from tests.monitoring.spans import Instrumented, answer, as_json, text_message

NOW = dt.datetime(2026, 12, 1, tzinfo=dt.UTC)
STREAM: Any = SimpleNamespace(pk=1)
WORDS = (
    *("type", "role", "parts", "content", "text", "user", "assistant", "tool", "tool_call", "arguments"),
    *(
        "message",
        "messages",
        "tool_calls",
        "function",
        "name",
        "kwargs",
        "lc",
        "id",
        "GENERATION",
        "response",
    ),
)
texts = st.sampled_from(WORDS) | st.text(max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.floats(-1e9, 1e9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
SAMPLES = [
    samples.LANGFUSE,
    samples.LANGFUSE_STORED,
    samples.LANGFUSE_TRACE,
    samples.LANGSMITH,
    samples.LANGSMITH_WRAPPED,
    samples.MLFLOW,
]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Each list or object in a value with each of its keys."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


def spoil(value: Any, data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 3))):
        if found := places(value):
            holder, key = data.draw(st.sampled_from(found))
            new = data.draw(values)
            holder[key] = json.dumps(new) if data.draw(st.booleans()) else new


def read_rows(rows: list[dict[str, Any]]) -> None:
    if rows:
        found = read_events(STREAM, events_of_request(rows), now=NOW, vault=None)
        assert len(found.events) + found.repeated + len(found.refused) == len(rows)


@pytest.mark.parametrize("number", range(len(SAMPLES)))
@given(data=st.data())
def test_any_exported_row_is_an_event_or_told(number: int, data: st.DataObject) -> None:
    row = copy.deepcopy(SAMPLES[number])
    spoil(row, data)
    if is_exported(row):
        try:
            event = event_of(row)
        except RowProblemError as error:
            assert error.problems
        else:
            read_rows([event] if event is not None else [])


ATTRIBUTES = ("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
              "gen_ai.tool.definitions", "gen_ai.retrieval.documents", "gen_ai.operation.name",
              "gen_ai.request.model", "gen_ai.conversation.id", "gen_ai.usage.input_tokens", "gen_ai.prompt",
              "gen_ai.completion", "topic")  # fmt: skip


@given(data=st.data())
def test_any_span_is_an_event_or_told(data: st.DataObject) -> None:
    app = Instrumented()
    inputs, outputs = [text_message("user", "Why?")], [answer("Because.")]
    spoil(inputs if data.draw(st.booleans()) else outputs, data)
    given_more = data.draw(st.dictionaries(st.sampled_from(ATTRIBUTES), values.map(json.dumps), max_size=3))
    app.call(inputs, outputs, **given_more)
    app.call(inputs, outputs)
    request = read_otlp_json(json.dumps(as_json(app.request())).encode())
    found = calls_in(request)
    read = _read(found.calls)
    total = len(read.rows) + len(read.refused) + read.repeats + len(found.empty) + found.others
    assert total == 2
    read_rows(read.rows)


@given(data=st.data())
def test_any_otlp_json_is_read_or_refused(data: st.DataObject) -> None:
    app = Instrumented()
    app.call([text_message("user", "Why?")], [answer("Because.")])
    body = as_json(app.request())
    spoil(body, data)
    try:
        request = read_otlp_json(json.dumps(body).encode())
    except ProblemError:
        return
    _read(calls_in(request).calls)


def test_times_of_19_digits_are_read_as_numbers() -> None:
    app = Instrumented()
    app.call([text_message("user", "Why?")], [answer("Because.")])
    body = as_json(app.request())
    span = body["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    span["startTimeUnixNano"] = int(span["startTimeUnixNano"])
    (call,) = calls_in(read_otlp_json(json.dumps(body).encode())).calls
    assert call.started_at == span["startTimeUnixNano"] > 10**18
