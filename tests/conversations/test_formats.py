"""Rows of other systems, read into the stored form and written again."""

import copy
import json

import pytest

from evalapp.conversations.differences import is_equal_json
from evalapp.conversations.form import conversation_problems
from evalapp.conversations.formats import FORMATS, format_of
from evalapp.conversations.formats.base import OTHER_ROLES
from evalapp.conversations.text import text_form
from evalapp.imports.problems import RowProblemError
from tests.conversations.rows import EVERY_ROW, PDF, PNG, ROWS


def row_named(key, name):
    return copy.deepcopy(ROWS[key][name])


def read(key, name):
    return FORMATS[key].read(row_named(key, name))


def parts_of(conversation, kind):
    """All parts of a kind, those within results too."""
    found = [part for message in conversation["messages"] for part in message.get("parts", [])]
    found += [inner for part in found for inner in part.get("parts", [])]
    return [part for part in found if part["type"] == kind]


def test_the_formats_are_in_the_order_in_which_they_are_offered():
    assert {key: each.label for key, each in FORMATS.items()} == {
        "openai.chat": "OpenAI chat",
        "openai.responses": "OpenAI Responses",
        "anthropic": "Anthropic Messages",
        "hf": "Hugging Face chat",
        "otel": "OpenTelemetry GenAI",
    }
    assert [*FORMATS] == ["openai.chat", "openai.responses", "anthropic", "hf", "otel"]
    assert all(each.key == key for key, each in FORMATS.items())


@pytest.mark.parametrize(("key", "name"), EVERY_ROW)
def test_a_row_is_recognised_read_and_written_as_it_was(key, name):
    row = row_named(key, name)
    assert format_of(row) is FORMATS[key]
    conversation = FORMATS[key].read(row)
    assert row == ROWS[key][name], "reading changes nothing of the row"
    assert conversation["origin"]["format"] == key
    assert list(conversation_problems(conversation)) == []
    # What a database gives back has other orders of fields.
    stored = json.loads(json.dumps(conversation, sort_keys=True))
    written = FORMATS[key].write(stored)
    assert is_equal_json(written.fields, row)
    assert written.losses == []


@pytest.mark.parametrize(("key", "name"), EVERY_ROW)
def test_what_is_beside_the_formats_fields_is_left_to_the_caller(key, name):
    row = row_named(key, name)
    more = {"chosen": [{"role": "assistant", "content": 3}], "rejected": None, "label": "x"}
    assert is_equal_json(FORMATS[key].read({**row, **more}), FORMATS[key].read(row))


@pytest.mark.parametrize(("key", "name"), EVERY_ROW)
@pytest.mark.parametrize("target", FORMATS)
def test_every_row_can_be_written_in_every_format(key, name, target):
    conversation = read(key, name)
    before = copy.deepcopy(conversation)
    written = FORMATS[target].write(conversation)
    assert conversation == before
    assert set(written.fields) <= set(FORMATS[target].fields)
    assert len(written.losses) == len(set(written.losses))
    assert all(loss and loss == loss.strip() and "_" not in loss for loss in written.losses)
    again = FORMATS[target].read(json.loads(json.dumps(written.fields)))
    assert list(conversation_problems(again)) == []
    assert is_equal_json(FORMATS[target].write(again).fields, written.fields)


def text_in(value):
    if isinstance(value, dict):
        value = [*value.values()]
    if isinstance(value, list):
        return "".join(map(text_in, value))
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(
    ("key", "name", "target", "losses"),
    [
        (
            "anthropic",
            "tools and thinking",
            "openai.chat",
            {"signatures of reasoning", "reasoning", "images"},
        ),
        ("anthropic", "tools and thinking", "hf", {"signatures of reasoning", "marks of failed calls"}),
        (
            "anthropic",
            "tools and thinking",
            "openai.responses",
            {"signatures of reasoning", "built-in tools"},
        ),
        ("anthropic", "tools of the server, with citations", "hf", {"citations", "sources", "notes"}),
        (
            "anthropic",
            "tools of the server, with citations",
            "openai.chat",
            {"calls of built-in tools", "results of built-in tools", "files"},
        ),
        ("openai.responses", "a turn with everything", "anthropic", {"citations", "reasoning", OTHER_ROLES}),
        ("openai.chat", "files", "anthropic", {"sound recordings", "files", "names"}),
        ("openai.chat", "arguments of every kind", "anthropic", {"arguments that are not JSON"}),
        ("openai.chat", "refusals and citations", "anthropic", {"citations", "marks of refusals"}),
        ("hf", "documents", "openai.chat", {"sources"}),
        ("hf", "calls with objects", "openai.chat", {"reasoning"}),
    ],
)
def test_what_another_format_cannot_hold_is_named(key, name, target, losses):
    assert losses <= set(FORMATS[target].write(read(key, name)).losses)


def test_nothing_is_lost_where_the_other_format_holds_everything():
    row = row_named("hf", "tools as text")
    written = FORMATS["openai.chat"].write(FORMATS["hf"].read(row))
    assert written.losses == []
    assert written.fields["messages"] == [
        row["messages"][0],
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "9", "type": "function", "function": {"name": "f", "arguments": '{"a":  1}'}}
            ],
        },
    ]
    assert written.fields["tools"] == json.loads(row["tools"])


def test_calls_and_results_move_between_formats():
    conversation = read("anthropic", "tools and thinking")
    chat = FORMATS["openai.chat"].write(conversation).fields["messages"]
    assert [each["id"] for message in chat for each in message.get("tool_calls", [])] == [
        "toolu_1",
        "toolu_2",
    ]
    assert [each["tool_call_id"] for each in chat if each["role"] == "tool"] == [
        f"toolu_{number}" for number in range(1, 6)
    ]
    back = FORMATS["anthropic"].write(FORMATS["openai.chat"].read({"messages": chat})).fields["messages"]
    first = next(each for each in back if each["role"] == "user" and isinstance(each["content"], list))
    assert [each["tool_use_id"] for each in first["content"]] == ["toolu_1", "toolu_2"], (
        "results are one message"
    )
    items = FORMATS["openai.responses"].write(conversation).fields["input"]
    assert [each["call_id"] for each in items if each.get("type") == "function_call"] == [
        "toolu_1",
        "toolu_2",
    ]
    assert json.loads(next(each["arguments"] for each in items if "arguments" in each)) == {"city": "Bern"}


def test_images_move_between_formats():
    chat = FORMATS["openai.chat"].read(row_named("openai.chat", "files"))
    content = FORMATS["anthropic"].write(chat).fields["messages"][0]["content"]
    assert content[1]["source"] == {"type": "base64", "media_type": "image/png", "data": PNG}
    assert content[2]["source"] == {"type": "url", "url": "https://example.org/cat.jpg"}
    assert content[3] == {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
    }
    items = FORMATS["openai.responses"].write(chat).fields["input"]
    assert items[0]["content"][1] == {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}


def test_citations_of_addresses_move_between_formats():
    items = FORMATS["openai.responses"].write(read("openai.chat", "refusals and citations")).fields["input"]
    annotations = [
        each
        for item in items
        for part in item["content"]
        if "annotations" in part
        for each in part["annotations"]
    ]
    assert {
        "type": "url_citation",
        "url": "https://example.org/water",
        "title": "Water",
        "start_index": 0,
        "end_index": 5,
    } in annotations


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": role, "content": "x"} for role in ("system", "user", "assistant")]},
        {"messages": [{"role": "user", "content": "x"}], "tools": [], "functions": None, "label": "a"},
        {"messages": [{"role": "user", "content": "x"}], "tools": "[]", "documents": []},
        {"messages": [{"role": "user", "content": "x"}], "system": "y"},
        {"messages": [{"role": "human", "content": "x", "id": 1}]},
        {"messages": [{"from": "human", "value": "x"}]},
        {"messages": ["x"]},
        {"messages": "x"},
        {"messages": []},
        {"messages": None},
        {"instruction": "a", "input": "b", "output": "c"},
        {"instructions": "a", "input": "b", "output": "c", "tools": None},
        {"input": [{"role": "user", "content": "x"}], "output": None},
        {"output": [{"type": "entity", "text": "x"}]},
        {"output": [{"type": "message", "text": "x"}]},
        {"prompt": "a", "completion": "b"},
        {"chosen": [{"role": "assistant", "content": [{"type": "text", "text": "x"}]}]},
        {},
    ],
)
def test_plain_rows_are_not_recognised(fields):
    assert format_of(fields) is None
    assert not any(each.recognises(fields) for each in FORMATS.values())


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"messages": [{"role": "developer", "content": "x"}]}, "openai.chat"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "openai.chat"),
        ({"messages": [{"role": "user", "content": "x", "name": "ada"}]}, "openai.chat"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "openai.chat"),
        ({"messages": [{"role": "assistant", "content": None, "refusal": "x"}]}, "openai.chat"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}, "openai.chat"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": [{"input_schema": {}}]}, "anthropic"),
        (
            {"messages": [{"role": "user", "content": "x"}], "system": [{"type": "text", "text": "y"}]},
            "anthropic",
        ),
        ({"messages": [{"role": "user", "content": "x"}], "documents": [{"text": "y"}]}, "hf"),
        ({"messages": [{"role": "user", "content": "x"}], "tools": '[{"name": "f"}]'}, "hf"),
        ({"messages": [{"role": "assistant", "content": "x", "thinking": "y"}]}, "hf"),
        ({"input": [{"type": "message", "role": "user", "content": "x"}]}, "openai.responses"),
        ({"input": "x", "output": [{"type": "function_call", "name": "f"}]}, "openai.responses"),
        ({"gen_ai.input.messages": '[{"role": "user", "parts": []}]', "output": "x"}, "otel"),
        ({"gen_ai.output.messages": [{"role": "user", "parts": []}], "tools": [{}]}, "otel"),
    ],
)
def test_what_decides_between_formats(fields, key):
    assert format_of(fields).key == key


@pytest.mark.parametrize("key", [key for key in FORMATS if key != "otel"])
def test_plain_messages_stay_as_they_are(key):
    messages = [
        {"role": "system", "content": "a"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "c"},
    ]
    field = "input" if key == "openai.responses" else "messages"
    conversation = FORMATS[key].read({field: messages})
    assert conversation["messages"] == messages
    assert FORMATS[key].write(conversation).fields == {field: messages}


def test_arguments_are_read_and_kept_exactly_where_they_would_change():
    calls = parts_of(read("openai.chat", "arguments of every kind"), "call")
    told = {part.get("exact", json.dumps(part.get("arguments"))): part for part in calls[:16]}
    assert told["{"] == {
        "type": "call",
        "call": "0",
        "name": "f",
        "exact": "{",
        "mark": "arguments are no JSON",
        "by": "client",
    }
    assert "exact" not in told["{}"]
    assert told['{"a": 1, "a": 2}']["arguments"] == {"a": 2}
    assert told['{"b": 1, "a": 2}']["arguments"] == {"a": 2, "b": 1}, "stored fields lose their order"
    assert told['{"a": 1e16}']["arguments"] == {"a": 1e16}
    marks = [text for text, part in told.items() if "mark" in part]
    assert len(marks) == 8
    assert {told[text]["mark"] for text in ('{"a": "\\u0000"}', "[" * 90 + "]" * 90)} == {
        "arguments cannot be stored as JSON"
    }


def test_arguments_that_were_changed_are_written_as_they_are_now():
    conversation = read("openai.chat", "parallel calls")
    parts_of(conversation, "call")[1]["arguments"]["city"] = "Rom"
    calls = FORMATS["openai.chat"].write(conversation).fields["messages"][2]["tool_calls"]
    assert calls[1]["function"]["arguments"] == '{"city": "Rom"}'
    assert calls[0]["function"]["arguments"] == '{"city":"Zürich","unit":"c"}'


def test_tools_that_came_as_text_are_text_again_also_when_changed():
    conversation = read("hf", "tools as text")
    conversation["tools"][0]["name"] = "g"
    tools = FORMATS["hf"].write(conversation).fields["tools"]
    assert json.loads(tools)[0]["function"]["name"] == "g"


def test_bytes_stay_within_the_message_and_addresses_are_told():
    conversation = read("openai.chat", "files")
    blobs, gone = parts_of(conversation, "blob"), parts_of(conversation, "gone")
    assert [each["media"] for each in blobs] == [
        "image/png",
        "audio/wav",
        "audio/mpeg",
        "application/pdf",
        "application/octet-stream",
    ]
    assert blobs[0]["data"] == PNG
    assert blobs[0]["extra"] == {"image_url": {"detail": "high"}}
    assert (blobs[3]["name"], blobs[3]["data"]) == ("a.pdf", PDF)
    assert [(each["why"], each["was"]) for each in gone] == [
        ("not fetched", "https://example.org/cat.jpg"),
        ("not fetched", "file-abc123"),
    ]


def test_what_a_message_refuses_is_marked():
    parts = parts_of(read("openai.chat", "refusals and citations"), "text")
    assert [part["text"] for part in parts if part.get("refusal")] == [
        "I cannot help with that.",
        "I cannot.",
        "",
    ]


def test_citations_are_spans_with_their_sources():
    conversation = read("openai.chat", "refusals and citations")
    citations = [each for part in parts_of(conversation, "text") for each in part.get("citations", [])]
    assert [(each["start"], each["end"]) for each in citations] == [(0, 5)]
    sources = {each["id"]: each for each in conversation["sources"]}
    assert sources[citations[0]["source"]]["uri"] == "https://example.org/water"

    conversation = read("anthropic", "documents")
    sources = {each["id"]: each for each in conversation["sources"]}
    citations = [each for part in parts_of(conversation, "text") for each in part.get("citations", [])]
    assert [sources[each["source"]].get("title") for each in citations] == ["Report", "Paper", None, "Found"]
    assert [each["locator"] for each in citations] == [
        {"start": 0, "end": 10},
        {"start": 1, "end": 2, "page": 1},
        {"start": 1, "end": 2},
        {"start": 0, "end": 1},
    ]
    assert sources[citations[2]["source"]]["text"] == "a\n\nb\n\nc"
    assert "citations" not in parts_of(conversation, "text")[-1].get("extra", {}), "they are not kept twice"

    conversation = read("openai.responses", "a turn with everything")
    citations = [each for part in parts_of(conversation, "text") for each in part.get("citations", [])]
    assert [(each["start"], each["end"]) for each in citations] == [(6, 18), (0, 19), (0, 19), (0, 2)]


def test_what_a_server_found_are_sources():
    conversation = read("anthropic", "tools of the server, with citations")
    calls = [part for part in parts_of(conversation, "call") if part["by"] == "server"]
    assert [part["name"] for part in calls] == ["web_search", "code_execution", "echo"]
    found = parts_of(conversation, "result")[0]
    sources = {each["id"]: each for each in conversation["sources"]}
    assert [sources[part["source"]]["title"] for part in found["parts"]] == ["Who", "Two"]
    cited = next(part for part in parts_of(conversation, "text") if "citations" in part)["citations"][0]
    assert sources[cited["source"]]["uri"] == "https://example.org/who"
    assert [part["text"] for part in parts_of(conversation, "note")] == ["Earlier, they spoke of rain."]

    conversation = read("openai.responses", "a turn with everything")
    assert {"title": "x.md", "text": "Bern", "score": 0.9} in [
        {name: value for name, value in each.items() if name != "id"} for each in conversation["sources"]
    ]


def test_the_documents_of_a_row_are_sources():
    conversation = read("hf", "documents")
    assert [each.get("title") for each in conversation["sources"]] == ["Map", "Map", None]
    assert conversation["sources"][1]["extra"]["doc_id"] == 3
    written = FORMATS["hf"].write(read("anthropic", "documents")).fields["documents"]
    assert written[0] == {"title": "Report", "text": "It rained.\nA lot."}


def test_results_in_a_users_message_are_messages_of_tools():
    conversation = read("anthropic", "tools and thinking")
    roles = [
        (each["role"], each["parts"][0].get("from"))
        for each in conversation["messages"][3:8]
        if "parts" in each
    ]
    assert roles == [("tool", 2), ("tool", 2), ("user", 2), ("tool", 2), ("tool", 2)]
    assert [part.get("ok") for part in parts_of(conversation, "result")] == [None, False, True, None, None]
    reasoning = parts_of(conversation, "reasoning")
    assert reasoning[0] == {"type": "reasoning", "text": "Two calls.", "sealed": "EqQBCgIYAhIM"}
    assert reasoning[1] == {"type": "reasoning", "sealed": "EmwKAhgBEgy3"}


def test_items_between_two_of_others_are_one_message():
    conversation = read("openai.responses", "a turn with everything")
    assert [each["role"] for each in conversation["messages"]] == [
        "system",
        "developer",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "tool",
        "assistant",
    ]
    turn = conversation["messages"][3]["parts"]
    assert [part["type"] for part in turn] == ["reasoning", "text", "call", "call"]
    assert [part["from"] for part in turn] == [2, 3, 4, 5]
    assert turn[0]["sealed"] == "gAAAAAB"
    assert turn[0]["summary"] == "**Looking**\n\n**Calling**"
    assert turn[1]["extra"]["item"]["phase"] == "commentary"
    assert turn[3]["mark"] == "arguments are no JSON"


def test_reasoning_is_read_under_each_of_its_names():
    reasoning = parts_of(read("hf", "calls with objects"), "reasoning")
    assert [part["text"] for part in reasoning] == ["I should look.", "Fine."]
    calls = parts_of(read("hf", "calls with objects"), "call")
    assert [part["arguments"] for part in calls] == [{"unit": "c", "city": "Bern"}, {}, None, {"a": 1}]


def test_tools_have_names_descriptions_and_schemas():
    for key, name in (
        ("openai.chat", "parallel calls"),
        ("anthropic", "tools and thinking"),
        ("openai.responses", "a turn with everything"),
    ):
        tool = read(key, name)["tools"][0]
        assert tool["name"] == "weather"
        assert tool["schema"]["required"] == ["city"]
    assert [each["name"] for each in read("openai.chat", "functions of old")["tools"]] == ["add", "noop"]


@pytest.mark.parametrize(
    ("key", "fields", "place", "told"),
    [
        ("openai.chat", {}, "messages", "list of objects"),
        ("openai.chat", {"messages": {"role": "user"}}, "messages", "list of objects"),
        ("openai.chat", {"messages": [{"role": "user", "content": "x"}, 3]}, "messages[2]", "an object"),
        ("openai.chat", {"messages": [{"content": "x"}]}, "messages[1].role", "no role"),
        ("openai.chat", {"messages": [{"role": "bot", "content": "x"}]}, "messages[1].role", "“bot”"),
        (
            "openai.chat",
            {"messages": [{"role": "user", "content": 3}]},
            "messages[1].content",
            "text or a list",
        ),
        (
            "openai.chat",
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, "y"]}]},
            "messages[1].content[2]",
            "an object",
        ),
        (
            "openai.chat",
            {"messages": [{"role": "assistant", "tool_calls": {"id": 1}}]},
            "messages[1].tool_calls",
            "list of objects",
        ),
        ("openai.chat", {"messages": [], "tools": "nonsense"}, "tools", "not a JSON list"),
        ("openai.chat", {"messages": [], "tools": ["f"]}, "tools[1]", "an object"),
        ("hf", {"messages": [], "tools": '{"a": 1}'}, "tools", "not a JSON list"),
        ("anthropic", {"messages": [{"role": "tool", "content": "x"}]}, "messages[1].role", "“tool”"),
        (
            "anthropic",
            {"messages": [{"role": "user", "content": None}]},
            "messages[1].content",
            "text or a list",
        ),
        ("anthropic", {"messages": [], "system": ["x"]}, "system[1]", "an object"),
        ("openai.responses", {"input": [3]}, "input[1]", "an object"),
        ("openai.responses", {"input": {"a": 1}}, "input", "list of objects"),
        (
            "openai.responses",
            {"output": [{"type": "message", "role": "user"}]},
            "output[1].content",
            "text or a list",
        ),
        ("openai.responses", {"input": [{"type": "message"}]}, "input[1].role", "no role"),
        ("otel", {"gen_ai.input.messages": "Hi"}, "gen_ai.input.messages", "not a JSON list"),
        ("otel", {"gen_ai.input.messages": [{"role": "user"}]}, "gen_ai.input.messages[1].content", "text"),
        ("otel", {"gen_ai.output.messages": [{"role": "bot"}]}, "gen_ai.output.messages[1].role", "“bot”"),
        ("otel", {"gen_ai.tool.definitions": "f"}, "gen_ai.tool.definitions", "not a JSON list"),
    ],
)
def test_a_row_in_no_such_form_is_refused_with_its_place(key, fields, place, told):
    with pytest.raises(RowProblemError) as refused:
        FORMATS[key].read(fields)
    problem = refused.value.problems[0]
    assert problem.field == place
    assert told in problem.problem
    assert problem.fix


@pytest.mark.parametrize("key", FORMATS)
def test_what_is_nested_too_deeply_is_refused(key):
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    field = {"openai.responses": "input", "otel": "gen_ai.input.messages"}.get(key, "messages")
    with pytest.raises(RowProblemError, match="nested deeper"):
        FORMATS[key].read({field: [{"role": "user", "content": "x", "more": deep}]})


def test_values_of_json_are_the_same_only_by_kind():
    assert is_equal_json({"a": [1, {"b": None}], "c": 1.5}, {"c": 1.5, "a": [1, {"b": None}]})
    for left, right in (
        (1, True),
        (1, 1.0),
        (0, False),
        (None, {}),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 1, "b": 2}),
    ):
        assert not is_equal_json(left, right)
        assert not is_equal_json([left], [right])


@pytest.mark.parametrize(("key", "name"), EVERY_ROW)
def test_a_row_is_not_kept_beside_its_conversation(key, name):
    extra = read(key, name)["origin"].get("extra", {})
    assert not extra.keys() & {"messages", "input", "output", "documents", "absent"}


@pytest.mark.parametrize(
    ("key", "name", "others"),
    [
        ("openai.chat", "parallel calls", []),
        ("openai.chat", "arguments of every kind", ["future"]),
        ("openai.chat", "files", ["image_url", "hologram", "audio"]),
        ("openai.chat", "refusals and citations", []),
        ("openai.chat", "functions of old", []),
        ("openai.chat", "names that are ours", ["message"] * 5),
        ("openai.responses", "a turn with everything", ["input_audio"]),
        ("anthropic", "tools and thinking", ["message", "tool_reference"]),
        ("anthropic", "tools of the server, with citations", ["fallback"]),
        ("anthropic", "documents", ["document", "image"]),
        ("hf", "calls with objects", []),
        ("hf", "files", ["image", "video"]),
        ("otel", "an agent's turn", []),
        ("otel", "files and tools of the server", ["hologram"]),
    ],
)
def test_only_what_is_not_known_is_of_another_kind(key, name, others):
    assert [part["of"] for part in parts_of(read(key, name), "other")] == others


def test_what_the_form_says_is_not_in_an_extra_again():
    refusal = parts_of(read("openai.chat", "refusals and citations"), "text")
    assert [part.get("extra") for part in refusal if part.get("refusal")] == [None, {"as": "list"}, None]
    found = {
        part["extra"]["as"]: part["extra"] for part in parts_of(read("anthropic", "documents"), "source")
    }
    assert found["content blocks"] == {"as": "content blocks", "lengths": [4, 1]}
    assert found["search_result"]["as"] == "search_result"
    items = parts_of(read("openai.responses", "items of the client"), "text")
    assert {"item": {"type": "message", "as": "text"}} in [part.get("extra") for part in items]


def test_items_of_the_output_stay_in_the_output_when_one_is_taken_out():
    conversation = read("openai.responses", "a turn with everything")
    conversation["messages"][-1]["parts"] = [
        part for part in conversation["messages"][-1]["parts"] if part["type"] != "reasoning"
    ]
    del conversation["messages"][2]
    row = row_named("openai.responses", "a turn with everything")
    written = FORMATS["openai.responses"].write(conversation).fields
    assert written["output"] == row["output"][1:]
    assert written["input"] == [row["input"][0], *row["input"][2:]]


def test_a_system_message_within_the_messages_stays_there():
    row = row_named("anthropic", "tools and thinking")
    del row["system"]
    row["messages"].insert(0, {"role": "system", "content": "First"})
    conversation = FORMATS["anthropic"].read(row)
    conversation["messages"][0]["content"] = "Second"
    written = FORMATS["anthropic"].write(conversation).fields
    assert "system" not in written
    assert written["messages"][0] == {"role": "system", "content": "Second"}


def test_a_message_of_an_unknown_part_is_no_item():
    conversation = read("openai.responses", "items of the client")
    for message in conversation["messages"]:
        for part in message.get("parts", []):
            if part["type"] == "other" and part["of"] == "hologram":
                part["value"]["depth"] = 3
    items = FORMATS["openai.responses"].write(conversation).fields["input"]
    assert {"role": "user", "content": [{"type": "hologram", "depth": 3}]} in items


def test_what_a_span_says_is_read_into_calls_results_sources_and_the_answer():
    conversation = read("otel", "an agent's turn")
    assert [each["role"] for each in conversation["messages"]] == [
        *("system", "user", "assistant", "tool", "user", "assistant"),
    ]
    assert conversation["messages"][0] == {"role": "system", "content": "Answer briefly."}
    calls = parts_of(conversation, "call")
    assert [each["arguments"] for each in calls] == [
        {"unit": "c", "city": "Paris"},
        {"city": "Bern"},
        None,
    ]
    results = parts_of(conversation, "result")
    assert [each["parts"][0].get("text", each["parts"][0].get("value")) for each in results] == [
        "rainy, 57°F",
        {"degrees": 12},
        ["x", None],
    ]
    assert [each.get("text") for each in conversation["sources"]] == [None, "It rains.", None]
    assert text_form(conversation).answer == "It rains in Paris."
    assert conversation["messages"][-1]["finish"] == "stop"


def test_a_changed_text_is_written_where_the_span_had_texts():
    conversation = read("otel", "as texts")
    assert conversation["messages"][0] == {"role": "system", "content": "Answer briefly."}
    conversation["messages"][1]["content"] = "Hi!"
    written = FORMATS["otel"].write(conversation).fields
    assert json.loads(written["gen_ai.input.messages"])[0]["parts"][0]["content"] == "Hi!"
    assert written["gen_ai.output.messages"] == ROWS["otel"]["as texts"]["gen_ai.output.messages"]


def test_a_chat_becomes_what_a_span_would_say():
    written = FORMATS["otel"].write(read("openai.chat", "parallel calls"))
    assert written.fields["gen_ai.output.messages"] == [
        {"role": "assistant", "parts": [{"type": "text", "content": "12 °C and 21 °C."}]}
    ]
    assert written.fields["gen_ai.input.messages"][2]["parts"][0] == {
        "type": "tool_call",
        "id": "call_1",
        "name": "weather",
        "arguments": {"city": "Zürich", "unit": "c"},
    }
