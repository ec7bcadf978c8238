"""Two versions of a dataset beside each other: which rows changed, and their statistics."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.datasets.diff import diff_of
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def row(text: str, reference: str = "Yes.", split: str = "train", **fields: Any) -> ExampleRow:
    return ExampleRow(split, [{"role": "user", "content": text}], [reference], **fields)


@pytest.fixture
def dataset(project: Project, engineer: User) -> Dataset:
    return create_dataset(project=project, name="Claims", by=engineer)


def make(
    dataset: Dataset, rows: Sequence[ExampleRow], parent: DatasetVersion | None = None
) -> DatasetVersion:
    return create_version(dataset=dataset, rows=rows, by=None, parent=parent)


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


FIRST = [
    row("Is hail covered?"),
    row("Is theft covered?", "It is covered by the household policy.", label="theft"),
    row("Is a pet covered?", split="validation"),
    row("Is rent covered?"),
]


@pytest.fixture
def versions(dataset: Dataset) -> tuple[DatasetVersion, DatasetVersion]:
    """A row as it was, one of another answer and label, one in another split, one gone, and a new one."""
    changed = replace(FIRST[1], references=["It is covered by the travel policy."], label="travel")
    moved = replace(FIRST[2], split="train")
    first = make(dataset, FIRST)
    return first, make(dataset, [row("Is fire covered?"), FIRST[0], changed, moved], parent=first)


def test_rows_are_added_removed_changed_and_moved(versions: tuple[DatasetVersion, DatasetVersion]) -> None:
    first, second = versions
    found = diff_of(second, first)
    assert [(each.change, each.number, each.was, each.fields) for each in found.changes] == [
        ("added", 1, None, []),
        ("changed", 3, 2, ["references", "label"]),
        ("moved", 4, 3, []),
        ("removed", None, 4, []),
    ]
    assert found.counts == {"added": 1, "removed": 1, "changed": 1, "moved": 1, "unchanged": 1}
    assert [(each.old_split, each.split) for each in found.of("moved")] == [("validation", "train")]
    back = diff_of(first, second)
    assert {each.change: (each.number, each.was) for each in back.changes} == {
        "removed": (None, 1), "changed": (2, 3), "moved": (3, 4), "added": (4, None),
    }  # fmt: skip
    assert (found.before.labels, found.now.labels) == (1, 1)
    assert found.before.counts["validation"] == 1 and found.now.counts["validation"] == 0
    assert found.now.prompt_length == 16.5


def test_rows_with_a_name_are_the_same_with_another_prompt(dataset: Dataset) -> None:
    named = [row(f"Question {number}?", metadata={"id": f"q{number}"}) for number in range(3)]
    first = make(dataset, named)
    second = make(dataset, [row("Another question?", metadata={"id": "q1"}), named[2], named[0]])
    found = diff_of(second, first)
    assert found.unchanged == 2
    assert [(each.change, each.number, each.was, each.fields) for each in found.changes] == [
        ("changed", 1, 2, ["prompt"])
    ]


def test_a_row_whose_name_is_gone_is_matched_by_its_prompt(dataset: Dataset) -> None:
    named = [row(f"Is {what} covered?", metadata={"id": what}) for what in ("hail", "theft", "fire", "rent")]
    first = make(dataset, named)
    second = make(
        dataset,
        [replace(named[0], metadata={}), row("Is a stolen bicycle covered?", metadata={"id": "theft"}),
         replace(named[2], metadata={"id": ""}, references=["No."]),
         row("Is rent covered?", "Never.", metadata={"id": "lease"})],
    )  # fmt: skip
    found = diff_of(second, first)
    assert [(each.change, each.was, each.fields) for each in found.changes] == [
        ("changed", 1, ["metadata"]), ("changed", 2, ["prompt"]), ("changed", 3, ["references", "metadata"]),
        ("added", None, []), ("removed", 4, []),
    ]  # fmt: skip
    third = make(dataset, [*named[:3], replace(named[3], references=["Later."])])
    assert [each.was for each in diff_of(third, second).changes] == [1, 2, 3, None, 4]


def test_repeated_prompts_are_matched_in_their_order(dataset: Dataset) -> None:
    first = make(dataset, [row("Same?", "One."), row("Same?", "Two.")])
    second = make(dataset, [row("Same?", "One."), row("Same?", "Two."), row("Same?", "Three.")])
    assert [(each.change, each.number) for each in diff_of(second, first).changes] == [("added", 3)]


def test_of_rows_of_one_name_the_same_are_matched_first(dataset: Dataset) -> None:
    of_client = [row("Write to the client.", f"Letter {n}.", metadata={"id": "c1"}) for n in range(6)]
    first = make(dataset, of_client)
    kept = [of_client[0], *of_client[3:5], replace(of_client[5], split="validation")]
    second = make(dataset, [*kept, row("Write to the client.", "Letter 9.", metadata={"id": "c1"})])
    assert [(each.change, each.number, each.was, each.fields) for each in diff_of(second, first).changes] == [
        ("moved", 4, 6, []),
        ("changed", 5, 2, ["references"]),
        ("removed", None, 3, []),
    ]


def test_another_dataset_and_the_version_itself_are_refused(project: Project, dataset: Dataset) -> None:
    first = make(dataset, FIRST)
    other = make(create_dataset(project=project, name="Other", by=None), FIRST[:2])
    for against in (first, other):
        with pytest.raises(InvalidError, match="another version of the same dataset"):
            diff_of(first, against)


def test_the_page_shows_the_words_that_changed(
    versions: tuple[DatasetVersion, DatasetVersion], engineer: User
) -> None:
    first, _ = versions
    address = f"/projects/{first.dataset.project.slug}/data/{first.dataset_id}/"
    browser = client_of(engineer)
    assert "v2/diff/" in browser.get(f"{address}v2/").text
    page = browser.get(f"{address}v2/diff/").text
    told = text_of(page)
    assert "Claims: v1 to v2" in told and "1 row unchanged." in told
    assert "<del>household</del>" in page and "<ins>travel</ins>" in page
    assert "validation → train" in told and "All changes 4" in told
    only = text_of(browser.get(f"{address}v2/diff/", {"change": "removed"}).text)
    assert "Is rent covered?" in only and "Is fire covered?" not in only
    assert "Claims: v2 to v1" in text_of(browser.get(f"{address}v1/diff/").text)
    for odd in ({"against": "2"}, {"against": "9"}, {"against": "x"}, {"change": "odd"}):
        assert browser.get(f"{address}v2/diff/", odd).status_code == 404
    assert browser.get(f"{address}v2/diff/", {"page": "x"}).status_code == 200


def test_preferences_and_metadata_are_shown_in_words(dataset: Dataset, engineer: User) -> None:
    pair = {"chosen": "Hail is covered.", "rejected": "It is not."}
    fields = {"metadata": {"region": "north", "urgent": True}, "pairs": [pair]}
    first = make(dataset, [row("Is hail covered?", **fields)])
    changed = {"metadata": {"region": "south", "urgent": True}, "pairs": [{**pair, "rejected": "Never."}]}
    make(dataset, [row("Is hail covered?", **changed)], parent=first)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/v2/diff/"
    page = client_of(engineer).get(address).text
    assert "region: <del>north</del> <ins>south</ins> urgent: true" in page
    assert "chosen: Hail is covered. rejected: <del>It is not.</del> <ins>Never.</ins>" in page


def test_a_single_version_has_nothing_to_compare_with(dataset: Dataset, engineer: User) -> None:
    version = make(dataset, FIRST)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/v{version.number}/"
    assert "no other version" in client_of(engineer).get(f"{address}diff/").text


def test_programs_read_the_same(versions: tuple[DatasetVersion, DatasetVersion], engineer: User) -> None:
    first, _ = versions
    path = f"projects/{first.dataset.project.slug}/datasets/{first.dataset_id}/versions/2/diff/"
    program = program_of(engineer)
    told = program.get(f"{path}?against=1").json()
    assert told["counts"] == {"added": 1, "removed": 1, "changed": 1, "moved": 1, "unchanged": 1}
    assert (told["version"], told["against"], told["before"]["labels"]) == (2, 1, 1)
    rows, address = [], f"{path}rows/?against=1&limit=1"
    while address:
        answer = program.get(address).json()
        rows += answer["results"]
        address = answer["next"]
    assert [(each["change"], each["number"], each["was"]) for each in rows] == [
        ("added", 1, None), ("changed", 3, 2), ("moved", 4, 3), ("removed", None, 4),
    ]  # fmt: skip
    changed = program.get(f"{path}rows/?against=1&change=changed").json()["results"]
    assert [each["changed_fields"] for each in changed] == [["references", "label"]]
    assert program.get(path).json() == told
    for none in (2, 7):
        assert program.get(f"{path}?against={none}").status_code == 404
    alone = make(create_dataset(project=first.dataset.project, name="Alone", by=None), FIRST[:2])
    path = f"projects/{first.dataset.project.slug}/datasets/{alone.dataset_id}/versions/1/diff/"
    assert "no other version" in problem_in(program.get(path), 400)["message"]


def test_more_changes_take_no_more_queries(dataset: Dataset, engineer: User) -> None:
    first = make(dataset, [row(f"Question {number}?") for number in range(40)])
    found = []
    for changed in (2, 30):
        rows = [row(f"Question {number}?", "No." if number < changed else "Yes.") for number in range(40)]
        version = make(dataset, rows)
        address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/v{version.number}/diff/?against=1"
        browser = client_of(engineer)
        browser.get(address)
        with CaptureQueriesContext(connection) as queries:
            assert f"Changed {changed}" in text_of(browser.get(address).text)
        found.append(len(queries))
    assert found[0] == found[1] and first.number == 1
