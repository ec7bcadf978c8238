"""Tables and flat JSONL into records, without a database."""

import json
from io import BytesIO
from typing import Any

import pytest

from evalapp.imports.mapping import FileLayout
from evalapp.ratings.formats import layout_problems, readings, recognise_layout
from evalapp.ratings.formats.flat import JsonLines, Table
from evalapp.ratings.records import ParsedRow, Record
from tests.ratings.files import COLUMNS, json_lines, rating, table


def read(content: bytes, name: str = "a.csv") -> list[ParsedRow]:
    return list(readings(BytesIO(content), recognise_layout(name, BytesIO(content))))


def records(content: bytes, name: str = "a.csv") -> list[Record]:
    return [record for reading in read(content, name) for record in reading.records]


def problems(content: bytes, name: str = "a.csv") -> list[tuple[int, str]]:
    return [
        (reading.row, problem.field)
        for reading in read(content, name)
        for refusal in reading.refusals
        for problem in refusal.problems
    ]


def test_a_row_is_a_rating_and_texts_are_handed_on_once() -> None:
    found = read(table(rating(criterion="Accuracy"), rating(criterion="Tone", value="n/a")))

    first, second = (reading.records[0] for reading in found)
    assert (first.row, first.item, first.candidate, first.reviewer) == (2, "1", "base", "Mara")
    assert (first.values, second.values) == ([("Accuracy", "4")], [("Tone", "n/a")])
    assert found[0].texts is not None
    assert found[0].texts.answers == {"base": "Answer 1 of base."}
    assert found[1].texts is None


def test_a_column_for_each_criterion_is_read_as_well() -> None:
    content = table(
        ("1", "base", "Mara", "4", "yes", "Q?", "A."),
        columns=("item", "model", "rater", "Accuracy", "Safe", "prompt", "answer"),
    )

    (record,) = records(content)

    assert record.values == [("Accuracy", "4"), ("Safe", "yes")]


def test_an_item_without_a_name_is_named_by_its_prompt() -> None:
    columns = ("candidate", "reviewer", "criterion", "value", "prompt")
    content = table(
        ("a", "Mara", "Tone", 1, "Long " * 30), ("b", "Mara", "Tone", 2, "Long " * 30), columns=columns
    )

    first, second = records(content)

    assert first.item == second.item
    assert first.item.startswith("Long Long")


def test_json_lines_have_the_same_fields_and_types_of_their_own() -> None:
    row = dict(zip(COLUMNS, rating(value=True), strict=True))
    spans = [{"text": "Answer", "start": 0, "end": 6, "label": "good"}]

    (record,) = records(json_lines({**row, "spans": spans, "time": 12.5}), "a.jsonl")

    assert record.values == [("Accuracy", True)]
    assert (record.seconds, record.item) == (12.5, "1")
    assert [(mark.text, mark.start, mark.end, mark.label) for mark in record.spans] == [
        ("Answer", 0, 6, "good")
    ]


def test_every_field_that_is_wrong_is_told_with_its_row() -> None:
    columns = (*COLUMNS, "time", "date", "spans")
    content = table(
        ("", "base", "", "Accuracy", 4, "Q?", "A.", "soon", "yesterday", "[{]"),
        (1, "base", "Mara", "Accuracy", "", "Q?", "A."),
        (1, "x" * 130, "Mara", "Accuracy", 1),
        columns=columns,
    )

    assert problems(content) == [
        (2, "item"),
        (2, "reviewer"),
        (2, "time"),
        (2, "date"),
        (2, "spans"),
        (3, "value"),
        (4, "candidate"),
    ]


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e999", "86401", "1,5"])
def test_times_that_cannot_be_are_told(seconds: str) -> None:
    content = table((*rating(), seconds), columns=(*COLUMNS, "seconds"))
    assert problems(content) == [(2, "seconds")]


@pytest.mark.parametrize(
    "timestamp", ["2024-13-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "0"]
)
def test_dates_that_cannot_be_are_told(timestamp: str) -> None:
    content = table((*rating(), timestamp), columns=(*COLUMNS, "submitted_at"))
    assert problems(content) == [(2, "submitted_at")]


def test_other_texts_of_the_same_name_are_told() -> None:
    content = table(
        rating(1),
        (1, "base", "Ole", "Accuracy", 2, "Question 1?", "Another answer."),
        (1, "tuned", "Ole", "Accuracy", 2, "Another question?", ""),
    )
    assert problems(content) == [(3, "answer"), (4, "prompt")]


@pytest.mark.parametrize(
    "content",
    [
        b"item,candidate,reviewer,criterion,value\n1,b,M,a\x00b,4\n",
        b"item,candidate,reviewer,criterion,value\n1,\xff,M,a,4\n",
        b'item,candidate,reviewer,criterion,value\n1,b,M,"a,4\n',
        b"item,candidate,reviewer,criterion,value\n1,b,M\n",
    ],
)
def test_broken_rows_are_told_and_raise_nothing(content: bytes) -> None:
    layout = FileLayout(
        Table.name,
        ",",
        Table().guess(dict.fromkeys(["item", "candidate", "reviewer", "criterion", "value"], "")),
    )
    found = list(readings(BytesIO(content), layout))
    assert [len(reading.refusals) for reading in found] == [1]


@pytest.mark.parametrize("value", [[1], {"a": 1}, None, "", "half \ud800"])
def test_values_that_are_none_are_told(value: Any) -> None:
    row = dict(zip(COLUMNS, rating(), strict=True)) | {"value": value}
    content = (json.dumps(row) + "\n").encode()
    assert [field for _, field in problems(content, "a.jsonl")] in (["value"], ["row"])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"a": "item", "b": "candidate"}, "columns with the ratings"),
        ({"a": "candidate", "b": "reviewer"}, "the column with the item or its prompt"),
        ({"a": "item", "b": "reviewer"}, "column with the candidate"),
        ({"a": "item", "b": "reviewer", "c": "candidate"}, "columns with the ratings"),
        ({"a": "item", "b": "item", "c": "candidate"}, "Only one column can be the item"),
        ({"a": "nonsense"}, "There is no use “nonsense”"),
    ],
)
def test_a_mapping_that_lacks_something_says_what(mapping: dict[str, str], message: str) -> None:
    assert message in layout_problems(FileLayout(JsonLines.name, mapping=mapping))["mapping"][0]


def test_a_single_column_of_ratings_is_the_criterion() -> None:
    mapping = Table().guess(dict.fromkeys(["item", "system", "rating", "prompt", "answer"], ""))
    assert mapping["rating"] == "score"
    assert not layout_problems(FileLayout(Table.name, mapping=mapping))
    with_criterion = Table().guess(dict.fromkeys(["item", "system", "criterion", "rating"], ""))
    assert with_criterion["rating"] == "value"


def test_a_table_may_have_a_column_for_each_candidate() -> None:
    content = (
        b"item,reviewer,criterion,seconds,base,tuned v2\n1,Mara,Tone,30,4,5\n1,Ole,Tone,,2,\n2,Ole,Tone,,,\n"
    )
    layout = recognise_layout("wide.csv", BytesIO(content))
    assert [column for column, use in layout.mapping.items() if use == "candidate_score"] == [
        "base",
        "tuned v2",
    ]
    assert layout_problems(layout) == {}

    found = list(readings(BytesIO(content), layout))

    assert [
        (each.item, each.candidate, each.reviewer, each.values, each.seconds)
        for reading in found
        for each in reading.records
    ] == [
        ("1", "base", "Mara", [("Tone", "4")], 15.0),
        ("1", "tuned v2", "Mara", [("Tone", "5")], 15.0),
        ("1", "base", "Ole", [("Tone", "2")], None),
    ]
    assert [refusal.problems[0].problem for refusal in found[2].refusals] == ["The rating is missing."]
    beside = {**layout.mapping, "seconds": "correction"}
    assert "no correction beside them" in layout_problems(FileLayout(Table.name, ",", beside))["mapping"][0]
