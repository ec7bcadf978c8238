"""What holds of every conversation and of every row, whatever else they say."""

import base64
import copy
import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.conversations.differences import changed, changes_between, is_equal_json
from evalapp.conversations.form import conversation_problems
from evalapp.conversations.formats import FORMATS, format_of
from evalapp.imports.problems import RowProblemError
from tests.conversations.rows import EVERY_ROW, PNG, ROWS

SPELLINGS = (
    *("list", "text", "value", "bare", "field", "custom", "function", "functions", "function_call", "whole"),
    *("file", "bare file", "url", "image", "file_id", "file_url", "file_data", "message", "messages", "item"),
    *("document", "content", "content blocks", "search_result", "web_search_result", "container_upload"),
    *("instructions", "input", "custom_tool_call", "custom_tool_call_output", "shell_call_output"),
    *("tool_use", "server_tool_use", "mcp_tool_result", "web_search_call", "url_citation", "char_location"),
)
OURS = ("as", "absent", "item", "lengths", "content", "type", "role", "extra", "text", "name", "id")
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(OURS) | texts
leaves = (
    st.sampled_from(SPELLINGS) | st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | texts
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(names, values, max_size=4)
lists = st.lists(objects | values, max_size=3)


@given(objects, objects)
def test_a_difference_makes_the_one_of_the_other_unless_it_has_our_names(source, made):
    found = changed(made, changes_between(source, made))
    if not any(name in repr(source) for name in ("as", "absent", "item", "lengths")):
        assert is_equal_json(found, source)


def objects_within(value, most=4):
    """The objects in a row that more can be said in: messages, parts, calls, tools, and those in them."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list) and most:
        for each in value:
            yield from objects_within(each, most - 1)


@pytest.mark.parametrize(("key", "name"), EVERY_ROW)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_whatever_else_a_row_says_survives(key, name, data):
    row = copy.deepcopy(ROWS[key][name])
    inside = [each for field in FORMATS[key].fields for each in objects_within(row.get(field), 6)]
    for _ in range(data.draw(st.integers(1, 4))):
        data.draw(st.sampled_from(inside))[data.draw(names)] = data.draw(values)
    try:
        conversation = FORMATS[key].read(row)
    except RowProblemError as error:
        assert all(each.field and each.problem and each.fix for each in error.problems)
        return
    assert is_equal_json(FORMATS[key].write(conversation).fields, row)
    assert [str(each) for each in conversation_problems(conversation)] == []
    for each in FORMATS.values():
        again = each.write(conversation).fields
        assert is_equal_json(each.write(each.read(again)).fields, again)


@pytest.mark.parametrize("key", FORMATS)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_a_row_is_it_is_read_or_refused(key, data):
    fields = {name: data.draw(values | lists) for name in FORMATS[key].fields}
    format_of(fields)
    FORMATS[key].recognises(fields)
    try:
        conversation = FORMATS[key].read(fields)
    except RowProblemError:
        return
    assert is_equal_json(FORMATS[key].write(conversation).fields, fields)


@settings(max_examples=300, deadline=None)
@given(values)
def test_whatever_a_value_is_its_problems_are_told(value):
    assert all(str(each) for each in conversation_problems(value))
    assert all(str(each) for each in conversation_problems({"v": 1, "messages": value, "origin": value}))


extra = objects | st.fixed_dictionaries({"as": st.sampled_from(SPELLINGS)}, optional={"item": objects})
extras = st.fixed_dictionaries({}, optional={"extra": extra, "from": st.integers(0, 3), "id": texts})


def part(kind, optional=None, **needed):
    fields = st.fixed_dictionaries({"type": st.just(kind), **needed}, optional=optional or {})
    return st.tuples(fields, extras).map(lambda both: {**both[0], **both[1]})


def blob_of(media):
    return {"media": media, "data": PNG, "sha256": hashlib.sha256(base64.b64decode(PNG)).hexdigest()}


media = st.sampled_from(["image/png", "audio/wav", "audio/mpeg", "application/pdf", "video/mp4", ""])
citations = st.lists(
    st.fixed_dictionaries(
        {"source": st.sampled_from(["s1", "s2", "s3"]), "start": st.just(0), "end": st.just(0)},
        optional={"quote": texts, "locator": st.just({"page": 1}), "extra": extra},
    ),
    max_size=2,
)
small = [
    part("text", {"refusal": st.booleans(), "citations": citations}, text=texts),
    part("json", {"exact": texts}, value=values),
    part("source", source=st.sampled_from(["s1", "s2", "s3"])),
    st.tuples(media.map(blob_of), part("blob", {"name": texts, "alt": texts})).map(
        lambda both: {**both[1], **both[0]}
    ),
    part("gone", {"was": texts | st.just("https://e.org"), "media": media, "name": texts}, why=texts),
    part("other", of=texts | st.just("message"), value=values),
]
parts = st.lists(
    st.one_of(
        *small,
        part("reasoning", {"text": texts, "summary": texts, "sealed": texts}),
        part(
            "call",
            {"call": texts, "exact": texts},
            name=texts,
            arguments=values,
            by=st.sampled_from(["client", "server"]),
        ),
        part(
            "call",
            {"call": texts, "mark": texts},
            name=texts,
            exact=texts,
            by=st.sampled_from(["client", "server"]),
        ),
        part(
            "result",
            {"call": texts, "name": texts, "ok": st.booleans()},
            parts=st.lists(st.one_of(*small), max_size=2),
        ),
        part("note", text=texts),
    ),
    max_size=4,
)
roles = st.sampled_from(["system", "developer", "user", "assistant", "tool"])
messages = st.fixed_dictionaries({"role": roles, "content": texts}) | st.fixed_dictionaries(
    {"role": roles, "parts": parts},
    optional={"name": texts, "finish": texts, "time": texts, "extra": extra},
)
conversations = st.fixed_dictionaries(
    {
        "v": st.just(1),
        "messages": st.lists(messages, max_size=4),
        "origin": st.fixed_dictionaries(
            {"format": st.sampled_from([*FORMATS, "otel"]), "version": st.just("")},
            optional={"extra": objects},
        ),
        "sources": st.tuples(
            *(
                st.fixed_dictionaries(
                    {"id": st.just(name)},
                    optional={"title": texts, "text": texts, "uri": texts, "extra": extra},
                )
                for name in ("s1", "s2", "s3")
            )
        ).map(list),
    },
    optional={
        "tools": st.lists(
            st.fixed_dictionaries(
                {"name": texts}, optional={"description": texts, "schema": values, "extra": extra}
            ),
            max_size=2,
        )
    },
)


@settings(max_examples=300, deadline=None)
@given(conversations)
def test_every_good_conversation_is_written_in_every_format(conversation):
    assert [str(each) for each in conversation_problems(conversation)] == []
    before = copy.deepcopy(conversation)
    for key, each in FORMATS.items():
        written = each.write(conversation)
        if key != conversation["origin"]["format"]:
            again = each.read(written.fields)
            assert is_equal_json(each.write(again).fields, written.fields)
    assert is_equal_json(conversation, before)
