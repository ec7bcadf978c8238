"""Rows whose messages hold more than text: kept as they came beside the text that people and programs use."""

import json
from io import BytesIO
from typing import Any

import pytest

from evalapp.accounts.models import User
from evalapp.conversations.text import without_answer
from evalapp.core.errors import InvalidError
from evalapp.datasets.diff import diff_of
from evalapp.datasets.exporting import exported, losses_of
from evalapp.datasets.formats import Layout, read_jsonl
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.row_changes import checked_changes, text_fields
from evalapp.datasets.rows import ExampleRow, example_row, serialise
from evalapp.datasets.services import create_version
from evalapp.datasets.splits import ByShares
from evalapp.runs.row_words import left_out_sentences
from evalapp.runs.training.training_rows import left_out
from tests.cast import client_of
from training.objectives import objective_of

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "policy", "arguments": '{"number":  "P-17"}'},
}
LOOKED_UP = {
    "messages": [
        {"role": "developer", "content": "Answer shortly."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Is my "}, {"type": "text", "text": "bike covered?"}],
        },
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": '{"bicycle": true}'},
        {"role": "assistant", "content": "Yes, your bicycle is covered."},
    ],
    "tools": [{"type": "function", "function": {"name": "policy", "description": "Reads a policy."}}],
    "topic": "bicycles",
}
ANSWERED_BY_A_CALL = {
    "messages": [
        {"role": "user", "content": "Look up policy P-17."},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ]
}


def row_of(fields: dict[str, Any]) -> ExampleRow:
    (reading,) = read_jsonl(BytesIO(json.dumps(fields).encode()), Layout(ByShares({"train": 1})))
    assert reading.row is not None, reading.problems
    return reading.row


@pytest.fixture
def version(dataset: Dataset, engineer: User) -> DatasetVersion:
    rows = [
        row_of(LOOKED_UP),
        row_of(ANSWERED_BY_A_CALL),
        row_of({"prompt": "Plain?", "completion": "Plain."}),
    ]
    return create_version(dataset=dataset, rows=rows, by=engineer)


def test_its_text_is_that_of_the_turns_and_the_rest_is_kept() -> None:
    row = row_of(LOOKED_UP)
    assert row.messages == [
        {"role": "system", "content": "Answer shortly."},
        {"role": "user", "content": "Is my bike covered?"},
    ]
    assert row.references == ["Yes, your bicycle is covered."]
    assert row.metadata == {"topic": "bicycles"}
    assert row.conversation is not None


def test_an_answer_that_is_a_call_reads_as_one() -> None:
    assert row_of(ANSWERED_BY_A_CALL).references == ['policy({"number":  "P-17"})']


def test_plain_rows_have_the_hash_that_they_always_had(version: DatasetVersion) -> None:
    plain = version.examples.get(row_number=3)
    assert plain.conversation is None
    assert plain.content_hash == "c6c9f8e2cc94f2e6ca40b310a885ad5814a41aa7cffbbc76c5811998b4f99caa"


@pytest.mark.parametrize("file_format", ["jsonl", "parquet"])
def test_an_exported_row_comes_back_as_it_was(version: DatasetVersion, file_format: str) -> None:
    content = b"".join(exported(version, file_format).chunks)
    found = [reading.row for reading in read_jsonl(BytesIO(content), Layout())]
    hashes = version.examples.order_by("row_number").values_list("content_hash", flat=True)
    assert [serialise(row).content_hash for row in found if row is not None] == list(hashes)


def _fields(row: ExampleRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ExampleRow.__dataclass_fields__}


def test_csv_does_not_lose_it(version: DatasetVersion) -> None:
    with pytest.raises(InvalidError, match="more than text"):
        exported(version, "csv")


def test_an_edited_text_is_edited_in_the_conversation_too() -> None:
    row = checked_changes(row_of(LOOKED_UP), {"references.0": "Yes, up to 2,000 euros."})
    assert row.conversation is not None
    assert row.conversation["messages"][-1]["content"] == "Yes, up to 2,000 euros."
    assert row.references == ["Yes, up to 2,000 euros."]


def test_a_turn_in_several_pieces_is_not_edited_as_one() -> None:
    with pytest.raises(InvalidError, match="several texts"):
        checked_changes(row_of(LOOKED_UP), {"messages.1": "Another question?"})


def test_what_the_text_does_not_tell_can_be_edited() -> None:
    row = row_of(LOOKED_UP)
    (name,) = (each for each in text_fields(row) if "bicycle" in each or each.endswith("description"))
    changed = checked_changes(row, {name: "Reads an insurance policy."})
    assert "Reads an insurance policy." in json.dumps(changed.conversation)
    assert changed.messages == row.messages


def test_a_change_of_the_rest_alone_is_in_the_diff(version: DatasetVersion, engineer: User) -> None:
    row = example_row(version.examples.get(row_number=1))
    (name,) = (each for each in text_fields(row) if each.endswith("description"))
    rows = [
        checked_changes(row, {name: "Other words."}),
        *map(example_row, version.examples.filter(row_number__gt=1)),
    ]
    later = create_version(dataset=version.dataset, rows=rows, by=engineer, parent=version)
    (change,) = diff_of(later, version).changes
    assert (change.number, change.fields) == (1, ["conversation"])


def test_pages_show_the_rest_as_one_line(version: DatasetVersion, engineer: User) -> None:
    dataset = version.dataset
    page = client_of(engineer).get(f"/projects/{dataset.project.slug}/data/{dataset.pk}/v1/rows/1/").text
    assert "Also in this conversation: 1 tool call, 1 tool offered" in page
    assert "P-17" in page and "Reads a policy." in page


def test_a_conversation_that_says_another_thing_than_the_messages_is_refused(
    dataset: Dataset, engineer: User
) -> None:
    row = row_of(LOOKED_UP)
    other = ExampleRow(**{**_fields(row), "messages": [{"role": "user", "content": "Another"}]})
    with pytest.raises(InvalidError, match="not that of the row's messages"):
        create_version(dataset=dataset, rows=[other], by=engineer)


def test_a_damaged_conversation_is_refused_with_its_place() -> None:
    fields = {
        "conversation": {
            "v": 1,
            "origin": {"format": "hf", "version": ""},
            "messages": [{"role": "user", "parts": [{"type": "text"}]}],
        }
    }
    (reading,) = read_jsonl(BytesIO(json.dumps(fields).encode()), Layout(ByShares({"train": 1})))
    assert reading.row is None
    assert reading.problems[0].field.startswith("conversation.messages[1].parts[1]")


def test_an_image_is_counted_and_a_message_s_other_fields_are_kept() -> None:
    pictured = {"messages": [{"role": "user", "content": [{"type": "image"}]}]}
    assert row_of(pictured).messages == [{"role": "user", "content": "[1 image]"}]
    weighted = {"messages": [{"role": "user", "content": "Q", "weight": 0}]}
    assert "'weight': 0" in str(row_of(weighted).conversation)


def test_fields_without_a_value_make_no_conversation() -> None:
    fields = {
        "messages": [
            {"role": "user", "content": "Q", "tool_calls": None},
            {"role": "assistant", "content": "A", "name": None},
        ]
    }
    row = row_of(fields)
    assert (row.conversation, row.references) == (None, ["A"])


def test_the_format_that_a_row_came_in_is_written_back(version: DatasetVersion) -> None:
    lines = b"".join(exported(version, "openai-chat").chunks).splitlines()
    assert [json.loads(line) for line in lines[:2]] == [LOOKED_UP, ANSWERED_BY_A_CALL]
    assert json.loads(lines[2])["messages"][1] == {"role": "assistant", "content": "Plain."}


@pytest.mark.parametrize("file_format", ["openai-responses", "anthropic", "hf-chat"])
def test_what_another_format_writes_is_read_again(version: DatasetVersion, file_format: str) -> None:
    lines = b"".join(exported(version, file_format).chunks).splitlines()
    again = row_of(json.loads(lines[0]))
    assert again.messages[-1] == {"role": "user", "content": "Is my bike covered?"}
    assert again.references == ["Yes, your bicycle is covered."]
    assert again.conversation is not None and "P-17" in json.dumps(again.conversation)


def test_what_an_export_leaves_out_is_said_first(dataset: Dataset, engineer: User) -> None:
    thought = {
        "messages": [
            {"role": "user", "content": "Q"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "text", "text": "A"},
                ],
            },
        ]
    }
    other = ExampleRow(
        split="train", messages=[{"role": "user", "content": "R"}], references=["B", "C"], label="x"
    )
    version = create_version(dataset=dataset, rows=[row_of(thought), other], by=engineer)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/v1/files/?format=openai-chat"
    page = client_of(engineer).get(address).text
    for what in ("Further references", "Labels", "signatures"):
        assert what.lower() in page.lower()
    assert losses_of(version, "anthropic") == {"further references": 1, "labels": 1}


def test_a_training_says_that_it_uses_the_text_alone(version: DatasetVersion, engineer: User) -> None:
    objective = objective_of("sft")
    rows = left_out(version, objective)
    assert rows["text_alone"] == 2
    (sentence,) = left_out_sentences(rows, "LoRA", "SFT")
    assert sentence.startswith("2 rows contain more than text") and "the text alone" in sentence
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/card/"
    assert "2 rows contain more than text" in client_of(engineer).get(address).text


def test_changed_arguments_are_not_spelt_as_they_came() -> None:
    row = row_of(LOOKED_UP)
    (name,) = (each for each in text_fields(row) if each.endswith("/arguments/number"))
    assert not any(each.endswith("/exact") for each in text_fields(row))
    changed = checked_changes(row, {name: "P-18"})
    written = json.dumps(changed.conversation)
    assert "P-18" in written and "P-17" not in written


def test_a_source_that_the_answer_alone_names_is_not_part_of_the_prompt() -> None:
    cited = {"type": "text", "text": "Yes.", "citations": [{"source": "s1"}]}
    conversation = {
        "v": 1,
        "origin": {"format": "", "version": ""},
        "messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "parts": [cited]}],
        "sources": [{"id": "s1", "text": "The answer."}, {"id": "s2", "text": "Given."}],
    }
    assert [each["id"] for each in without_answer(conversation)["sources"]] == ["s2"]


def test_an_answer_without_words_or_calls_is_no_reference() -> None:
    pictured = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
    row = row_of({"messages": [{"role": "user", "content": "Q"}, {"role": "assistant", "content": pictured}]})
    assert row.references == [] and row.conversation is not None


def test_messages_may_be_a_json_text() -> None:
    assert row_of({"messages": json.dumps(LOOKED_UP["messages"])}).references == row_of(LOOKED_UP).references


@pytest.mark.parametrize("file_format", ["openai-chat", "openai-responses", "anthropic"])
def test_calls_without_ids_get_some_where_a_format_needs_them(
    dataset: Dataset, engineer: User, file_format: str
) -> None:
    called = {"type": "function", "function": {"name": "policy", "arguments": {"number": "P-17"}}}
    messages = [
        {"role": "user", "content": "Q"},
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "name": "policy", "content": "covered"},
        {"role": "assistant", "content": "Yes."},
    ]
    version = create_version(dataset=dataset, rows=[row_of({"messages": messages})], by=engineer)
    written = b"".join(exported(version, file_format).chunks).decode()
    assert written.count("call_1") == 2
