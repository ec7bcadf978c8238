"""Files in the forms of other tools: Alpaca, ShareGPT, preferences."""

import io
import json
from typing import Any

import pytest

from evalapp.datasets.formats import Layout, example_as_object, read_jsonl
from evalapp.datasets.rows import ExampleRow, serialise
from evalapp.datasets.splits import ByShares
from evalapp.imports.problems import FileProblemError

USER, ASSISTANT = "user", "assistant"
PAIR = {"chosen": "Good.", "rejected": "Bad."}


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": ASSISTANT if n % 2 else USER, "content": text} for n, text in enumerate(texts)]


def said(*texts: str) -> list[dict[str, str]]:
    return [{"from": "gpt" if n % 2 else "human", "value": text} for n, text in enumerate(texts)]


def readings(*rows: dict[str, Any]) -> Any:
    stream = io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())
    return list(read_jsonl(stream, Layout(ByShares({"train": 1}))))


def only_row(row: dict[str, Any]) -> ExampleRow:
    [reading] = readings(row)
    assert reading.problems == []
    return reading.row


@pytest.mark.parametrize(
    ("given", "messages", "references"),
    [
        ({"instruction": "Sum up.", "output": "Done."}, turns("Sum up."), ["Done."]),
        ({"instruction": "Sum up.", "input": "Text.", "output": "Done."}, turns("Sum up.\n\nText."),
        ["Done."]),
        (
            {"instruction": "R", "history": [["Q", "A"]], "output": "B", "system": "Kind."},
            [{"role": "system", "content": "Kind."}, *turns("Q", "A", "R")],
            ["B"],
        ),
        ({"conversations": said("Q", "A", "R", "B")}, turns("Q", "A", "R"), ["B"]),
        (
            {"system": "Kind.", "conversations": said("Q", "A")},
            [{"role": "system", "content": "Kind."}, *turns("Q")],
            ["A"],
        ),
    ],
)  # fmt: skip
def test_alpaca_and_sharegpt(given: dict[str, Any], messages: list[Any], references: list[str]) -> None:
    row = only_row(given)
    assert (row.messages, row.references) == (messages, references)
    assert row.metadata == {}


@pytest.mark.parametrize(
    "given",
    [
        {"prompt": "Q", **PAIR},
        {"prompt": turns("Q"), "chosen": turns("", "Good.")[1:], "rejected": turns("", "Bad.")[1:]},
        {"chosen": turns("Q", "Good."), "rejected": turns("Q", "Bad.")},
        {"instruction": "Q", **PAIR},
        {
            "conversations": said("Q"),
            "chosen": {"from": "gpt", "value": "Good."},
            "rejected": {"from": "gpt", "value": "Bad."},
        },
    ],
)
def test_pairs_are_no_references(given: dict[str, Any]) -> None:
    row = only_row(given)
    assert (row.messages, list(row.references), list(row.pairs)) == (turns("Q"), [], [PAIR])


@pytest.mark.parametrize(
    ("given", "good"),
    [
        ({"prompt": "Q", "completion": "A", "label": True}, True),
        ({"prompt": turns("Q"), "completion": turns("", "A")[1:], "label": False}, False),
        ({"messages": turns("Q", "A"), "kto_tag": False}, False),
        ({"conversations": said("Q", "A"), "kto_tag": True}, True),
    ],
)
def test_a_rated_answer_is_no_reference(given: dict[str, Any], good: bool) -> None:
    row = only_row(given)
    assert (row.messages, list(row.references), row.label) == (turns("Q"), [], "")
    assert list(row.rated) == [{"answer": "A", "good": good}]


def test_a_label_in_words_is_a_label_still() -> None:
    row = only_row({"prompt": "Q", "completion": "A", "label": "positive"})
    assert (row.label, list(row.references), list(row.rated)) == ("positive", ["A"], [])


def test_preferences_are_read_back_as_they_were_written_and_change_the_content() -> None:
    row = only_row({"prompt": "Q", "completion": "A", **PAIR})
    written = {name: value for name, value in example_as_object(row).items() if name != "split"}
    again = only_row(written)
    assert (list(again.references), list(again.pairs)) == (["A"], [PAIR])
    plain = only_row({"prompt": "Q", "completion": "A"})
    assert serialise(row).content_hash == serialise(again).content_hash != serialise(plain).content_hash


@pytest.mark.parametrize(
    ("given", "field", "problem"),
    [
        ({"instruction": " ", "output": "A"}, "instruction", "The text is empty."),
        ({"instruction": "Q", "input": 3}, "input", "This is not text."),
        ({"instruction": "Q", "history": ["Q"]}, "history", "a list of earlier exchanges"),
        ({"conversations": said("Q", "")}, "conversations[2].value", "The text is empty."),
        (
            {"conversations": [{"from": "tool", "value": "x"}]},
            "conversations[1].from",
            "“tool” is not supported",
        ),
        ({"conversations": "Q"}, "conversations", "a list of turns"),
        ({"prompt": "Q", "chosen": "A", "rejected": "A"}, "rejected", "Both answers are the same text."),
        ({"prompt": "Q", "chosen": " ", "rejected": "A"}, "chosen", "The text is empty."),
        ({"chosen": "A", "rejected": "B"}, "chosen", "There is no prompt"),
        (
            {"prompt": "Q", "chosen": turns("Q", "A"), "rejected": "B"},
            "chosen",
            "one answer of the assistant",
        ),
        ({"prompt": "Q", "label": True}, "label", "no completion for this label"),
        ({"prompt": "Q", "pairs": {}}, "pairs", "This must be a list."),
        ({"prompt": "Q", "rated": [{"answer": "A", "good": 1}]}, "rated[1].good", "true or false"),
        ({"prompt": "Q", "pairs": [{"better": "A"}]}, "pairs[1]", "This is not a preference pair."),
    ],
)
def test_a_bad_row_is_told_in_the_words_of_its_file(given: dict[str, Any], field: str, problem: str) -> None:
    [reading] = readings(given)
    assert reading.row is None
    assert [(each.field, problem in each.problem) for each in reading.problems] == [(field, True)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_file_may_be_one_list_as_such_sets_are_published(indent: int | None) -> None:
    alpaca = [
        {"instruction": "Sum up [all].", "input": 'A "text" with }.', "output": "Done."},
        {"instruction": "", "output": "None."},
        {"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]},
    ]
    content = json.dumps(alpaca, indent=indent).encode()
    found = list(read_jsonl(io.BytesIO(content), Layout(split_rule=ByShares({"train": 1}))))
    assert [(each.number, each.row is not None) for each in found] == [(1, True), (2, False), (3, True)]
    assert found[0].row is not None
    assert found[0].row.references == ["Done."]
    with pytest.raises(FileProblemError, match="The list is incomplete"):
        list(read_jsonl(io.BytesIO(content[:-3]), Layout(split_rule=ByShares({"train": 1}))))
