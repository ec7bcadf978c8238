"""What a person is told of an upload that cannot be used."""

from evalapp.core.errors import MOST_PROBLEMS
from evalapp.imports.problems import FieldProblem, ProblemList, RowProblem, fold_problems


def test_the_same_problem_of_many_rows_is_told_once_with_how_many_and_where() -> None:
    problems = ProblemList()
    for row in range(2, 62):
        problems.add(f"Row {row}", FieldProblem("date", f"“{row}.13.” is no date.", "Write 2026-01-31."))
    problems.add("Row 62", FieldProblem("id", "The value is missing.", "Give each row one."))
    error = problems.error()
    assert error.fields["file"] == [
        ("60 rows like this: date: “2.13.” is no date. Write 2026-01-31. (Row 2, Row 3, Row 4 and 57 more)"),
        "Row 62: id: The value is missing. Give each row one.",
    ]
    assert error.message.startswith("Nothing was imported. Row 2: date: “2.13.” is no date.")
    assert len(error.problems) == 61


def test_two_rows_are_told_one_by_one_and_the_same_words_as_the_same() -> None:
    twice = [RowProblem(row, FieldProblem("id", "The value is missing.")) for row in (3, 9)]
    assert [str(each) for each in fold_problems(twice)] == [
        "3: id: The value is missing.",
        "9: id: The value is missing.",
    ]
    (often,) = fold_problems([*twice, *twice, RowProblem(1_200, twice[0].problem)])
    assert (often.rows, often.problems, often.shown_places) == (3, 5, "3, 9, 1,200")
    assert str(often) == "3 rows: id: The value is missing. (3, 9, 1,200)"


def test_remarks_are_not_folded_into_refusals() -> None:
    same = FieldProblem("a", "Same.")
    found = fold_problems(RowProblem(row, same, is_refusal=row % 2 == 0) for row in range(8))
    assert [(each.rows, each.first.is_refusal) for each in found] == [(4, True), (4, False)]


def test_no_more_than_a_page_of_different_problems_is_told_and_the_rest_counted() -> None:
    problems = ProblemList(most=80)
    for number in range(100):
        problems.add("Row 1", f"Field {chr(0x4E00 + number)} is wrong.")
    told = problems.messages()
    assert len(told) == MOST_PROBLEMS
    assert told[-1] == "There are 51 more problems; fix these first."
    assert (problems.found, len(problems.kept)) == (100, 80)
