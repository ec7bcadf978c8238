import pytest
from django.db import IntegrityError, connection, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import Dataset, DatasetVersion, Example
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import SameContentError, create_dataset, create_version


def a_row(number: int = 1, **fields: object) -> ExampleRow:
    given = {"split": "train", "messages": [{"role": "user", "content": f"Question {number}?"}], **fields}
    return ExampleRow(**given)


def test_rows_are_stored_in_order_as_given(dataset: Dataset, engineer: User) -> None:
    odd = "tab\t newline\n return\r backslash \\ \\n \\N \\. é 漢 😀 'quote' \"double\""
    rows = [
        a_row(
            1,
            messages=[{"role": "system", "content": odd}, {"role": "user", "content": odd}],
            references=[odd, "second"],
            label=odd,
            context=odd,
            metadata={odd: odd, "n": 3, "f": 2.5, "t": True, "none": None, "list": [1, {"a": "b"}]},
            group_key=odd,
            provenance={"review": 7},
        ),
        a_row(2, split="test"),
    ]

    version = create_version(
        dataset=dataset, rows=iter(rows), by=engineer, note="first", source="made by hand"
    )

    stored = list(version.examples.order_by("row_number"))
    assert [
        ExampleRow(
            example.split,
            example.messages,
            example.references,
            example.label,
            example.context,
            example.metadata,
            example.group_key,
            example.provenance,
        )
        for example in stored
    ] == [rows[0], a_row(2, split="test", references=[])]
    assert (version.number, version.state, version.counts) == (1, "ready", {"train": 1, "test": 1})
    assert AuditEvent.objects.filter(action="dataset.version_created", object_id=version.pk).count() == 1


def test_versions_are_numbered_and_know_their_parent(dataset: Dataset, engineer: User) -> None:
    first = create_version(dataset=dataset, rows=[a_row(1)], by=engineer)
    second = create_version(dataset=dataset, rows=[a_row(1), a_row(2)], by=engineer, parent=first)

    assert (second.number, second.parent) == (2, first)
    assert first.examples.get().prompt_hash == second.examples.get(row_number=1).prompt_hash


def test_the_same_content_is_told_not_stored_twice(dataset: Dataset, engineer: User) -> None:
    first = create_version(dataset=dataset, rows=[a_row(1), a_row(2)], by=engineer)

    with pytest.raises(SameContentError, match="already has exactly these 2 rows") as caught:
        create_version(dataset=dataset, rows=[a_row(1), a_row(2)], by=engineer)

    assert caught.value.version == first
    assert dataset.versions.count() == 1
    assert create_version(dataset=dataset, rows=[a_row(2), a_row(1)], by=engineer).number == 2


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (a_row(split="exam"), "Row 3: split: “exam” is not a split."),
        (a_row(messages=[]), "messages: There is no prompt."),
        (a_row(messages=[{"role": "user", "content": "a\x00b"}]), r"messages\[1\].content: .*NUL"),
        (a_row(references=["\ud800"]), r"references\[1\]: .*surrogate"),
        (a_row(metadata={"x": float("nan")}), "metadata.x: The number is not finite"),
        (a_row(metadata={"x": 10**30}), "metadata.x: .*more than 18 digits"),
        (a_row(messages=[{"role": "assistant", "content": "a"}]), "user was expected"),
        (a_row(label="x" * 201), "label: The text has 201 characters"),
        (a_row(metadata={"x": object()}), "metadata.x: A object cannot be stored"),
    ],
)
def test_a_bad_row_is_named_and_nothing_is_stored(
    dataset: Dataset, engineer: User, row: ExampleRow, expected: str
) -> None:
    with pytest.raises(InvalidError, match=expected):
        create_version(dataset=dataset, rows=[a_row(1), a_row(2), row], by=engineer)

    assert not DatasetVersion.objects.exists()
    assert not Example.objects.exists()


def test_no_rows_is_an_error(dataset: Dataset, engineer: User) -> None:
    with pytest.raises(InvalidError, match="no rows to store"):
        create_version(dataset=dataset, rows=[], by=engineer)


def test_a_name_is_taken_once_per_project(dataset: Dataset, other_project: Project, engineer: User) -> None:
    with pytest.raises(ConflictError, match="already has a dataset named “Summaries”"):
        create_dataset(project=dataset.project, name=" Summaries ", by=engineer)
    assert create_dataset(project=other_project, name="Summaries", by=engineer)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE evalapp_example SET context = 'changed'",
        "UPDATE evalapp_datasetversion SET counts = '{}'",
        "UPDATE evalapp_datasetversion SET content_hash = 'changed'",
        "UPDATE evalapp_datasetversion SET state = 'importing'",
        """INSERT INTO evalapp_example (version_id, row_number, split, messages, "references", label, context,
           metadata, group_key, prompt_hash, content_hash, provenance, pairs, rated)
           SELECT version_id, 9, split, messages, "references", label, context, metadata, group_key,
           prompt_hash, content_hash, provenance, pairs, rated FROM evalapp_example""",
    ],
)
def test_the_database_refuses_to_change_a_ready_version(
    dataset: Dataset, engineer: User, statement: str
) -> None:
    create_version(dataset=dataset, rows=[a_row(1)], by=engineer)

    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_project_with_data_can_still_be_deleted(dataset: Dataset, engineer: User) -> None:
    create_version(dataset=dataset, rows=[a_row(1)], by=engineer)

    dataset.project.delete()

    assert not Example.objects.exists()
