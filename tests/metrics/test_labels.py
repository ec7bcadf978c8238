"""A label is read from a text as declared, and nothing else is."""

import pytest

from evalapp.metrics.labels import LabelError, LabelParser

LABELS = ["Positive", "Negative", "Not clear"]


@pytest.mark.parametrize(
    ("options", "output", "label"),
    [
        ({"kind": "exact"}, "  positive\n", "Positive"),
        ({"kind": "exact"}, "not   CLEAR", "Not clear"),
        ({"kind": "exact"}, "positive.", None),
        ({"kind": "exact"}, "", None),
        ({"kind": "exact", "ignore_case": False}, "positive", None),
        ({"kind": "exact", "ignore_case": False}, "Positive", "Positive"),
        ({"kind": "first_line"}, "\n\n Negative \nBecause it says so.", "Negative"),
        ({"kind": "first_line"}, "It is negative.\nNegative", None),
        ({"kind": "pattern", "pattern": r"label:\s*(\w+)"}, "I think.\nLABEL: negative", "Negative"),
        ({"kind": "pattern", "pattern": r"positive|negative"}, "so negative, not positive", "Negative"),
        ({"kind": "pattern", "pattern": r"label: (x)?"}, "label: ", None),
        ({"kind": "pattern", "pattern": r"label: (\w+)"}, "label: mixed", None),
        ({"kind": "json_field", "field": "label"}, '{"label": "negative", "why": "…"}', "Negative"),
        ({"kind": "json_field", "field": "label"}, '{"label": 1}', None),
        ({"kind": "json_field", "field": "label"}, '{"label": "negative"', None),
        ({"kind": "json_field", "field": "label"}, '["negative"]', None),
        ({"kind": "json_field", "field": "label"}, "[" * 100_000, None),
        ({"kind": "exact"}, "\ud800", None),
    ],
)
def test_a_text_says_a_label_or_none(options: dict[str, object], output: str, label: str | None) -> None:
    assert LabelParser(labels=LABELS, **options).parse(output) == label  # type: ignore[arg-type]


def test_true_and_numbers_of_json_are_labels() -> None:
    parser = LabelParser("json_field", ["true", "false", "3"], field="is_urgent")
    assert [parser.parse(f'{{"is_urgent": {value}}}') for value in ("true", "false", "3", "null", "3.5")] == [
        "true", "false", "3", None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "field", "start"),
    [
        ({"kind": "guess"}, "kind", "There is no parser “guess”."),
        ({"kind": "pattern"}, "pattern", "Write the pattern"),
        ({"kind": "pattern", "pattern": "("}, "pattern", "The pattern is not a valid regular expression"),
        ({"kind": "pattern", "pattern": "(?=a)"}, "pattern", "Look-around such as"),
        ({"kind": "json_field"}, "field", "Give the field"),
        ({"kind": "exact", "labels": ["a", "A"]}, "labels", "“a” and “A” count as the same label."),
        ({"kind": "exact", "labels": [" "]}, "labels", "A label has 1 to 200 characters"),
        ({"kind": "exact", "labels": [str(n) for n in range(101)]}, "labels", "There are 101 labels"),
    ],
)
def test_a_definition_that_cannot_be_used_says_which_part(
    options: dict[str, object], field: str, start: str
) -> None:
    with pytest.raises(LabelError) as told:
        LabelParser(**{"labels": LABELS, **options})  # type: ignore[arg-type]
    assert told.value.field == field
    assert str(told.value).startswith(start)
