"""What is a conversation of the stored form, and what is told of a value that is none."""

import copy
import json
import random

import pytest

from evalapp.conversations.form import conversation_problems
from evalapp.conversations.formats import FORMATS
from tests.conversations.rows import EVERY_ROW, ROWS

FREE = {"extra", "arguments", "value", "schema"}
NEEDED = {
    "message": {"role"},
    "text": {"type", "text"},
    "call": {"type", "name", "by"},
    "result": {"type", "parts"},
    "json": {"type", "value"},
    "source": {"type", "source"},
    "note": {"type", "text"},
    "blob": {"type", "sha256", "media", "data"},
    "gone": {"type", "why"},
    "other": {"type", "of", "value"},
    "reasoning": {"type"},
}


def good():
    return {
        "v": 1,
        "messages": [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "text": "a🐈b", "citations": [{"source": "s", "start": 0, "end": 3}]}
                ],
            },
            {
                "role": "assistant",
                "name": "x",
                "finish": "stop",
                "time": "2026-01-01T00:00:00Z",
                "parts": [
                    {
                        "type": "call",
                        "call": "1",
                        "name": "f",
                        "arguments": {"a": [1]},
                        "by": "client",
                        "from": 0,
                    },
                    {"type": "result", "call": "1", "ok": True, "parts": [{"type": "json", "value": None}]},
                    {"type": "note", "id": "n", "text": ""},
                    {"type": "gone", "why": "not fetched"},
                ],
            },
        ],
        "tools": [{"name": "f", "description": "d", "schema": True}],
        "sources": [{"id": "s", "title": "t", "score": 0.5, "rank": 1, "locator": {"page": 1}}],
        "origin": {"format": "otel", "version": "1"},
    }


def told(value):
    return [str(each) for each in conversation_problems(value)]


def test_a_good_conversation_has_no_problems():
    assert told(good()) == []
    assert told({"v": 1, "messages": [], "origin": {"format": "", "version": ""}}) == []


def changed(path, value):
    conversation = good()
    place = conversation
    for step in path[:-1]:
        place = place[step]
    if value is KeyError:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return conversation


FIRST = ("messages", 1, "parts", 0)
CALL = ("messages", 2, "parts", 0)


@pytest.mark.parametrize(
    ("path", "value", "place", "words"),
    [
        (("v",), 2, "conversation.v", "not a known version"),
        (("v",), True, "conversation.v", "not a known version"),
        (("more",), 1, "conversation.more", "no such field"),
        (("messages",), {}, "conversation.messages", "not a list"),
        (("messages", 0), "Hi", "conversation.messages[1]", "not an object"),
        (("messages", 0, "role"), "bot", "conversation.messages[1].role", "“bot”"),
        (("messages", 0, "role"), ["user"], "conversation.messages[1].role", "no role"),
        (("messages", 0, "content"), None, "conversation.messages[1].content", "not text"),
        (("messages", 0, "content"), KeyError, "conversation.messages[1]", "neither content nor parts"),
        (("messages", 0, "parts"), [], "conversation.messages[1]", "both content and parts"),
        (("messages", 0, "name"), "x", "conversation.messages[1].name", "no such field"),
        (("messages", 0, "content"), "a\0", "conversation.messages[1].content", "NUL"),
        (("messages", 0, "content"), "\ud83d", "conversation.messages[1].content", "surrogate"),
        (("messages", 1, "parts"), "x", "conversation.messages[2].parts", "not a list"),
        ((*FIRST, "type"), "hologram", "conversation.messages[2].parts[1].type", "“hologram”"),
        ((*FIRST, "text"), 3, "conversation.messages[2].parts[1].text", "not text"),
        ((*FIRST, "text"), KeyError, "conversation.messages[2].parts[1].text", "missing"),
        ((*FIRST, "text"), "ab", "conversation.messages[2].parts[1].citations[1]", "has 2 characters"),
        ((*FIRST, "from"), -1, "conversation.messages[2].parts[1].from", "not a whole number"),
        ((*FIRST, "refusal"), 1, "conversation.messages[2].parts[1].refusal", "not a truth value"),
        (
            (*FIRST, "citations", 0, "start"),
            4,
            "conversation.messages[2].parts[1].citations[1]",
            "from 4 to 3",
        ),
        (
            (*FIRST, "citations", 0, "source"),
            "t",
            "conversation.messages[2].parts[1].citations[1].source",
            "No source",
        ),
        ((*CALL, "by"), "nobody", "conversation.messages[3].parts[1].by", "neither client nor server"),
        ((*CALL, "arguments"), KeyError, "conversation.messages[3].parts[1]", "no arguments"),
        ((*CALL, "mark"), "x", "conversation.messages[3].parts[1].mark", "must not have a mark"),
        (
            (*CALL, "arguments"),
            {"a": {"\0": 1}},
            "conversation.messages[3].parts[1].arguments.a.\\x00",
            "NUL",
        ),
        ((*CALL, "arguments"), float("nan"), "conversation.messages[3].parts[1].arguments", "not finite"),
        (
            ("messages", 2, "parts", 1, "parts", 0),
            {"type": "call", "name": "f", "arguments": 1, "by": "client"},
            "conversation.messages[3].parts[2].parts[1].type",
            "“call”",
        ),
        (
            ("messages", 2, "parts", 2),
            {"type": "source", "source": "nowhere"},
            "conversation.messages[3].parts[3].source",
            "“nowhere”",
        ),
        (
            ("messages", 2, "parts", 2),
            {"type": "blob", "media": "a/b", "data": "AAAA", "sha256": "0" * 64},
            "conversation.messages[3].parts[3].sha256",
            "another SHA-256",
        ),
        (
            ("messages", 2, "parts", 2),
            {"type": "blob", "media": "a/b", "data": "!", "sha256": "0" * 64},
            "conversation.messages[3].parts[3].data",
            "not Base64",
        ),
        (("tools", 0, "name"), KeyError, "conversation.tools[1].name", "missing"),
        (("tools",), None, "conversation.tools", "not a list"),
        (("sources", 0, "score"), True, "conversation.sources[1].score", "not a number"),
        (("sources", 0, "sha256"), "xyz", "conversation.sources[1].sha256", "not a SHA-256"),
        (
            ("sources", 0, "locator"),
            {"page": "1"},
            "conversation.sources[1].locator.page",
            "not a whole number",
        ),
        (("origin",), KeyError, "conversation.origin", "not an object"),
        (("origin", "format"), None, "conversation.origin.format", "not text"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_a_fix(path, value, place, words):
    problems = list(conversation_problems(changed(path, value)))
    assert [(each.field, words in each.problem, bool(each.fix)) for each in problems] == [(place, True, True)]


def test_two_sources_of_one_id_are_told():
    conversation = good()
    conversation["sources"].append({"id": "s"})
    assert told(conversation) == [
        "conversation.sources[2].id: Another source has this id. Give each its own."
    ]


def test_deep_nesting_is_told_and_not_followed():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    assert told(changed((*CALL, "arguments"), deep)) == [
        "conversation: It is nested deeper than 64 levels. Flatten it."
    ]
    assert told(deep) == ["conversation: It is nested deeper than 64 levels. Flatten it."]


def places(value, kind=""):
    """Where a conversation can be damaged: the object, the name in it, and what is told to be there."""
    if isinstance(value, dict):
        kind = "message" if "role" in value else value.get("type", kind)
        for name, inner in value.items():
            yield value, name, kind
            if name not in FREE:
                yield from places(inner, "")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number, "list"
            yield from places(inner, "")


def damaged(draw):
    """A conversation that a reader made, with one of its nodes taken out or replaced."""
    key, name = draw.choice(EVERY_ROW)
    conversation = copy.deepcopy(FORMATS[key].read(ROWS[key][name]))
    value, name, kind = draw.choice(list(places(conversation)))
    if name in NEEDED.get(kind, ()) and draw.random() < 0.5:
        del value[name]
    elif name in FREE - {"extra"}:
        value[name] = draw.choice(["a\0b", {"x": ["\udc80"]}, float("inf")])
    elif name == "extra":
        value[name] = draw.choice([None, -1.5, [], {"x": "\0"}])
    else:
        value[name] = draw.choice([None, -1.5, "\0", {"type": []}, [None]])
    return conversation, value, name


def test_what_readers_make_is_told_once_it_is_damaged():
    draw = random.Random(20)
    for _ in range(300):
        conversation, value, name = damaged(draw)
        problems = list(conversation_problems(conversation))
        assert problems, (value, name)
        for each in problems:
            assert each.field.startswith("conversation")
            assert each.problem.endswith(".")
            assert each.fix.endswith(".")
        json.dumps([str(each) for each in problems]).encode()
