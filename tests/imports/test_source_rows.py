"""The rows of an upload are the same in whatever kind of file they come, and its columns are mapped by
their names.
"""

import json
from io import BytesIO
from typing import Any

import pytest

from evalapp.imports.mapping import Mapper, id_columns
from evalapp.imports.problems import FileProblemError
from evalapp.imports.source_rows import sniff_source, source_rows

ROWS = [{"id": "a", "text": "one, two"}, {"id": "b", "text": 'say "hi"'}]
CSV_ROWS = '{0}id{1}text\na{1}"one, two"\nb{1}"say ""hi"""\n'
MAPPER = Mapper(
    names={"text": "answer", "output": "answer", "id": "item"},
    many=("",),
    rest="",
    needed=[(("answer",), "Say which column holds the answer.")],
)


def rows(name: str, content: bytes) -> list[dict[str, Any]]:
    stream = BytesIO(content)
    return [row.fields for row in source_rows(stream, sniff_source(name, stream))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV_ROWS.format("", ",")),
        ("a.csv", CSV_ROWS.format("\ufeff", ";")),
        ("a.tsv", CSV_ROWS.format("", "\t")),
        ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.ndjson", "\ufeff" + "\n\n".join(map(json.dumps, ROWS))),
        ("a.json", json.dumps(ROWS, indent=1)),
    ],
)
def test_every_kind_of_file_gives_the_same_rows(name: str, content: str) -> None:
    assert rows(name, content.encode()) == ROWS


def test_a_bad_row_is_told_with_its_number_and_the_next_is_read() -> None:
    stream = BytesIO(b'{"id": 1}\n{"id": 1, "id": 2}\n\n{"id": 3}\n')
    source = sniff_source("a.jsonl", stream)
    found = list(source_rows(stream, source))
    assert [(row.number, row.fields) for row in found] == [(1, {"id": 1}), (2, {}), (4, {"id": 3})]
    assert str(found[1].problem) == "id: The field “id” is given twice in one object. Keep the right one."
    assert source.place == "Line"


def test_a_list_that_was_cut_off_is_refused_as_a_whole() -> None:
    with pytest.raises(FileProblemError, match="cut off"):
        rows("a.json", b'[{"id": 1}, {"id"')


def test_columns_are_guessed_checked_and_read_by_their_names() -> None:
    assert MAPPER.guess(["ID", " Output ", "text", "more"]) == {
        "ID": "item",
        " Output ": "answer",
        "text": "",
        "more": "",
    }
    assert MAPPER.problem({"a": "item"}) == "Say which column holds the answer."
    assert "Only one column can be the answer" in MAPPER.problem({"a": "answer", "b": "answer"})
    assert MAPPER.problem({"a": "answer", "b": "", "c": ""}) == ""
    assert MAPPER.twice(["text", "output", "x", "y"]) == "“text” and “output” both name the answer"


def test_a_row_is_read_by_any_of_the_names_and_an_empty_cell_is_none() -> None:
    assert MAPPER.fields({"text": "", "Output": "so", "x": 1}) == {"answer": "so"}
    wide = MAPPER.with_names({"tuned v2": "answer", "claim no": "item"})
    assert wide.fields({"Claim No": "c-7", "tuned v2": "so", "base": "no"}) == {"item": "c-7", "answer": "so"}
    assert wide.fields({"text": "own", "tuned v2": "so"}) == {"answer": "own"}


def test_what_is_called_like_an_id_is_found_likeliest_first() -> None:
    assert id_columns(["text", "claim_number", "id", "ClientID", "valid"]) == [
        "id",
        "ClientID",
        "claim_number",
    ]
