"""Importing outputs: every bad row is told, and nothing half-done stays."""

import io

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.imports.problems import ImportProblemsError
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_imported
from evalapp.runs.generation.answers import ImportedAnswer, read_answers
from evalapp.runs.models import Output, Run
from evalapp.runs.services import import_outputs
from tests.factories import make_version


@pytest.fixture
def candidate(project: Project, engineer: User) -> ModelVersion:
    return register_imported(project=project, label="Elsewhere", by=engineer)


@pytest.fixture
def bring(project: Project, engineer: User, version: DatasetVersion, candidate: ModelVersion):
    def bring(content: bytes, name: str = "answers.jsonl") -> Run:
        return import_outputs(
            project=project,
            dataset_version=version,
            candidate=candidate,
            rows=read_answers(io.BytesIO(content), name),
            name="Brought",
            by=engineer,
        )

    return bring


def test_rows_and_prompts_find_their_examples(
    bring, version: DatasetVersion, candidate: ModelVersion
) -> None:
    run = bring(
        b'\xef\xbb\xbf{"row": 7, "text": "seven"}\n\n{"prompt": "test question 1", "output": "eight"}\r\n'
    )
    assert [(o.example.row_number, o.text) for o in run.outputs.order_by("example__row_number")] == [
        (7, "seven"),
        (8, "eight"),
    ]
    assert (run.kind, run.job.state, run.splits, run.rows["used"]) == ("import", "succeeded", ["test"], 2)


def test_a_csv_from_a_spreadsheet_is_read(bring) -> None:
    run = bring('\ufeffRow,Text\r\n7,"Two\r\nlines, one answer"\r\n8,plain\r\n'.encode(), "answers.csv")
    assert run.outputs.get(example__row_number=7).text == "Two\r\nlines, one answer"


def test_an_answer_longer_than_the_csv_modules_limit_is_read(bring) -> None:
    run = bring(f'row,text\n7,"{"a" * 150_000}"\n'.encode(), "answers.csv")
    assert len(run.outputs.get().text) == 150_000


def test_every_bad_row_is_told_and_nothing_is_stored(bring) -> None:
    content = b"""\
{"row": 7, "text": "good"}
{"row": 99, "text": "beyond"}
{"row": 8, "text": "  "}
{"text": "whose?"}
{"prompt": "never asked", "text": "x"}
{"row": 7, "text": "again"}
{"row": "x", "text": "no number"}
{"row": 9, "text": "nul \\u0000"}
{"row": 9, "text": "half \\ud800"}
{"row": 9, "text": 5}
{"row": 9, "row": 9, "text": "twice"}
{"row": 9, "text": NaN}
[1]
not json
"""
    with pytest.raises(ImportProblemsError) as caught:
        bring(content)
    told = {text.split(":")[0]: text for text in caught.value.problems}
    assert list(told) == [f"Line {number}" for number in range(2, 15)]
    assert "no row 99" in told["Line 2"]
    assert "empty" in told["Line 3"]
    assert "neither" in told["Line 4"]
    assert "is in no row" in told["Line 5"]
    assert "same example as Line 1" in told["Line 6"]
    assert "not a whole number" in told["Line 7"]
    assert "NUL" in told["Line 8"]
    assert "surrogate" in told["Line 9"]
    assert not Output.objects.exists()
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "a.jsonl", "is empty"),
        (b"row,text\n", "a.csv", "has no answers"),
        (b"x", "a.xlsx", "ends in .xlsx"),
        ("row,text\n7,é\n".encode("latin-1"), "a.csv", "not UTF-8"),
        (b'row,text\n7,"open', "a.csv", "A double quote is opened"),
        (b"row,text\n7,a,b\n", "a.csv", "The row has 3 cells, the header 2"),
        (b"row,text\n7,a\x00b\n", "a.csv", "NUL"),
        ('{"row": 7, "text": "é"}'.encode("utf-16"), "a.jsonl", "UTF-8"),
        (b'{"row": 7, "text": "' + b"a" * 5_000_000, "a.jsonl", "larger than"),
        (b'{"row":' + b"[" * 100_000, "a.jsonl", "nested too deeply"),
        (b"\x1f\x8b\x08rest", "a.jsonl", "compressed \\(gzip\\)"),
        (
            b'{"row": 1' + b"0" * 5_000 + b', "text": "x"}',
            "a.jsonl",
            "Line 1: The number 10+… has 5,001 digits",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_why(bring, content: bytes, name: str, said: str) -> None:
    with pytest.raises(ImportProblemsError, match=said):
        bring(content, name)
    assert not Run.objects.exists()


def test_an_ambiguous_prompt_asks_for_the_row(
    project: Project, engineer: User, candidate: ModelVersion
) -> None:
    from evalapp.datasets.services import create_dataset, create_version
    from tests.runs.conftest import rows_of

    dataset = create_dataset(project=project, name="Twins", by=engineer)
    version = create_version(dataset=dataset, rows=rows_of("test", 1) * 2, by=engineer)
    rows = [ImportedAnswer(text="x", prompt="test question 0")]
    with pytest.raises(ImportProblemsError, match="is in 2 rows"):
        import_outputs(
            project=project, dataset_version=version, candidate=candidate, rows=rows, name="x", by=engineer
        )


@pytest.fixture
def claims(project: Project) -> DatasetVersion:
    """Three rows with ids; row 1 is "c-1"."""
    return make_version(project, rows=3, train=0, metadata=lambda n: {"claim_id": f"c-{n}"})


@pytest.fixture
def bring_claims(project: Project, claims: DatasetVersion, candidate: ModelVersion):
    def bring(content: bytes, name: str = "answers.jsonl") -> dict[str, str]:
        rows = read_answers(io.BytesIO(content), name, id_field="claim_id")
        run = import_outputs(
            project=project, dataset_version=claims, candidate=candidate, rows=rows, name="Claims", by=None
        )
        return {output.example.metadata["claim_id"]: output.text for output in run.outputs.all()}

    return bring


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b'{"item": "c-3", "text": "three"}\n{"item": "c-1", "text": "one"}', "a.jsonl"),
        (b'{"claim_id": "c-3", "text": "three"}\n{"claim_id": "c-1", "row": 1, "text": "one"}', "a.jsonl"),
        (b"text,Claim_ID\nthree,c-3\none,c-1\n", "a.csv"),
    ],
)
def test_answers_in_any_order_find_their_rows_by_id(bring_claims, content: bytes, name: str) -> None:
    assert bring_claims(content, name) == {"c-1": "one", "c-3": "three"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"row": 1, "text": "by order"}', "only a row number, but the rows of .* have ids, in “claim_id”"),
        (b'{"item": "c-9", "text": "x"}', "no row of .* has 'c-9' as its claim_id"),
        (b'{"item": "c-1", "row": 2, "text": "x"}', "different rows"),
        (b'{"item": "c-1", "prompt": "Summarise portfolio 2.", "text": "x"}', "different rows"),
    ],
)
def test_an_answer_whose_row_is_not_certain_is_refused(bring_claims, line: bytes, said: str) -> None:
    with pytest.raises(ImportProblemsError, match=said):
        bring_claims(line)
    assert not Output.objects.exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"row": 1, "claim_number": "C-2", "text": "x"}', "claim_number 'C-2' and row 1.* different rows"),
        (
            b'{"claim_number": "C-1", "text": "x"}',
            "claim_number 'C-1' is in 2 rows of .*; give “row” as well",
        ),
        (b'{"claim_number": "C-1", "prompt": "Summarise portfolio 3.", "text": "x"}', "different rows"),
    ],
)
def test_a_column_that_several_rows_share_tells_that_another_row_is_meant(
    project: Project, candidate: ModelVersion, line: bytes, said: str
) -> None:
    """Rows 1 and 2 are of claim C-1, row 3 is of C-2."""
    version = make_version(project, rows=3, train=0, metadata=lambda n: {"claim_number": f"C-{(n + 1) // 2}"})

    def bring(content: bytes) -> Run:
        rows = read_answers(io.BytesIO(content), "a.jsonl", id_field="claim_number")
        return import_outputs(
            project=project, dataset_version=version, candidate=candidate, rows=rows, name="Claims", by=None
        )

    with pytest.raises(ImportProblemsError, match=said):
        bring(line)
    run = bring(
        b'{"row": 2, "claim_number": "C-1", "text": "two"}\n{"claim_number": "C-2", "text": "three"}\n'
        b'{"claim_number": "C-1", "prompt": "Summarise portfolio 1.", "text": "one"}'
    )
    assert {output.example.row_number: output.text for output in run.outputs.all()} == {
        1: "one", 2: "two", 3: "three",
    }  # fmt: skip


def test_an_item_of_rows_without_ids_is_refused(bring) -> None:
    with pytest.raises(ImportProblemsError, match="have no ids in their metadata"):
        bring(b'{"item": "c-1", "text": "x"}')


def test_any_metadata_field_can_name_the_rows_and_a_column_the_candidate(
    project: Project, candidate: ModelVersion
) -> None:
    version = make_version(project, rows=3, train=0, metadata=lambda n: {"id": "same", "headline": f"h {n}"})
    content = b"item;elsewhere;other\nh 3;three;no\nh 1;one;no\n"
    rows = read_answers(io.BytesIO(content), "wide.csv", id_field="headline", candidate=candidate.label)
    run = import_outputs(
        project=project,
        dataset_version=version,
        candidate=candidate,
        rows=rows,
        item_field="headline",
        name="Wide",
        by=None,
    )
    assert {output.example.row_number: output.text for output in run.outputs.all()} == {1: "one", 3: "three"}


def test_a_json_list_is_read_as_lines_are(bring) -> None:
    run = bring(b'[{"row": 7, "text": "seven"},\n {"row": 8, "text": "eight"}]', "answers.json")
    assert run.outputs.count() == 2


def test_the_same_problem_of_many_rows_is_told_once(bring) -> None:
    with pytest.raises(ImportProblemsError) as caught:
        bring(b"".join(b'{"row": %d, "text": "x"}\n' % row for row in range(900, 960)))
    (told,) = caught.value.fields["file"]
    assert told.startswith("60 rows like this: ") and told.endswith("(Line 1, Line 2, Line 3 and 57 more)")
    assert "has no row 900" in told


def test_a_file_whose_columns_are_other_candidates_says_which_it_has() -> None:
    file = io.BytesIO(b"item,base,tuned\nQ1,Stiff.,Warm.\n")
    (answer,) = read_answers(file, "answers.csv", candidate="Baseline")
    assert answer.problem == (
        "it has no “text” and no column called like the candidate, but “item”, “base”, “tuned”"
    )
    file.seek(0)
    (answer,) = read_answers(file, "answers.csv", candidate="base")
    assert (answer.problem, answer.text) == ("", "Stiff.")
