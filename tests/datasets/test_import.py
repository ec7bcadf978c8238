"""From an uploaded file to a version: the services and the job, on the real database."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.importing import MOST_STORED_ERRORS, preview
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion, Example
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.services import receive_upload, start_import
from evalapp.datasets.tasks import import_dataset
from evalapp.imports.flow import discard
from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import request_cancel
from tests.cast import client_of
from tests.datasets.files import jsonl, question, questions, upload

pytestmark = pytest.mark.usefixtures("uploads")


def carried_out(
    dataset: Dataset, by: User, content: bytes, name: str = "rows.jsonl", **changes: Any
) -> tuple[DatasetImport, Job]:
    received = receive_upload(dataset=dataset, upload=upload(content, name), by=by)
    options = replace(ImportOptions(**received.options), **changes)
    job = start_import(dataset_import=received, options=options, by=by)
    import_dataset(job.pk)
    job.refresh_from_db()
    received.refresh_from_db()
    return received, job


def test_a_thousand_rows_become_a_version(dataset: Dataset, engineer: User, uploads: Path) -> None:
    content = questions(range(900)) + questions(range(900, 1000), split="test")

    received, job = carried_out(dataset, engineer, content, note="first")

    version = received.version
    assert job.state == JobState.SUCCEEDED
    assert job.result == {"dataset_version": version.pk, "rows": 1000, "skipped_rows": 0}
    assert (version.number, version.counts, version.note) == (1, {"train": 900, "test": 100}, "first")
    assert (version.source, version.job) == ("rows.jsonl", job)
    assert list(version.examples.order_by("row_number").values_list("row_number", flat=True)) == list(
        range(1, 1001)
    )
    assert list(uploads.iterdir()) == []


@pytest.mark.parametrize(("name", "text"), [
    ("rows.jsonl", '{"prompt": "Übernimmt die Kasse das für 5 €?", "completion": "“Nein”, größtenteils."}\n'),
    ("rows.csv", "prompt;reference\nÜbernimmt die Kasse das für 5 €?;“Nein”, größtenteils.\n"),
])  # fmt: skip
def test_a_file_as_a_spreadsheet_saves_it_is_read(
    dataset: Dataset, engineer: User, name: str, text: str
) -> None:
    record = receive_upload(dataset=dataset, upload=upload(text.encode("cp1252"), name), by=engineer)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/imports/{record.pk}/"
    page = client_of(engineer).get(address).text
    assert "is read as Windows-1252" in page and "Übernimmt die Kasse das für 5 €?" in page
    received, _ = carried_out(dataset, engineer, text.encode("cp1252"), name)
    assert received.version is not None and received.version.examples.get().references == [
        "“Nein”, größtenteils."
    ]
    record = receive_upload(dataset=dataset, upload=upload(text.encode(), name), by=engineer)
    assert record.options["encoding"] == ""


def test_a_damaged_file_is_not_taken_for_another_encoding(dataset: Dataset, engineer: User) -> None:
    damaged = questions(range(2)) + '{"prompt": "Größe'.encode() + b'\xe9?", "completion": "Ja"}\n'
    record = receive_upload(dataset=dataset, upload=upload(damaged), by=engineer)
    assert record.options["encoding"] == ""
    assert "0xE9" in str(preview(record, ImportOptions(**record.options)).readings[2].problems)


def test_ids_that_rows_repeat_are_told_before_and_after(dataset: Dataset, engineer: User) -> None:
    rows = jsonl(*(question(number, metadata={"id": f"P-{number // 2}"}) for number in range(5)))
    record = receive_upload(dataset=dataset, upload=upload(rows), by=engineer)
    told = "2 rows have the “id” of an earlier row."
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/imports/{record.pk}/"
    assert told in client_of(engineer).get(address).text
    received, job = carried_out(dataset, engineer, rows)
    assert received.version is not None and received.version.counts == {"train": 5}
    assert any(event.text.startswith(told) for event in job.events.all())
    single = receive_upload(dataset=dataset, upload=upload(questions(range(3))), by=engineer)
    assert preview(single, ImportOptions(**single.options)).repeated == ""


def test_a_bad_row_stops_everything_and_all_errors_are_listed(dataset: Dataset, engineer: User) -> None:
    content = (
        questions(range(3))
        + b'{"prompt": "cut\n'
        + questions([5])
        + jsonl({"prompt": "", "references": [""], "split": "train"})
    )

    received, job = carried_out(dataset, engineer, content)

    assert job.state == JobState.FAILED
    assert "2 of 6 rows cannot be used, so nothing was imported. The first is row 4: Not JSON" in job.error
    assert (received.rows_read, received.bad_rows, received.errors_found) == (6, 2, 3)
    assert [(error["row"], error["field"]) for error in received.row_errors] == [
        (4, "row"),
        (6, "prompt"),
        (6, "references[1]"),
    ]
    assert all(error["problem"] and error["fix"] for error in received.row_errors)
    assert not DatasetVersion.objects.exists()
    assert not Example.objects.exists()


def test_the_same_upload_can_then_be_imported_without_its_bad_rows(dataset: Dataset, engineer: User) -> None:
    received, _ = carried_out(dataset, engineer, questions(range(3)) + b"{\n" + questions([4]))

    options = replace(ImportOptions(**received.options), skips_invalid=True)
    job = start_import(dataset_import=received, options=options, by=engineer)
    import_dataset(job.pk)

    version = DatasetVersion.objects.get()
    assert (version.counts, version.skipped_rows) == ({"train": 4}, 1)


def test_errors_beyond_the_cap_are_counted(dataset: Dataset, engineer: User) -> None:
    received, _ = carried_out(dataset, engineer, questions([1]) + b"{\n" * (MOST_STORED_ERRORS + 5))

    assert len(received.row_errors) == MOST_STORED_ERRORS
    assert received.errors_found == MOST_STORED_ERRORS + 5


def test_the_same_content_again_is_told(dataset: Dataset, engineer: User) -> None:
    carried_out(dataset, engineer, questions(range(3)))

    received, job = carried_out(dataset, engineer, questions(range(3)), name="again.jsonl")

    assert job.state == JobState.FAILED
    assert "Summaries v1 already has exactly these 3 rows" in job.error
    assert received.version is None
    assert dataset.versions.count() == 1


def test_a_message_delivered_twice_imports_once(dataset: Dataset, engineer: User) -> None:
    _received, job = carried_out(dataset, engineer, questions(range(3)))

    import_dataset(job.pk)

    assert dataset.versions.count() == 1
    assert Example.objects.count() == 3


def test_an_attempt_after_a_commit_that_was_not_reported_makes_no_second_version(
    dataset: Dataset, engineer: User
) -> None:
    _received, job = carried_out(dataset, engineer, questions(range(3)))
    Job.objects.filter(pk=job.pk).update(state=JobState.QUEUED, finished_at=None)

    import_dataset(job.pk)

    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert dataset.versions.count() == 1


def test_shares_put_whole_groups_into_splits(dataset: Dataset, engineer: User) -> None:
    rows = [question(number, group=f"client {number % 40}") for number in range(400)]
    shares = {"train": 50, "validation": 0, "test": 25, "feedback": 25}

    received, _ = carried_out(dataset, engineer, jsonl(*rows), shares=shares, seed=7)

    found: dict[str, set[str]] = {}
    for group, split in received.version.examples.values_list("group_key", "split"):
        found.setdefault(group, set()).add(split)
    assert {len(splits) for splits in found.values()} == {1}
    assert set(received.version.counts) == {"train", "test", "feedback"}


def test_a_csv_file_is_imported_by_its_mapping(dataset: Dataset, engineer: User) -> None:
    content = b"question;answer;segment;split\nWhat?;This.;new;train\nWho?;Me.;old;test\n"

    received, job = carried_out(dataset, engineer, content, name="rows.csv")

    assert job.error == ""
    assert received.options["mapping"] == [
        ["question", "prompt"],
        ["answer", "reference"],
        ["segment", "metadata"],
        ["split", "split"],
    ]
    first = received.version.examples.get(row_number=1)
    assert (first.prompt_text, first.references, first.metadata) == ("What?", ["This."], {"segment": "new"})


def test_the_preview_shows_the_first_rows_as_they_would_be_stored(dataset: Dataset, engineer: User) -> None:
    received = receive_upload(dataset=dataset, upload=upload(questions(range(50)) + b"{"), by=engineer)

    shown = preview(received, ImportOptions(**received.options))

    assert [reading.number for reading in shown.readings] == list(range(1, 9))
    assert shown.readings[0].row.references == ["Answer 0."]
    assert (sum(shown.counts.values()), shown.bad) == (50, 1)


OWN_NAMES = [
    {"id": "c1", "question": "Is hail covered?", "answer": "Yes.", "client": "A", "urgent": True},
    {"id": "c2", "question": "Is theft covered?", "answer": ["Yes.", "It is."], "client": "A", "extra": 3},
    {"id": "c3", "question": "Is rent covered?", "answer": None, "client": 7},
]


@pytest.mark.parametrize("is_list", [False, True])
def test_objects_with_names_of_their_own_are_mapped_as_columns_are(
    dataset: Dataset, engineer: User, is_list: bool
) -> None:
    content = json.dumps(OWN_NAMES).encode() if is_list else jsonl(*OWN_NAMES)

    received, job = carried_out(dataset, engineer, content, name="rows.json")

    assert job.error == ""
    uses = {"id": "metadata", "question": "prompt", "answer": "reference", "client": "group"}
    assert dict(received.options["mapping"]) == {**uses, "urgent": "metadata"}
    found = [
        (each.prompt_text, each.references, each.group_key, each.metadata)
        for each in received.version.examples.order_by("row_number")
    ]
    assert found == [
        ("Is hail covered?", ["Yes."], "A", {"id": "c1", "urgent": True}),
        ("Is theft covered?", ["Yes.", "It is."], "A", {"id": "c2", "extra": 3}),
        ("Is rent covered?", [], "7", {"id": "c3"}),
    ]


def test_a_mapped_field_is_called_as_in_the_file(dataset: Dataset, engineer: User) -> None:
    content = jsonl(OWN_NAMES[0], {"question": " ", "answer": 7}, {"answer": "Yes."})
    received, job = carried_out(dataset, engineer, content)
    assert "2 of 3 rows cannot be used" in job.error
    assert {(error["row"], error["field"]) for error in received.row_errors} >= {
        (2, "question"),
        (2, "answer"),
    }


def test_what_is_mapped_needs_a_prompt(dataset: Dataset, engineer: User) -> None:
    content = jsonl({"kysymys": "Onko raesade vakuutettu?", "vastaus": "Ja."})
    received = receive_upload(dataset=dataset, upload=upload(content), by=engineer)
    options = ImportOptions(**received.options)
    assert options.mapping == {"kysymys": "metadata", "vastaus": "metadata"}
    with pytest.raises(InvalidError, match="Choose the column with the prompt"):
        start_import(dataset_import=received, options=options, by=engineer)
    chosen = replace(options, mapping={"kysymys": "prompt", "vastaus": "reference"})
    job = start_import(dataset_import=received, options=chosen, by=engineer)
    import_dataset(job.pk)
    assert dataset.versions.get().examples.get().references == ["Ja."]


def test_german_and_french_names_are_known(dataset: Dataset, engineer: User) -> None:
    content = jsonl({"Frage": "Ist Hagel versichert?", "Réponse": "Oui.", "Kunde": "7"})
    received = receive_upload(dataset=dataset, upload=upload(content), by=engineer)
    assert dict(received.options["mapping"]) == {"Frage": "prompt", "Réponse": "reference", "Kunde": "group"}


def test_the_page_offers_the_fields_of_objects(dataset: Dataset, engineer: User) -> None:
    received = receive_upload(dataset=dataset, upload=upload(jsonl(*OWN_NAMES)), by=engineer)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/imports/{received.pk}/"
    page = client_of(engineer).get(address).text
    assert "Fields</h2>" in page and "Is hail covered? · Is theft covered?" in page
    assert "Columns are separated by" not in page and "Field with the group" not in page
    known = receive_upload(dataset=dataset, upload=upload(jsonl(question(1))), by=engineer)
    assert known.options["mapping"] == []


def test_the_page_says_how_many_rows_each_split_gets_before_the_import(
    dataset: Dataset, engineer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = jsonl(*({"prompt": f"Question {number}?", "completion": "Yes."} for number in range(12)))
    received = receive_upload(dataset=dataset, upload=upload(content), by=engineer)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/imports/{received.pk}/"
    page = client_of(engineer).get(address).text
    found = re.search(r"Rows: (\d+) training, (\d+) validation, (\d+) test", page)
    assert found is not None and sum(map(int, found.groups())) <= 12
    shares = {f"share_{split}": "0" for split in ("validation", "test", "feedback")}
    sent = {"action": "preview", "split_by": "shares", "share_train": "1", "seed": "1", **shares}
    page = client_of(engineer).post(address, sent).text
    assert "Rows: 12 training, 0 validation" in page and "No row is left for the test split" in page
    job = start_import(dataset_import=received, options=ImportOptions(**received.options), by=engineer)
    import_dataset(job.pk)
    stored = received.dataset.versions.get().counts
    assert [stored.get(split, 0) for split in ("train", "validation", "test")] == list(
        map(int, found.groups())
    )
    monkeypatch.setattr("evalapp.datasets.importing.MOST_COUNTED_BYTES", 100)
    again = receive_upload(dataset=dataset, upload=upload(content), by=engineer)
    assert preview(again, ImportOptions(**again.options)).counts is None


def test_a_file_whose_rows_name_no_split_starts_with_shares(dataset: Dataset, engineer: User) -> None:
    content = jsonl({"prompt": "Q", "completion": "A"})

    received = receive_upload(dataset=dataset, upload=upload(content), by=engineer)

    assert received.options["shares"] == {"train": 85, "validation": 5, "test": 5, "feedback": 5}


GZIP = b"\x1f\x8b\x08\x00" + b"\x00" * 100


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.xlsx", b"PK\x03\x04" + b"x" * 50, "ends in .xlsx. Upload one of .jsonl"),
        ("rows", b"{}", "has no ending"),
        ("rows.jsonl.gz", GZIP, "ends in .gz"),
        ("rows.jsonl", GZIP, "compressed (gzip). Unpack it"),
        ("rows.csv", b"PK\x03\x04" + b"x" * 50, "zip file or an Excel workbook"),
        ("rows.jsonl", b"PAR1" + b"x" * 50, "Parquet"),
        ("rows.jsonl", "\ufeff{}".encode("utf-16-le"), "UTF-16. Save it as UTF-8"),
        ("rows.csv", "a,b\n1,2\n".encode("utf-16-be"), "UTF-16 or binary"),
        ("rows.jsonl", b"  \n \n", "The file is empty"),
        ("rows.jsonl", b"prompt,answer\n", "not a JSON object"),
        ("rows.csv", b'{"prompt": "Q"}\n', "is JSON, not CSV"),
        ("rows.csv", b"a,a\n1,2\n", "Two columns are named “a”"),
    ],
)
def test_a_file_of_the_wrong_kind_is_told_what_it_is(
    dataset: Dataset, engineer: User, uploads: Path, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidError) as caught:
        receive_upload(dataset=dataset, upload=upload(content, name), by=engineer)

    assert message in caught.value.message
    assert list(uploads.iterdir()) == []
    assert not DatasetImport.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mapping": {"a": "reference"}}, "mapping"),
        ({"mapping": {"a": "prompt", "b": "prompt"}}, "mapping"),
        ({"mapping": {"a": "prompt"}, "shares": None}, "split_by"),
        ({"delimiter": "xx"}, "delimiter"),
        ({"shares": {"train": 0}}, "shares"),
        ({"shares": {"exam": 1}}, "shares"),
        ({"shares": {"train": float("nan")}}, "shares"),
        ({"note": "a\x00b"}, "note"),
    ],
)
def test_options_that_cannot_be_used_are_told(
    dataset: Dataset, engineer: User, changes: dict[str, Any], field: str
) -> None:
    received = receive_upload(dataset=dataset, upload=upload(b"a,b\n1,2\n", "rows.csv"), by=engineer)
    given = {"mapping": {"a": "prompt", "b": "reference"}, "shares": {"train": 1}, **changes}

    with pytest.raises(InvalidError) as caught:
        start_import(
            dataset_import=received, options=replace(ImportOptions(**received.options), **given), by=engineer
        )

    assert list(caught.value.fields) == [field]
    assert not Job.objects.exists()


def test_an_import_is_started_once_at_a_time_and_discarded_when_it_is_not_running(
    dataset: Dataset, engineer: User, uploads: Path, django_capture_on_commit_callbacks: Any
) -> None:
    received = receive_upload(dataset=dataset, upload=upload(questions([1])), by=engineer)
    options = ImportOptions(**received.options)
    job = start_import(dataset_import=received, options=options, by=engineer)

    with pytest.raises(ConflictError, match="running already"):
        start_import(dataset_import=received, options=options, by=engineer)
    with pytest.raises(ConflictError, match="cancel it first"):
        discard(received, by=engineer)
    request_cancel(job=job, by=engineer)
    with django_capture_on_commit_callbacks(execute=True):
        discard(received, by=engineer)

    assert list(uploads.iterdir()) == []
    assert not DatasetImport.objects.exists()


def test_a_file_that_has_gone_fails_with_a_sentence(dataset: Dataset, engineer: User, uploads: Path) -> None:
    received = receive_upload(dataset=dataset, upload=upload(questions([1])), by=engineer)
    job = start_import(dataset_import=received, options=ImportOptions(**received.options), by=engineer)
    (uploads / received.stored_name).unlink()

    import_dataset(job.pk)

    job.refresh_from_db()
    assert (job.state, job.error) == (
        JobState.FAILED,
        "The uploaded file was removed. Upload it again.",
    )
