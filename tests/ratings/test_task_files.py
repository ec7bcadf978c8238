"""The exports of annotation tools into records, without a database."""

import json
from io import BytesIO
from typing import Any

import pytest

from evalapp.imports.json_objects import json_objects
from evalapp.imports.problems import FileProblemError
from evalapp.ratings.formats import readings, recognise_layout
from evalapp.ratings.formats.argilla import Argilla
from evalapp.ratings.formats.label_studio import LabelStudio
from evalapp.ratings.records import ParsedRow

ANSWER = "Pay 🙂 today."


def result(name: str, kind: str, value: Any, to: str = "answer") -> dict[str, Any]:
    return {"from_name": name, "to_name": to, "type": kind, "value": value}


def task(*annotations: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {
        "id": 7,
        "data": {"prompt": "When?", "model": "base", "answer": ANSWER, **data},
        "annotations": annotations,
    }


def annotation(*results: dict[str, Any], by: Any = 5, **fields: Any) -> dict[str, Any]:
    return {"completed_by": by, "result": list(results), "was_cancelled": False, **fields}


def read(*tasks: Any) -> list[ParsedRow]:
    content = json.dumps(tasks, ensure_ascii=False).encode()
    return list(readings(BytesIO(content), recognise_layout("a.json", BytesIO(content))))


def test_every_kind_of_result_is_read() -> None:
    labels = {"start": 4, "end": 6, "text": "🙂", "labels": ["emoji"]}
    (reading,) = read(
        task(
            annotation(
                result("accuracy", "rating", {"rating": 4}),
                result("helpful", "number", {"number": 55}),
                result("safe", "choices", {"choices": ["yes"]}),
                result("issues", "choices", {"choices": ["late", "rude"]}),
                result("why", "textarea", {"text": ["Because."]}),
                result("comment", "textarea", {"text": ["Fine."]}),
                result("correction", "textarea", {"text": ["Pay now."]}),
                result("marks", "labels", labels),
                result("tone-na", "choices", {"choices": ["N/A"]}),
                lead_time=12.5,
                created_at="2024-03-01T10:00:00.5Z",
            )
        )
    )

    (record,) = reading.records
    assert dict(record.values) == {
        "accuracy": 4, "helpful": 55, "safe": "yes", "issues": "late; rude", "why": "Because.", "tone": "N/A"
    }  # fmt: skip
    assert (record.item, record.candidate, record.reviewer, record.seconds) == ("7", "base", "5", 12.5)
    assert (record.comment, record.correction) == ("Fine.", "Pay now.")
    (mark,) = record.spans
    assert (mark.text, mark.start, mark.end, mark.label) == ("🙂", 4, 5, "emoji")
    assert reading.texts is not None
    assert reading.texts.answers == {"base": ANSWER}


@pytest.mark.parametrize(("by", "name"), [({"id": 3, "email": "m@x.example"}, "m@x.example"), ([9], "9")])
def test_the_annotator_is_named_by_their_address_or_number(by: Any, name: str) -> None:
    (reading,) = read(task(annotation(result("a", "rating", {"rating": 4}), by=by)))
    assert [record.reviewer for record in reading.records] == [name]


def test_each_answer_of_a_task_is_a_candidate_where_no_field_names_one() -> None:
    given = {
        "id": 1,
        "data": {"question": "When?", "response": "Now.", "other": "Later."},
        "annotations": [
            annotation(
                result("good", "rating", {"rating": 4}, "response"),
                result("good", "rating", {"rating": 2}, "other"),
                lead_time=10,
            )
        ],
    }
    content = json.dumps([given]).encode()
    layout = recognise_layout("a.json", BytesIO(content))
    assert layout.file_format == LabelStudio.name
    mapped = type(layout)(LabelStudio.name, mapping={**layout.mapping, "other": "answer"})

    (reading,) = readings(BytesIO(content), mapped)

    assert [(r.candidate, r.values, r.seconds) for r in reading.records] == [
        ("response", [("good", 4)], 5.0),
        ("other", [("good", 2)], 5.0),
    ]


def test_skipped_and_unknown_results_are_told_and_stop_nothing() -> None:
    (reading,) = read(
        task(
            {"completed_by": 1, "result": [], "was_cancelled": True},
            annotation(result("box", "rectanglelabels", {"x": 1}), result("a", "rating", {"rating": 1})),
        )
    )

    assert [remark.field for remark in reading.remarks] == ["annotations[1]", "annotations[2].result[1]"]
    assert len(reading.records) == 1


@pytest.mark.parametrize(
    "annotations",
    [
        [annotation()],
        [annotation(result("a", "rating", {"rating": "4"}))],
        [annotation(result("a", "rating", {}), by=None)],
        [annotation({"type": "rating"})],
        [annotation(result("a", "labels", {"start": 1, "end": 2, "labels": "x", "text": 3}))],
        ["nothing"],
        [annotation(result("a", "rating", {"rating": 4}), lead_time=-3)],
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(annotations: list[Any]) -> None:
    (reading,) = read(task(*annotations))
    assert not reading.records
    assert all(p.field.startswith("annotations[1]") for r in reading.refusals for p in r.problems)
    assert len(reading.refusals) == 1


def test_argilla_s_records_are_read_by_user() -> None:
    given = {
        "id": "r1",
        "fields": {"prompt": "When?", "response": "Now."},
        "metadata": {"model": "base"},
        "suggestions": {},
        "responses": {
            "accuracy": [{"value": 4, "user_id": "u1"}, {"value": 2, "user_id": "u2"}],
            "issues": [{"value": ["late", "rude"], "user_id": "u1"}],
        },
    }
    content = json.dumps([given]).encode()
    layout = recognise_layout("a.json", BytesIO(content))
    assert layout.file_format == Argilla.name

    (reading,) = readings(BytesIO(content), layout)

    assert [(r.reviewer, r.candidate, r.values) for r in reading.records] == [
        ("u1", "base", [("accuracy", 4), ("issues", "late; rude")]),
        ("u2", "base", [("accuracy", 2)]),
    ]


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_list_is_read_member_by_member_whatever_arrives_at_once(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.imports.json_objects._CHUNK", size)
    members = [{"a": 'a "quoted" [bracket] \\'}, {"b": {"c": [1, {"d": "}"}]}}, {"e": "🙂"}]
    content = b"\xef\xbb\xbf" * (size > 3) + json.dumps(members, ensure_ascii=False, indent=1).encode()

    assert [found for _, found in json_objects(BytesIO(content))] == members


@pytest.mark.parametrize("content", [b'[{"a": 1}', b'[{"a": "', b"["])
def test_a_list_without_an_end_is_told(content: bytes) -> None:
    with pytest.raises(FileProblemError):
        list(json_objects(BytesIO(content)))


@pytest.mark.parametrize("content", [b'[{"a": NaN}]', b'[{"a": 1, "a": 2}]', b'[{"a": 1e999}]', b"[{a}]"])
def test_a_member_that_is_no_json_is_told_and_the_rest_is_read(content: bytes) -> None:
    found = list(json_objects(BytesIO(content[:-1] + b', {"b": 1}]')))
    assert len(found) == 2
    assert found[1] == (2, {"b": 1})
    assert not isinstance(found[0][1], dict)
