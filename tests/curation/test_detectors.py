"""What each detector finds in planted sets, and what it leaves alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from evalapp.curation.health.broken_answers import (
    BrokenAnswerDetector,
    broken_answer,
    ends_whole,
    is_repetitive,
)
from evalapp.curation.health.check import COLUMNS
from evalapp.curation.health.duplicates import DuplicateDetector, disagreement, jaccard
from evalapp.curation.health.label_issues import LabelIssueDetector
from evalapp.curation.health.rows import Detector, Found, HealthRow, row_of, words_of
from evalapp.datasets.rows import ExampleRow
from evalapp.privacy.personal_data import personal_spans
from tests.curation.planted import PlantedRows, labelled_rows, planted_rows

LEAST_RECALL, LEAST_PRECISION = 0.95, 0.9
LONG = "The story tells of the crew and of the ship that it built. " * 9


def health_row(number: int, row: ExampleRow) -> HealthRow:
    names = COLUMNS[1:]
    return row_of(number, {name: getattr(row, name) for name in names})


def found_in(detector: Detector, rows: Sequence[ExampleRow]) -> list[Found]:
    by_number = {number: health_row(number, row) for number, row in enumerate(rows, start=1)}
    for each in by_number.values():
        detector.read(each)

    def fetch(numbers: Sequence[int]) -> Mapping[int, HealthRow]:
        return {number: by_number[number] for number in numbers}

    return list(detector.found(fetch))


def require_good(kind: str, found: Sequence[Found], planted: PlantedRows) -> None:
    rows = {each.row for each in found if each.kind == kind}
    right = rows & planted.planted[kind]
    assert len(right) >= LEAST_RECALL * len(planted.planted[kind]), kind
    assert len(right) >= LEAST_PRECISION * len(rows), kind


@pytest.mark.parametrize("seed", [11, 12])
def test_planted_copies_conflicts_and_broken_answers_are_found(seed: int) -> None:
    planted = planted_rows(seed, clean=900, each=30)
    found = found_in(DuplicateDetector(), planted.rows) + found_in(BrokenAnswerDetector(), planted.rows)
    for kind in ("exact_duplicate", "near_duplicate", "conflict", "broken_answer"):
        require_good(kind, found, planted)
    alike = planted.looks_like["near_duplicate"]
    assert not [each for each in found if each.row in alike and each.kind in ("near_duplicate", "conflict")]


def test_wrong_labels_are_found() -> None:
    planted = labelled_rows(3)
    require_good("label_issue", found_in(LabelIssueDetector(), planted.rows), planted)


def test_an_answer_that_is_the_label_changes_with_it() -> None:
    rows = [
        ExampleRow(
            "train", [{"role": "user", "content": f"{word} service, case {number}"}],
            references=[f"{label.capitalize()}."] if number else ["It is what it is."], label=label,
        )
        for word, label in (("terrible", "bad"), ("great", "good")) for number in range(40)
    ]  # fmt: skip
    rows[50] = replace(rows[50], label="bad", references=["bad", "As I said."])
    (found,) = [each for each in found_in(LabelIssueDetector(), rows) if each.row == 51]
    assert found.changes == {"label": "good", "references.0": "good"}


def test_a_set_of_one_label_has_no_label_issues() -> None:
    rows = [ExampleRow("train", [{"role": "user", "content": f"Question {n}"}], label="a") for n in range(80)]
    assert found_in(LabelIssueDetector(), rows) == []


def test_a_million_identical_rows_need_one_comparison_each() -> None:
    """At a size that a test can take: every row but the first repeats it, and none is compared."""
    row = ExampleRow("train", [{"role": "user", "content": "Summarise this"}], ["No."])
    asked: list[int] = []
    detector = DuplicateDetector()
    for number in range(1, 20_001):
        detector.read(health_row(number, row))

    def fetch(numbers: Sequence[int]) -> Mapping[int, HealthRow]:
        asked.extend(numbers)
        return {number: health_row(number, row) for number in numbers}

    found = list(detector.found(fetch))
    assert [each.row for each in found] == list(range(2, 20_001))
    assert {tuple(each.others) for each in found} == {(1,)} and asked == []


def test_dropping_every_duplicate_leaves_one_row_of_each() -> None:
    texts = ["Is my old bicycle covered when it is stolen at night?"] * 3
    texts += ["Is please my old bicycle covered when it is stolen at night?"] * 2
    rows = [ExampleRow("train", [{"role": "user", "content": text}], ["Yes, it is."]) for text in texts]
    gone = {each.row for each in found_in(DuplicateDetector(), rows)}
    assert gone == {2, 3, 4, 5}


def test_rows_of_two_splits_are_no_duplicates() -> None:
    rows = [
        ExampleRow(split, [{"role": "user", "content": "Is hail covered by the plan?"}], ["Yes."])
        for split in ("train", "test", "validation")
    ]
    assert found_in(DuplicateDetector(), rows) == []


def test_questions_about_one_long_text_are_not_near_one_another() -> None:
    story = " ".join(f"sentence {n} of the story about the ship and its crew" for n in range(60))
    questions = ("Who is the captain?", "Where does the ship land?", "What happens to the crew?")
    rows = [
        ExampleRow(
            "train", [{"role": "user", "content": f"{story}\n\n{question}"}], [f"Answer {n} of its own."]
        )
        for n, question in enumerate(questions)
    ]
    assert found_in(DuplicateDetector(), rows) == []


def test_other_numbers_in_a_prompt_make_another_question() -> None:
    rows = [
        ExampleRow(
            "train",
            [{"role": "user", "content": f"What is the premium for {years} years of cover?"}],
            ["Ask us."],
        )
        for years in (5, 6, 7)
    ]
    assert found_in(DuplicateDetector(), rows) == []


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("Yes, it is covered.", "No, it is not covered.", "yes in one"),
        ("It takes 10 days.", "It takes 14 days.", "other numbers"),
        ("It takes 10 days.", "It takes 10 days, or 14 abroad.", ""),
        (f"{LONG} 10 men.", f"{LONG[::-1]} In 1877.", ""),
        ("Sengschäden sind eingeschlossen.", "Sengschäden sind ausgeschlossen.", "a few words"),
        ("Drei Monate zum Ende des Vertragsjahres.", "Ein Monat zum Ende des Vertragsjahres.", "a few words"),
        ("Send the receipt by post.", "Our office opens early tomorrow.", "almost no word"),
        ("We pay the current value of the bicycle.", "The current value of the bicycle is what we pay.", ""),
    ],
)
def test_why_two_answers_cannot_both_be_right(first: str, second: str, why: str) -> None:
    rows = [
        health_row(n, ExampleRow("train", [{"role": "user", "content": "Q?"}], [text]))
        for n, text in enumerate((first, second), start=1)
    ]
    said = disagreement(*rows)
    assert why in said and bool(said) == bool(why)


def test_jaccard_of_texts() -> None:
    assert jaccard("same words", "same words") == 1.0
    assert jaccard("abcdefgh", "zzzzzzzz") == 0.0
    assert jaccard("", "") == 1.0


@pytest.mark.parametrize(
    "answer", ["It ends.", "It ends”", "- a point of a list", "Total: 12", "“Quoted.”", "```\ncode\n```"]
)
def test_ends_that_are_whole(answer: str) -> None:
    assert ends_whole(answer)


@pytest.mark.parametrize("answer", ["it ends in the middle of", "first, second,", "between 3 and 5 –"])
def test_ends_that_are_cut(answer: str) -> None:
    assert not ends_whole(answer)


def test_a_damaged_encoding_is_repaired_where_that_is_known() -> None:
    damaged = "Die Küche ist versichert – größere Schäden auch."
    row = ExampleRow("train", [{"role": "user", "content": "Is it?"}], [damaged.encode().decode("cp1252")])
    found = broken_answer(health_row(1, row))
    assert found is not None and found.changes == {"references.0": damaged}


@pytest.mark.parametrize(
    "answer",
    [
        "Es tut mir leid, aber dabei kann ich Ihnen als KI-Modell nicht helfen.",
        "Je suis désolé, je ne peux pas répondre à cette demande.",
        "[Antwort hier einfügen]",
        "Text folgt.",
    ],
)
def test_refusals_and_placeholders_of_other_languages(answer: str) -> None:
    assert broken_answer(
        health_row(1, ExampleRow("train", [{"role": "user", "content": "Warum?"}], [answer]))
    )


def test_words_are_the_same_whether_or_not_others_stand_beside_them() -> None:
    signs = "".join(map(chr, range(128)))
    assert words_of(signs) == words_of(f"{signs} é")[:-1]


@pytest.mark.parametrize("before", range(12))
def test_a_run_of_one_character_is_found_wherever_it_begins(before: int) -> None:
    assert is_repetitive("x" * before + "a" * 30 + " and so on.", [])
    assert not is_repetitive("x" * before + "a" * 29 + " and so on.", [])


def test_a_signature_ends_an_answer() -> None:
    assert ends_whole("We pay in March.\nKind regards,\nyour service team") is False
    assert ends_whole("Wir zahlen im März.\nViele Grüße,\nIhr Serviceteam")
    assert ends_whole("We pay in March.\n\nKind regards,\nThe service team")


def test_a_system_message_makes_another_row() -> None:
    user = {"role": "user", "content": "Is hail covered by the plan?"}
    rows = [
        ExampleRow("train", [user], ["Yes."]),
        ExampleRow("train", [{"role": "system", "content": "Answer in rhyme."}, user], ["Yes."]),
    ]
    assert found_in(DuplicateDetector(), rows) == []


def test_words_that_begin_like_boilerplate_are_none() -> None:
    row = ExampleRow(
        "train", [{"role": "user", "content": "Who?"}], ["She serves as an aide to the captain."]
    )
    assert broken_answer(health_row(1, row)) is None


def test_a_row_of_200_kilobytes_is_read_in_a_moment() -> None:
    text = "A sentence about hail and water in the cellar of the house, number 12. " * 2_800
    row = ExampleRow("train", [{"role": "user", "content": text}], [text])
    assert len(text) > 190_000
    for detector in (DuplicateDetector(), BrokenAnswerDetector()):
        found_in(detector, [row, row])
    assert personal_spans(text) == []
