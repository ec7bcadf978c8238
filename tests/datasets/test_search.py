"""Rows found by their words: by reading a small version, by the index of one that was checked."""

from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets import search
from evalapp.datasets.models import Dataset, DatasetVersion, RowText
from evalapp.datasets.queries import examples_of
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.search import index_rows, search_rows
from evalapp.datasets.services import create_dataset, create_version
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db


def row(prompt: str, answer: str, split: str = "train", **fields: Any) -> ExampleRow:
    return ExampleRow(split, [{"role": "user", "content": prompt}], [answer], **fields)


@pytest.fixture
def version(dataset: Dataset) -> DatasetVersion:
    rows = [
        row("Is hail on the roof covered?", "Yes, by the household policy."),
        row("Is theft covered?", "No, hail alone is.", label="theft", split="validation"),
        row("Who pays?", "We do.", context="Policy of Élodie, Lyon", metadata={"region": "south coast"}),
        row("a " * 400_000, "A long one."),
    ]
    return create_version(dataset=dataset, rows=rows, by=None)


def numbers(version: DatasetVersion, text: str) -> list[int]:
    rows = search_rows(version, examples_of(version), text).rows
    return list(rows.values_list("row_number", flat=True))


@pytest.mark.parametrize(("is_indexed", "named"), [(False, 0), (True, 0), (True, 1), (True, 9)])
def test_rows_that_hold_all_words_are_found(
    version: DatasetVersion, is_indexed: bool, named: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_NAMED_ROWS", named)
    if is_indexed:
        monkeypatch.setattr(search, "MOST_ROWS_WITHOUT_INDEX", 0)
        index_rows(version)
        index_rows(version)
        assert RowText.objects.count() == 4
    assert numbers(version, "HAIL") == [1, 2]
    assert numbers(version, "hail covered roof") == [1]
    assert numbers(version, '"household policy"') == [1]
    assert numbers(version, "hail -roof") == [2]
    assert numbers(version, "élodie") == numbers(version, "coast") == [3]
    assert numbers(version, "theft") == [2] and numbers(version, "nothing") == []
    assert numbers(version, "   ") == [1, 2, 3, 4]
    for odd in ("'", '"', "&|!():*", "\x00", "%s", "\\", "💧" * 200):
        assert isinstance(numbers(version, odd), list)


def test_a_large_version_is_searched_after_its_health_check(
    version: DatasetVersion, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "MOST_ROWS_WITHOUT_INDEX", 3)
    address = f"projects/{version.dataset.project.slug}"
    page = client_of(engineer).get(f"/{address}/data/{version.dataset_id}/v1/?search=hail").text
    assert "can be searched after its health check" in page
    path = f"{address}/datasets/{version.dataset_id}/versions/1/examples/?search=hail"
    assert "after its health check" in problem_in(program_of(engineer).get(path), 400)["message"]
    index_rows(version)
    assert [each["row_number"] for each in program_of(engineer).get(path).json()["results"]] == [1, 2]


def test_a_search_is_kept_from_split_to_split(version: DatasetVersion, engineer: User) -> None:
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/"
    browser = client_of(engineer)
    page = browser.get(address, {"search": "hail", "split": "validation"}).text
    assert "Is theft covered?" in page and "Is hail on the roof" not in page
    assert 'href="?split=&amp;search=hail"' in page
    assert "1 row matches." in page
    assert "match." not in browser.get(address).text
    assert "No row matches." in browser.get(address, {"search": "snow"}).text


def test_rows_are_filtered_by_their_fields_and_sorted_by_length(project: Project, engineer: User) -> None:
    dataset = create_dataset(project=project, name="Fields", by=engineer)
    rows = [
        ExampleRow(
            split="train", messages=[{"role": "user", "content": "Question?" + "!" * number}],
            references=["word " * (9 - number)], label="yes" if number % 2 else "no",
            metadata={"topic": "car" if number < 3 else "home", "2024": str(number)},
        )
        for number in range(6)
    ]  # fmt: skip
    create_version(dataset=dataset, rows=rows, by=engineer)
    browser = client_of(engineer)

    def numbers(**query: str) -> list[int]:
        address = f"/projects/{project.slug}/data/{dataset.pk}/v1/"
        return [row.row_number for row in browser.get(address, query).context["page"].rows]

    assert numbers(where="topic = home; label = yes") == [4, 6]
    assert numbers(where="2024 = 1, 2") == [2, 3]
    assert numbers(sort="longest_prompt") == [6, 5, 4, 3, 2, 1]
    assert numbers(sort="shortest_reference", where="topic=car") == [3, 2, 1]
    assert numbers(sort="longest_reference", search="question") == [1, 2, 3, 4, 5, 6]
    page = browser.get(f"/projects/{project.slug}/data/{dataset.pk}/v1/", {"where": "topic"}).text
    assert "“topic” is not a filter" in page
    path = f"projects/{project.slug}/datasets/{dataset.pk}/versions/1/examples/"
    found = program_of(engineer).get(f"{path}?where=topic%20%3D%20car").json()["results"]
    assert [row["row_number"] for row in found] == [1, 2, 3]
    problem_in(program_of(engineer).get(f"{path}?where=topic"), 400)
