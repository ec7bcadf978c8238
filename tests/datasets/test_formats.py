import hashlib
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.datasets.columns import COLUMNS, read_csv
from evalapp.datasets.formats import Layout, ParsedRow, example_as_object, read_jsonl
from evalapp.datasets.rows import ExampleRow, row_problems, serialise
from evalapp.imports.json_objects import LARGEST_ROW_BYTES
from evalapp.imports.problems import FileProblemError
from evalapp.imports.source_rows import read_header
from tests.datasets.files import jsonl, question, stream


def read(content: bytes, layout: Layout | None = None) -> list[ParsedRow]:
    return list(read_jsonl(stream(content), layout or Layout()))


def read_table(content: bytes, mapping: dict[str, str] | None = None) -> list[ParsedRow]:
    header = read_header(stream(content))
    return list(
        read_csv(stream(content), Layout(), mapping or COLUMNS.guess(header.columns), header.delimiter)
    )


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


@pytest.mark.parametrize(
    ("given_row", "expected"),
    [
        (
            {"messages": [user("Q"), assistant("A")], "split": "test"},
            ExampleRow("test", [user("Q")], ["A"]),
        ),
        (
            {"prompt": "Q", "completion": "A", "split": "Training"},
            ExampleRow("train", [user("Q")], ["A"]),
        ),
        (
            {"prompt": [user("Q")], "completion": [assistant("A")], "split": "dev"},
            ExampleRow("validation", [user("Q")], ["A"]),
        ),
        (
            {"messages": [user("Q"), assistant("A"), user("R")], "split": "feedback"},
            ExampleRow("feedback", [user("Q"), assistant("A"), user("R")], []),
        ),
        (
            {"system": "Be kind.", "prompt": "Q", "split": "train"},
            ExampleRow("train", [{"role": "system", "content": "Be kind."}, user("Q")], []),
        ),
        (
            {"messages": [{"role": "user", "content": "Q"}], "tools": [], "split": "train"},
            ExampleRow("train", [user("Q")], []),
        ),
        (
            {
                "prompt": "Q",
                "references": ["A", "B"],
                "context": "facts",
                "label": 3,
                "group": 7,
                "metadata": {"segment": "new"},
                "source": "desk",
                "split": "train",
            },
            ExampleRow(
                "train", [user("Q")], ["A", "B"], "3", "facts", {"segment": "new", "source": "desk"}, "7"
            ),
        ),
    ],
)
def test_the_shapes_of_the_field_become_rows(given_row: dict[str, Any], expected: ExampleRow) -> None:
    assert read(jsonl(given_row)) == [ParsedRow(1, expected, [])]


BAD_LINES = [
    ("cut off", b'{"prompt": "Q", "comp', "row", "Unterminated string", "line break inside"),
    ("no JSON", b"prompt: Q", "row", "Not JSON", "one whole JSON object"),
    ("two objects", b'{"prompt":"Q"}{"prompt":"R"}', "row", "Extra data", "one whole JSON object"),
    ("a list", b'["Q"]', "row", "not an object", "Write"),
    ("latin-1", '{"prompt": "caf\xe9"}'.encode("latin-1"), "row", "0xE9", "UTF-8"),
    ("truncated UTF-8", b'{"prompt": "caf\xc3', "row", "not UTF-8", "UTF-8"),
    ("NUL byte", b'{"prompt": "a\x00b"}', "row", "Not JSON", ""),
    ("NUL escape", rb'{"prompt": "a\u0000b", "split": "train"}', "prompt", "NUL", "Remove"),
    ("NUL in key", rb'{"prompt": "Q", "metadata": {"a\u0000": 1}, "split": "train"}', "metadata", "NUL", ""),
    (
        "lone surrogate",
        rb'{"prompt": "a\ud800b", "split": "train"}',
        "prompt",
        "surrogate",
        "both halves",
    ),
    ("NaN", b'{"prompt": "Q", "metadata": {"x": NaN}}', "row", "NaN is not a JSON", "null"),
    ("Infinity", b'{"prompt": "Q", "metadata": {"x": -Infinity}}', "row", "-Infinity is not a JSON", "null"),
    ("1e999", b'{"prompt": "Q", "metadata": {"x": 1e999}}', "row", "too large", "as text"),
    ("5,000 digits", b'{"prompt": "Q", "x": ' + b"9" * 5000 + b"}", "row", "5,000 digits", "as text"),
    ("nesting", b'{"x": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", "row", "nested too deeply", "Flatten"),
    (
        "nested a little too deep",
        b'{"prompt": "Q", "split": "train", "x": ' + b"[" * 12 + b"]" * 12 + b"}",
        "x",
        "deeper than 8",
        "Flatten",
    ),
    ("duplicate key", b'{"prompt": "Q", "prompt": "R"}', "prompt", "twice", "right one"),
    ("duplicate inner key", b'{"prompt": "Q", "metadata": {"a": 1, "a": 2}}', "a", "twice", "right one"),
    ("huge row", b'{"prompt": "' + b"x" * LARGEST_ROW_BYTES + b'"}', "row", "larger than 4 MiB", "Shorten"),
    (
        "huge field",
        b'{"split": "train", "prompt": "' + b"x" * 1_000_001 + b'"}',
        "prompt",
        "1,000,001 characters",
        "Shorten",
    ),
    ("no prompt", b'{"question": "Q"}', "messages", "neither messages nor prompt", "Rename"),
    ("both prompts", b'{"prompt": "Q", "messages": []}', "prompt", "both", "Keep one"),
    (
        "empty prompt",
        b'{"prompt": " ", "split": "train"}',
        "prompt",
        "empty",
        "leave the row out",
    ),
    (
        "prompt of a character that cannot be seen",
        rb'{"prompt": "\u200b", "split": "train"}',
        "prompt",
        "empty",
        "leave the row out",
    ),
    ("prompt is a number", b'{"prompt": 7, "split": "train"}', "prompt", "a number", "quotes"),
    (
        "null content",
        b'{"messages": [{"role": "user", "content": null}]}',
        "messages[1].content",
        "empty",
        "",
    ),
    ("a tool", b'{"messages": [{"role": "tool", "content": "x"}]}', "messages", "no prompt", "one message"),
    (
        "two users",
        b'{"messages": [{"role": "user", "content": "Q"}, {"role": "user", "content": "R"}]}',
        "messages[2].role",
        "assistant was expected",
        "merge",
    ),
    ("only an answer", b'{"messages": [{"role": "assistant", "content": "A"}]}', "messages", "no prompt", ""),
    ("no split", b'{"prompt": "Q"}', "split", "has no split", "by shares"),
    ("unknown split", b'{"prompt": "Q", "split": "exam"}', "split", "“exam” is not a split", "train"),
    ("references not a list", b'{"prompt": "Q", "references": "A"}', "references", "list of texts", "Write"),
    (
        "empty reference",
        b'{"prompt": "Q", "references": [""], "split": "train"}',
        "references[1]",
        "empty",
        "",
    ),
    ("metadata no object", b'{"prompt": "Q", "metadata": [1]}', "metadata", "object of fields", "Write"),
    ("field twice", b'{"prompt": "Q", "a": 1, "metadata": {"a": 2}}', "a", "in its metadata as well", "Keep"),
    (
        "long group",
        b'{"prompt": "Q", "split": "train", "group": "' + b"g" * 201 + b'"}',
        "group",
        "201",
        "Shorten",
    ),
]


@pytest.mark.parametrize(
    ("line", "field", "problem", "fix"),
    [case[1:] for case in BAD_LINES],
    ids=[case[0] for case in BAD_LINES],
)
def test_a_bad_line_is_told_with_field_and_mending_and_its_neighbours_are_read(
    line: bytes, field: str, problem: str, fix: str
) -> None:
    good = jsonl(question(1))

    first, bad, last = read(good + line + b"\n" + good)

    assert first.row == last.row
    assert first.row is not None
    assert (bad.number, last.number) == (2, 3)
    assert bad.row is None
    assert bad.problems[0].field.startswith(field)
    assert problem in bad.problems[0].problem
    assert fix in bad.problems[0].fix


@pytest.mark.parametrize(("count", "named"), [(400, "last"), (60_000, "row")])
def test_a_repeated_field_among_many_is_found_and_very_many_are_refused_unlooked_at(
    count: int, named: str
) -> None:
    fields = ",".join(f'"f{number}":0' for number in range(count))
    (bad,) = read(f'{{"prompt":"Q",{fields},"last":1,"last":2}}\n'.encode())
    assert [problem.field for problem in bad.problems] == [named]


def test_every_problem_of_a_row_is_told_at_once() -> None:
    line = jsonl({"prompt": "", "references": [""], "label": "x" * 300, "split": "train"})

    assert [problem.field for problem in read(line)[0].problems] == [
        "prompt",
        "label",
        "references[1]",
    ]


def test_a_problem_names_the_field_that_the_file_has() -> None:
    line = jsonl(
        {
            "system": "\x00",
            "prompt": " ",
            "completion": "\x00",
            "references": ["fine", " "],
            "team": "\x00",
            "metadata": {"year": "\x00"},
            "client": "c" * 300,
            "split": "train",
        }
    )

    (reading,) = read(line, Layout(group_field="client"))

    assert sorted(problem.field for problem in reading.problems) == sorted(
        ["system", "prompt", "completion", "references[2]", "team", "metadata.year", "client"]
    )


def test_turns_are_counted_as_the_file_counts_them() -> None:
    turns = [{"role": "user", "content": " "}, {"role": "assistant", "content": ""}]

    (reading,) = read(jsonl({"system": "Be brief.", "messages": turns, "split": "train"}))

    assert [problem.field for problem in reading.problems] == ["messages[1].content", "messages[2].content"]


def test_a_byte_order_mark_and_empty_lines_are_passed_over() -> None:
    content = b"\xef\xbb\xbf" + jsonl(question(1)) + b"\n  \r\n" + jsonl(question(2)).rstrip()

    assert [(reading.number, reading.problems) for reading in read(content)] == [(1, []), (4, [])]


def test_a_file_that_was_cut_off_says_so_at_its_last_row() -> None:
    content = jsonl(question(1), question(2))[:-20]

    assert "cut off" in read(content)[-1].problems[0].fix


# What JSON holds and the database keeps as it is.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
words = texts.filter(lambda text: text.strip() != "")
numbers = st.integers(-(10**17), 10**17) | st.floats(-1e17, 1e17).map(lambda value: value + 0.0)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
rows = st.builds(
    ExampleRow,
    split=st.sampled_from(["train", "validation", "test", "feedback"]),
    messages=st.lists(words, min_size=1, max_size=5)
    .filter(lambda turns: len(turns) % 2 == 1)
    .map(
        lambda turns: [
            {"role": "assistant" if position % 2 else "user", "content": text}
            for position, text in enumerate(turns)
        ]
    ),
    references=st.lists(words, max_size=3),
    label=texts,
    context=texts,
    metadata=st.dictionaries(words, values, max_size=4),
    group_key=texts,
)


@given(st.lists(rows, min_size=1, max_size=4))
@settings(max_examples=150)
def test_what_is_written_as_jsonl_is_read_back_the_same(written: list[ExampleRow]) -> None:
    written = [row for row in written if not row_problems(row)]
    content = jsonl(*(example_as_object(row) for row in written))

    readings = read(content)

    assert [reading.problems for reading in readings] == [[] for _ in written]
    assert [serialise(reading.row) for reading in readings if reading.row] == [
        serialise(row) for row in written
    ]


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_no_bytes_make_a_reader_fail(content: bytes) -> None:
    try:
        for reading in read(content):
            assert (reading.row is None) == bool(reading.problems)
            assert reading.row is None or serialise(reading.row)
    except FileProblemError as error:
        # A list that has no end, or Parquet or a zip that is none.
        signatures = (b"\xef\xbb\xbf", b"PAR1", b"PK\x03\x04")
        assert content.lstrip().startswith(b"[") or content.startswith(signatures)
        assert str(error)
    try:
        table = read_table(content)
    except FileProblemError as error:
        assert str(error)
    else:
        assert all((reading.row is None) == bool(reading.problems) for reading in table)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
@settings(max_examples=200)
def test_no_json_value_makes_the_reader_fail(value: Any) -> None:
    for name in ("prompt", "messages", "completion", "references", "metadata", "label", "split", "group"):
        line = json.dumps({"prompt": "Q", "split": "train", name: value}).encode() + b"\n"
        for reading in read(line):
            assert (reading.row is None) == bool(reading.problems)
            assert reading.row is None or row_problems(reading.row) == []


class TestCsv:
    def test_columns_become_fields(self) -> None:
        content = (
            b"\xef\xbb\xbfquestion;answer;facts;client;split;segment\r\n"
            b'"What; now?";"Line one\nline ""two""";F;c7;train;new\r\n'
            b"Next?;;;;test;\r\n"
        )
        mapping = {
            "question": "prompt",
            "answer": "reference",
            "facts": "context",
            "client": "group",
            "split": "split",
            "segment": "metadata",
        }

        assert read_table(content, mapping) == [
            ParsedRow(
                2,
                ExampleRow(
                    "train",
                    [user("What; now?")],
                    ['Line one\nline "two"'],
                    context="F",
                    metadata={"segment": "new"},
                    group_key="c7",
                ),
                [],
            ),
            ParsedRow(3, ExampleRow("test", [user("Next?")], []), []),
        ]

    def test_problems_name_the_columns(self) -> None:
        mapping = {"ask": "prompt", "old": "reference", "new": "reference", "kind": "label", "who": "group"}
        long = "x" * 300
        cells = f" ,,a\0,{long},{long},\0,train"
        table = f"ask,old,new,kind,who,note,split\n{cells}\n".encode()

        (reading,) = read_table(table, {**mapping, "note": "metadata", "split": "split"})

        names = [problem.field for problem in reading.problems]
        assert sorted(names) == ["ask", "kind", "new", "note", "who"]

    @pytest.mark.parametrize(
        ("rest", "field", "problem"),
        [
            (b"Q,A\n", "row", "2 cells, the header 3"),
            (b"Q,A,train,extra\n", "row", "4 cells"),
            (b"caf\xe9,A,train\n", "prompt", "byte 0xE9, which is not UTF-8"),
            (b"a\x00b,A,train\n", "prompt", "NUL"),
            (b",A,train\n", "prompt", "empty"),
            (b'"never closed,A,train\nQ,A,train\n', "row", "opened and never closed"),
            (b'"a"b,A,train\n', "row", "Not CSV"),
            (b"x" * (LARGEST_ROW_BYTES + 10) + b",A,train\n", "row", "larger than 4 MiB"),
            (b"x" * 1_000_001 + b",A,train\n", "prompt", "1,000,001 characters"),
            (b"Q,A,exam\n", "split", "not a split"),
        ],
    )
    def test_a_bad_row_is_told(self, rest: bytes, field: str, problem: str) -> None:
        good, bad = read_table(b"prompt,answer,split\nQ,A,train\n" + rest)[:2]

        assert good.problems == []
        assert bad.number == 3
        assert bad.problems[0].field == field
        assert problem in bad.problems[0].problem

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\n\n", "first row is empty"),
            (b"a,,c\n", "Column 2 of the first row has no name"),
            (b"a,b,a\n", "Two columns are named “a”"),
            (b"caf\xe9,b\n", "Save the file as UTF-8"),
            (b'"a\n', "header row is not CSV"),
            (b",".join(b"c%d" % n for n in range(501)), "501 columns"),
            (b"x" * (LARGEST_ROW_BYTES + 2), "larger than"),
        ],
    )
    def test_a_header_that_cannot_be_used_is_told(self, content: bytes, message: str) -> None:
        with pytest.raises(FileProblemError, match=message):
            read_header(stream(content))


def test_what_is_stored_and_hashed_is_canonical_json():
    """Hashes name content for good: other software must be able to recompute them."""
    row = ExampleRow(
        "train",
        [
            {"role": "system", "content": 'A "quote" \\ \t'},
            {"role": "user", "content": "Żółć\u2028 😀 </b>\x7f"},
        ],
        ["one", "two\n"],
        label="l\u0001",
        context="c",
        metadata={"b": [1, 2.5, None], "a": {"z": True}},
        group_key="g",
    )
    canonical = partial(json.dumps, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    texts = serialise(row)
    assert texts.messages == canonical(row.messages)
    assert texts.references == canonical(row.references)
    assert texts.metadata == canonical(row.metadata)
    content = [row.split, row.messages, row.references, row.label, row.context, row.metadata, row.group_key]
    assert texts.content_hash == hashlib.sha256(canonical(content).encode()).hexdigest()
    assert texts.prompt_hash == hashlib.sha256(canonical(row.messages).encode()).hexdigest()
