"""What an import of ratings refuses, and that it tells all of it at once."""

from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.models import Example
from evalapp.decisions.inbox import inbox_of
from evalapp.jobs.models import JobState
from evalapp.reviews.models import Score
from tests.factories import make_rubric
from tests.ratings.files import (
    carried_out,
    counts,
    rating,
    ratings,
    received,
    table,
    told,
)


def test_everything_wrong_is_told_at_once_and_nothing_stays(project: Project, manager: User) -> None:
    make_rubric(project)
    before = counts()
    content = table(
        rating(1, value=4),
        rating(1, value=5),
        rating(2, criterion="Accuracy", value="seven"),
        rating(3, value=9),
        rating(4, reviewer=""),
        (5, "base", "Mara", "Accuracy", 3, "Question 5?", ""),
        (6, "base", "Mara", "Accuracy", 3, "", "Answer 6."),
        (1, "base", "Ole", "Accuracy", 3, "Another question?", ""),
        *(rating(10 + item, value=3) for item in range(40)),
    )
    ratings_import = received(project, manager, content)

    job = carried_out(
        ratings_import, manager, criteria={"Accuracy": {"kind": "scale", "minimum": 1, "maximum": 5}}
    )

    assert job.state == JobState.FAILED
    assert "7 of 48 records cannot be used, so nothing was imported." in job.error
    assert told(ratings_import) == [
        (3, "Accuracy"),
        (4, "Accuracy"),
        (5, "Accuracy"),
        (6, "reviewer"),
        (7, "answer"),
        (8, "prompt"),
        (9, "prompt"),
    ]
    assert counts() == before


def test_of_a_row_everything_wrong_is_told_and_numbers_are_a_scale(project: Project, manager: User) -> None:
    columns = b"item,candidate,reviewer,criterion,value,seconds,submitted_at,prompt,answer\n"
    rows = [
        "1,base,Mara,Accuracy,4,,,Question 1?,Answer 1.",
        "2,base,Mara,Accuracy,5,,,Question 2?,Answer 2.",
        "3,base,Mara,Accuracy,999,,,Question 3?,Answer 3.",
        "4,base,Mara,Accuracy,-7,,,Question 4?,Answer 4.",
        "5,base,Mara,Accuracy,999,-3,2090-01-01T00:00:00Z,Question 5?,Answer 5.",
        "6,base,Mara,Accuracy,wat,soon,,Question 6?,Answer 6.",
    ]
    ratings_import = received(project, manager, columns + "\n".join(rows).encode())

    job = carried_out(ratings_import, manager, checks_only=True)

    assert job.state == JobState.SUCCEEDED
    assert sorted(told(ratings_import)) == [
        (4, "Accuracy"),
        (5, "Accuracy"),
        (6, "Accuracy"),
        (6, "seconds"),
        (6, "submitted_at"),
        (7, "Accuracy"),
        (7, "seconds"),
    ]
    problems = dict(ratings_import.problems.values_list("row", "problem"))
    assert problems[4] == "999 is outside the scale of Accuracy, 1 to 5."
    assert problems[5] == "-7 is outside the scale of Accuracy, 1 to 5."
    future = ratings_import.problems.get(field="submitted_at").problem
    assert future == "“2090-01-01T00:00:00Z” is in the future."


def test_a_failed_check_leaves_the_inbox_with_the_next(project: Project, manager: User) -> None:
    content = table(rating(1), rating(1), rating(2, value="?"), *(rating(3 + n) for n in range(9)))
    ratings_import = received(project, manager, content)
    assert carried_out(ratings_import, manager).state == JobState.FAILED
    assert [entry.kind for entry in inbox_of(project)] == ["failed"]
    assert carried_out(ratings_import, manager, checks_only=True).state == JobState.SUCCEEDED
    assert inbox_of(project) == []


def test_a_file_goes_in_without_its_bad_records_and_they_are_counted(project: Project, manager: User) -> None:
    content = table(rating(1), rating(1), rating(2, value="?"), *(rating(3 + n) for n in range(9)))
    ratings_import = received(project, manager, content)
    assert carried_out(ratings_import, manager).state == JobState.FAILED

    job = carried_out(ratings_import, manager, skips_invalid=True)

    assert job.result == {
        "campaign": ratings_import.campaign_id, "records": 12, "imported": 10, "refused": 2
    }  # fmt: skip
    assert Score.objects.count() == 10
    assert not Example.objects.filter(metadata__item="2").exists()


def test_a_check_says_what_an_import_would_and_stores_nothing(project: Project, manager: User) -> None:
    ratings_import = received(project, manager, ratings() + b"1,base,Mara,Accuracy,4,,\n")
    before = counts()

    job = carried_out(ratings_import, manager, checks_only=True)

    assert job.result == {"records": 17, "refused": 1}
    assert counts() == before
    assert told(ratings_import) == [(18, "Accuracy")]
    assert ratings_import.census["candidates"] == [["base", 9], ["tuned", 8]]
    assert [c["name"] for c in ratings_import.census["criteria"]] == ["Accuracy", "Tone"]


def test_two_names_for_one_person_are_duplicates(project: Project, manager: User) -> None:
    content = table(rating(reviewer="Mara"), rating(reviewer=manager.email))
    ratings_import = received(project, manager, content)

    job = carried_out(ratings_import, manager, reviewers={"Mara": manager.pk})

    assert job.state == JobState.FAILED
    assert told(ratings_import) == [(3, "Accuracy")]


def test_unknown_people_and_candidates_can_be_refused(project: Project, manager: User) -> None:
    ratings_import = received(project, manager, table(rating()))

    job = carried_out(ratings_import, manager, unknown_reviewers="refuse", unknown_candidates="refuse")

    assert job.state == JobState.FAILED
    assert told(ratings_import) == [(2, "candidate"), (2, "reviewer")]


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        (b"", "a.csv", "The file is empty"),
        (b"PK\x03\x04rest", "a.csv", "is a zip file or an Excel workbook"),
        (b"a,b\n1,2\n", "a.txt", "ends in .txt"),
        (b"[1, 2]", "a.json", "has no objects"),
        (b'[{"x": 1}]', "a.json", "none of the supported formats: Label Studio"),
        (b'[{"annotations": [], "data": {"text": "cut', "a.json", "was cut off"),
        (b'{"item": 1', "a.jsonl", "The first row cannot be read: Not JSON"),
    ],
)
def test_what_holds_no_ratings_is_refused_at_once(
    project: Project, manager: User, uploads: Path, content: bytes, name: str, message: str
) -> None:
    with pytest.raises(InvalidError, match=message):
        received(project, manager, content, name)
    assert not list(uploads.iterdir())


def test_too_many_candidates_are_told_before_anything_starts(project: Project, manager: User) -> None:
    content = ratings(items=1, candidates=tuple(f"model {n}" for n in range(51)), people=("Mara",))
    ratings_import = received(project, manager, content)

    job = carried_out(ratings_import, manager)

    assert "The file has 51 candidates; a campaign compares at most 50" in job.error
