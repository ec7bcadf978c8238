"""Scores reach the outputs of the rows that they name, whatever the order of their file."""

import io
import json
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.imports.problems import ImportProblemsError
from evalapp.runs.models import Run
from evalapp.scoring.external import StoredScores, create_external_metric, store_scores
from evalapp.scoring.external_rows import read_scores
from evalapp.scoring.models import ExternalMetric, MetricResult
from evalapp.scoring.score_join import item_field_of_run, labels_of
from tests.api.conftest import program_of
from tests.cast import client_of
from tests.factories import make_candidates, make_outputs, make_version

pytestmark = pytest.mark.django_db

ROWS = 12


def run_of(project: Project, metadata: Callable[[int], Mapping[str, Any]]) -> Run:
    version = make_version(project, rows=ROWS, metadata=metadata)
    formal, plain = make_candidates(project, ["formal", "plain"])
    return make_outputs(version, {formal: "Formal {n}.", plain: "Plain {n}."})


@pytest.fixture
def run(project: Project) -> Run:
    return run_of(project, lambda number: {"item": f"client-{number}", "segment": f"segment {number % 2}"})


@pytest.fixture
def metric(project: Project) -> ExternalMetric:
    return create_external_metric(project=project, name="Helpfulness", better="higher", by=None)


def store(
    metric: ExternalMetric, run: Run | None, content: str, *, item_field: str = "", name: str = "s.csv"
) -> StoredScores:
    field = item_field_of_run(run, item_field)
    file = io.BytesIO(content.encode())
    scores = read_scores(file, name, item_field=field, candidates=labels_of(run))
    return store_scores(metric=metric, scores=scores, run=run, item_field=field, by=None)


def refusals(metric: ExternalMetric, run: Run, content: str, **options: Any) -> list[str]:
    with pytest.raises(ImportProblemsError) as told:
        store(metric, run, content, **options)
    assert not MetricResult.objects.exists()
    return told.value.problems


def shuffled(lines: list[str], header: str) -> str:
    """A file whose order has nothing to do with the rows'."""
    random.Random(3).shuffle(lines)
    return "\n".join([header, *lines]) + "\n"


def by_row_and_label(metric: ExternalMetric) -> dict[tuple[int, str], float | None]:
    results = MetricResult.objects.filter(metric=metric.metric)
    return {
        (each.output.example.row_number, each.output.candidate.label): each.value
        for each in results.select_related("output__example", "output__candidate")
    }


WANTED = {
    (row, label): row + 0.5 * (label == "plain")
    for row in range(1, ROWS + 1)
    for label in ("formal", "plain")
}


def test_a_file_of_another_order_is_joined_by_item(metric: ExternalMetric, run: Run) -> None:
    lines = [f"client-{row},{label},{value}" for (row, label), value in WANTED.items()]
    stored = store(metric, run, shuffled(lines, "item,candidate,value"))
    assert by_row_and_label(metric) == WANTED
    assert (stored.joined_by, stored.without_score) == ({"item": 2 * ROWS}, 0)


def test_order_alone_is_refused_where_rows_have_ids(metric: ExternalMetric, run: Run) -> None:
    # As a file of its own order: its first line is not the first row.
    lines = [f"{number},formal,{number}" for number in range(1, ROWS + 1)]
    (told,) = refusals(metric, run, "\n".join(["row,candidate,value", *lines]) + "\n")
    assert told.startswith("Row 2: gives only a row number, but the rows of “Answers” have ids, in “item”")


def test_a_row_number_beside_the_item_must_be_true(metric: ExternalMetric, run: Run) -> None:
    good, bad = "client-3,3,formal,0.5", "client-4,5,formal,0.5"
    told = refusals(metric, run, f"item,row,candidate,value\n{good}\n{bad}\n")
    assert told == [
        (
            "Row 3: says row '5', but the row of its output is '4'; correct the line, or leave the wrong "
            "column out."
        )
    ]
    pk = run.outputs.get(example__row_number=3, candidate__label="formal").pk
    told = refusals(metric, run, f"output,item,value\n{pk},client-4,0.5\n")
    assert told[0].startswith("Row 2: says item 'client-4', but the item of its output is 'client-3'")


@pytest.mark.parametrize(
    ("ids", "column", "item_field"),
    [
        (lambda number: {"id": 100 - number}, "id", ""),
        (lambda number: {"id": 100 - number}, "item", ""),
        (lambda number: {"segment": "all", "question_id": str(100 - number)}, "question_id", ""),
        (lambda number: {"Headline": str(100 - number)}, "Headline", "Headline"),
        (lambda number: {"item": "same", "headline": str(100 - number)}, "item", "headline"),
    ],
)
def test_any_metadata_field_can_join(
    project: Project,
    metric: ExternalMetric,
    ids: Callable[[int], Mapping[str, Any]],
    column: str,
    item_field: str,
) -> None:
    run = run_of(project, ids)
    lines = [f"{100 - row},{label},{value}" for (row, label), value in WANTED.items()]
    store(metric, run, shuffled(lines, f"{column},candidate,value"), item_field=item_field)
    assert by_row_and_label(metric) == WANTED


@pytest.mark.parametrize("name", ["s.csv", "s.jsonl", "s.json"])
def test_a_file_may_have_a_column_for_each_candidate(metric: ExternalMetric, run: Run, name: str) -> None:
    rows = [
        {"item": f"client-{row}", "plain": WANTED[row, "plain"], "formal": WANTED[row, "formal"], "note": ""}
        for row in range(ROWS, 0, -1)
    ]
    content = "\n".join(map(json.dumps, rows)) if name == "s.jsonl" else json.dumps(rows)
    if name == "s.csv":
        content = "\n".join([";".join(rows[0]), *(";".join(map(str, row.values())) for row in rows)])
    stored = store(metric, run, content, name=name)
    assert by_row_and_label(metric) == WANTED
    assert stored.joined_by == {"item": 2 * ROWS}
    told = refusals_of_the_same(metric, run, "item,plain,other\nclient-99,0.5,1\n")
    assert told == [
        "Row 2, plain: plain has no output of sample 0 for a row whose item is 'client-99' in “Answers”."
    ]


def refusals_of_the_same(metric: ExternalMetric, run: Run, content: str) -> list[str]:
    with pytest.raises(ImportProblemsError) as told:
        store(metric, run, content)
    return told.value.problems


def test_a_column_that_several_rows_share_tells_that_another_row_is_meant(
    project: Project, metric: ExternalMetric
) -> None:
    run = run_of(project, lambda number: {"claim_number": f"C-{(number + 1) // 2}"})
    told = refusals(metric, run, "row,claim_number,candidate,value\n1,C-2,plain,0.5\n")
    assert "says claim_number 'C-2', but the claim_number of its output is 'C-1'" in told[0]
    told = refusals(metric, run, "claim_number,candidate,value\nC-1,plain,0.5\n")
    assert "2 rows have the claim_number 'C-1'" in told[0]
    store(metric, run, "row,claim_number,candidate,value\n2,C-1,plain,0.5\n")
    assert by_row_and_label(metric) == {(2, "plain"): 0.5}


def test_ids_of_json_lines_are_numbers_as_well(project: Project, metric: ExternalMetric) -> None:
    run = run_of(project, lambda number: {"id": 100 - number})
    lines = [
        json.dumps({"id": 100 - row, "candidate": label, "value": value})
        for (row, label), value in WANTED.items()
    ]
    store(metric, run, "\n".join(lines), name="s.jsonl")
    assert by_row_and_label(metric) == WANTED
    (told,) = store_problems(metric, run, '{"id": 1, "item": 2, "candidate": "plain", "value": 1}\n')
    assert told == "Line 1: “id” and “item” both name the item; keep one."


def store_problems(metric: ExternalMetric, run: Run, content: str) -> list[str]:
    with pytest.raises(ImportProblemsError) as told:
        store(metric, run, content, name="s.jsonl")
    return told.value.problems


def test_rows_without_ids_are_joined_by_number(project: Project, metric: ExternalMetric) -> None:
    # "age" differs in every row, yet is no id.
    run = run_of(project, lambda number: {"age": 20 + number})
    stored = store(metric, run, "row,candidate,value\n2,plain,0.25\n")
    assert by_row_and_label(metric) == {(2, "plain"): 0.25}
    assert (stored.joined_by, stored.without_score) == ({"row number": 1}, 2 * ROWS - 1)


def test_what_names_no_row_or_several_is_told(metric: ExternalMetric, run: Run) -> None:
    assert refusals(metric, run, "item,candidate,value\nclient-99,formal,1\n") == [
        "Row 2: formal has no output of sample 0 for a row whose item is 'client-99' in “Answers”."
    ]
    (told,) = refusals(metric, run, "segment,candidate,value\nsegment 1,formal,1\n", item_field="segment")
    assert told.startswith(f"Row 2: {ROWS // 2} rows have the segment 'segment 1', so it is ambiguous")
    with pytest.raises(InvalidError) as refused:
        item_field_of_run(run, "headline")
    assert "Its first row has: item, segment." in refused.value.fields["item_field"][0]


def test_the_page_shows_what_would_be_joined_and_stores_nothing(
    project: Project, metric: ExternalMetric, run: Run, engineer: User
) -> None:
    browser = client_of(engineer)
    address = reverse("external_metric", args=[project.slug, metric.pk])

    def check(content: str) -> str:
        file = SimpleUploadedFile("s.csv", content.encode())
        answer = browser.post(address, {"file": file, "run": run.pk, "action": "check"})
        # Else the script would not put it into the page.
        assert answer.status_code == 200
        assert not MetricResult.objects.exists()
        return answer.text

    page = check("item,candidate,value\nclient-7,plain,0.25\nclient-99,plain,0.5\n")
    assert "<dt>Joined by item</dt><dd>1</dd>" in page
    assert f"<dt>Outputs of the run without a score</dt><dd>{2 * ROWS - 1}</dd>" in page
    assert "Plain 7." in page
    assert "1 line cannot be used, so nothing would be stored." in page
    assert "whose item is &#x27;client-99&#x27;" in page
    assert "gives only a row number" in check("row,candidate,value\n7,plain,0.25\n")
    assert "No column is named “value”" in check("item,worth\nclient-7,1\n")

    file = SimpleUploadedFile("s.csv", b"item,candidate,value\nclient-7,plain,0.25\n")
    answer = browser.post(address, {"file": file, "run": run.pk}, follow=True)
    assert f"joined: 1 by item. {2 * ROWS - 1} outputs of the run have no score in this file." in answer.text
    assert by_row_and_label(metric) == {(7, "plain"): 0.25}


def test_a_program_checks_and_stores_by_item(
    project: Project, metric: ExternalMetric, run: Run, engineer: User
) -> None:
    program = program_of(engineer)
    address = f"/api/v1/projects/{project.slug}/external-metrics/{metric.pk}/scores/"
    scores = [
        {"item": "client-7", "candidate": "plain", "value": 0.25},
        {"item": "client-99", "candidate": "plain", "value": 0.5},
    ]
    answer = program.post(address, {"run": run.pk, "scores": scores, "checks_only": True})
    assert answer.status_code == 200, answer.text
    assert answer.json() == {
        "added": 1,
        "changed": 0,
        "unchanged": 0,
        "joined_by": {"item": 1},
        "without_score": 2 * ROWS - 1,
        "problems": [
            "scores.1: plain has no output of sample 0 for a row whose item is 'client-99' in “Answers”."
        ],
    }
    assert program.post(address, {"run": run.pk, "scores": scores}).status_code == 400
    by_number = [{"row": 7, "candidate": "plain", "value": 0.25}]
    answer = program.post(address, {"run": run.pk, "scores": by_number})
    assert answer.status_code == 400
    assert "gives only a row number" in answer.text
    assert not MetricResult.objects.exists()
    assert program.post(address, {"run": run.pk, "scores": scores[:1]}).json()["problems"] == []
    assert by_row_and_label(metric) == {(7, "plain"): 0.25}
