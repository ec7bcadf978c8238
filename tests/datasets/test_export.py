"""A version as a file, and back: JSON Lines, CSV, Parquet and the folder of Hugging Face `datasets`."""

import csv
import io
import json
import re
import tracemalloc
import zipfile
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError, NotAllowedError
from evalapp.datasets.exporting import FileFormat, exported
from evalapp.datasets.importing import PREVIEW_ROWS, preview
from evalapp.datasets.models import Dataset, DatasetVersion
from evalapp.datasets.options import ImportOptions
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version, receive_upload, start_import
from evalapp.datasets.tasks import import_dataset
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of

pytestmark = pytest.mark.django_db

ROWS = [
    ExampleRow(
        "train",
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Is hail covered? \U0001f642"},
        ],
        ["Yes.", "It is."],
        label="hail",
        context="Policy 7",
        metadata={"id": "a", "n": 1, "deep": {"x": [1, None]}},
        group_key="g1",
    ),
    ExampleRow(
        "train",
        [{"role": "user", "content": 'Who pays?\n"You"'}],
        metadata={"id": "b", "name": "Élodie"},
        pairs=[{"chosen": "We do.", "rejected": "You."}],
        rated=[{"answer": "Nobody.", "good": False}],
    ),
    ExampleRow("validation", [{"role": "user", "content": "Where?"}], ["There."], metadata={"id": "c"}),
    ExampleRow("test", [{"role": "user", "content": "A secret question?"}], ["A secret."]),
]


DOWNLOAD = re.compile(r'href="([^"]*/export/[^"]*)"')


@pytest.fixture
def version(dataset: Dataset, engineer: User) -> DatasetVersion:
    return create_version(dataset=dataset, rows=ROWS, by=engineer, note="First round")


def content_of(version: DatasetVersion, file_format: str, split: str = "") -> bytes:
    return b"".join(exported(version, file_format, split).chunks)


def imported(project: Project, name: str, content: bytes, by: User, **options: Any) -> DatasetVersion:
    dataset = create_dataset(project=project, name=f"Again {name}", by=by)
    upload = receive_upload(dataset=dataset, upload=SimpleUploadedFile(name, content), by=by)
    chosen = ImportOptions(**{**upload.options, "shares": None, "split_field": "split", **options})
    job = start_import(dataset_import=upload, options=chosen, by=by)
    import_dataset(job.pk)
    upload.refresh_from_db()
    job.refresh_from_db()
    assert upload.version is not None, job.error
    return upload.version


def hashes(version: DatasetVersion) -> list[str]:
    return sorted(version.examples.exclude(split="test").values_list("content_hash", flat=True))


@pytest.mark.parametrize(
    ("file_format", "name"), [("jsonl", "rows.jsonl"), ("parquet", "rows.parquet"), ("hf", "rows.zip")]
)
def test_what_is_exported_is_imported_as_the_same_rows(
    version: DatasetVersion, project: Project, engineer: User, uploads: Path, file_format: str, name: str
) -> None:
    again = imported(project, name, content_of(version, file_format), engineer)
    assert hashes(again) == hashes(version) and len(hashes(again)) == 3


def test_parquet_has_a_column_for_each_field(version: DatasetVersion) -> None:
    table = pq.read_table(io.BytesIO(content_of(version, "parquet")))
    rows = table.to_pylist()
    assert rows[0]["messages"][1] == {"role": "user", "content": "Is hail covered? \U0001f642"}
    assert rows[0]["references"] == ["Yes.", "It is."] and rows[1]["pairs"][0]["chosen"] == "We do."
    assert json.loads(rows[0]["metadata"])["deep"] == {"x": [1, None]}
    assert b"secret" not in content_of(version, "parquet")


def test_parquet_has_odd_texts_as_they_are(dataset: Dataset, engineer: User) -> None:
    texts = ["a\u2028b\nc\r\nd\t\x07", '"\\" \\u0041 {"a": [1]}', "\U0001f642\u202ea\u0301", "x" * 300_000,
             "2026-01-01T00:00:00Z", "12345678901234567890", "true", "null", "NaN", "[]"]  # fmt: skip
    rows = [
        ExampleRow(
            "train",
            [{"role": "user", "content": f"{number} {text}"}],
            [text],
            context=text,
            metadata={"text": text, "number": 10**15, "nothing": None},
            pairs=[{"chosen": text, "rejected": "No."}],
            rated=[{"answer": text, "good": number % 2 == 0}],
        )
        for number, text in enumerate(texts)
    ]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    found = pq.read_table(io.BytesIO(content_of(version, "parquet"))).to_pylist()
    stored = version.examples.order_by("row_number")
    for row, example in zip(found, stored, strict=True):
        for name in ("messages", "references", "context", "pairs", "rated"):
            assert row[name] == getattr(example, name), name
        assert json.loads(row["metadata"]) == example.metadata


def test_the_folder_is_loaded_by_hugging_face_datasets(version: DatasetVersion, tmp_path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(content_of(version, "hf"))) as folder:
        assert folder.testzip() is None
        folder.extractall(tmp_path)
    readme = (tmp_path / "README.md").read_text()
    head = yaml.safe_load(readme.split("---")[1])
    assert [each["split"] for each in head["configs"][0]["data_files"]] == ["train", "validation"]
    assert "First round" in readme and version.content_hash in readme and "1 test rows are held out" in readme
    assert "secret" not in readme
    datasets = pytest.importorskip("datasets")
    loaded = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 2, "validation": 1}
    assert loaded["train"][0]["messages"][1]["content"].startswith("Is hail covered?")


def test_a_file_without_the_test_rows_of_the_version_before_is_warned_of(
    version: DatasetVersion, engineer: User, uploads: Path
) -> None:
    file = SimpleUploadedFile("rows.parquet", content_of(version, "parquet"))
    upload = receive_upload(dataset=version.dataset, upload=file, by=engineer)
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/imports/{upload.pk}/"
    assert "v1 has 1 test row, and this file has none" in client_of(engineer).get(address).text


def test_csv_of_questions_and_answers_is_imported_as_the_same_rows(
    project: Project, dataset: Dataset, engineer: User, uploads: Path
) -> None:
    asked = [{"role": "user", "content": 'Who pays?\n"You", or we'}]
    rows = [
        ExampleRow(
            "train", [{"role": "system", "content": "Be brief."}, *asked], ["We do."], metadata={"id": "a"}
        ),
        ExampleRow("train", asked, label="pay", context="Policy 7", metadata={"id": "b"}, group_key="g"),
    ]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    again = imported(project, "rows.csv", content_of(version, "csv"), engineer)
    assert hashes(again) == hashes(version)


def test_another_zip_is_refused_with_what_to_do(dataset: Dataset, engineer: User, uploads: Path) -> None:
    def zipped(name: str, kind: int) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", kind) as folder:
            folder.writestr(name, parquet(pa.table({"prompt": ["Who?"], "completion": ["We."]})))
        return content.getvalue()

    for content, said in (
        (zipped("notes.txt", zipfile.ZIP_STORED), "Unpack it"),
        (zipped("rows.parquet", zipfile.ZIP_DEFLATED), "Unpack it"),
        (zipped("rows.parquet", zipfile.ZIP_STORED)[:-40], "damaged"),
    ):
        with pytest.raises(InvalidError, match=said):
            receive_upload(dataset=dataset, upload=SimpleUploadedFile("rows.zip", content), by=engineer)
    record = receive_upload(
        dataset=dataset,
        upload=SimpleUploadedFile("rows.zip", zipped("rows.parquet", zipfile.ZIP_STORED)),
        by=engineer,
    )
    assert record.options["file_format"] == "jsonl"


def test_csv_is_refused_where_it_would_lose_something(version: DatasetVersion) -> None:
    with pytest.raises(InvalidError, match="2 rows have several messages"):
        exported(version, "csv")
    rows = list(csv.DictReader(io.StringIO(content_of(version, "csv", "validation").decode())))
    assert [(each["prompt"], each["reference"], each["id"]) for each in rows] == [("Where?", "There.", "c")]


def test_one_split_alone_and_never_the_one_that_is_held_out(version: DatasetVersion) -> None:
    assert len(content_of(version, "jsonl", "validation").splitlines()) == 1
    for file_format in ("jsonl", "csv", "parquet", "hf"):
        with pytest.raises(NotAllowedError, match="held out"):
            exported(version, file_format, "test")
    for wrong in (("xml", ""), ("jsonl", "odd")):
        with pytest.raises(InvalidError, match="Use one of"):
            exported(version, *wrong)


def test_pages_and_programs_export_the_same(version: DatasetVersion, engineer: User) -> None:
    slug = version.dataset.project.slug
    page = client_of(engineer).get(f"/projects/{slug}/data/{version.dataset_id}/v1/export/?format=jsonl")
    path = f"projects/{slug}/datasets/{version.dataset_id}/versions/1/export/"
    program = program_of(engineer)
    told = program.get(f"{path}?format=jsonl")
    assert (
        b"".join(page.streaming_content) == b"".join(told.streaming_content) == content_of(version, "jsonl")
    )
    assert 'filename="summaries-v1.jsonl"' in told["Content-Disposition"]
    for file_format, kind in (("parquet", "parquet"), ("hf", "zip")):
        assert kind in program.get(f"{path}?format={file_format}")["Content-Type"]
    assert program.get(path).streaming_content
    problem_in(program.get(f"{path}?format=xml"), 400)
    problem_in(program.get(f"{path}?format=csv&split=test"), 403)


def test_the_files_of_a_version_are_on_one_page(version: DatasetVersion, engineer: User) -> None:
    client = client_of(engineer)
    page = client.get(f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/files/").text
    links = [unescape(each) for each in DOWNLOAD.findall(page)]
    assert len(links) == len(FileFormat) * len(("all", "training", "validation"))
    refused = [link for link in links if not client.get(link).streaming]
    assert [link.partition("?")[2] for link in refused] == ["format=csv", "format=csv&split=train"]
    assert "2 rows have several messages" in client.get(refused[0]).text


def test_a_large_version_is_never_held_whole(dataset: Dataset) -> None:
    rows = (
        ExampleRow("train", [{"role": "user", "content": f"{n} " * 200}], ["x" * 400]) for n in range(12_000)
    )
    version = create_version(dataset=dataset, rows=rows, by=None)
    total = sum(len(chunk) for chunk in exported(version, "jsonl").chunks)
    for file_format in ("jsonl", "csv", "parquet", "hf"):
        tracemalloc.start()
        for _ in exported(version, file_format).chunks:
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < total, file_format


def parquet(table: pa.Table, **options: Any) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def test_parquet_of_other_tools_is_mapped_as_columns_are(
    project: Project, engineer: User, uploads: Path
) -> None:
    """Dictionary-encoded texts, nested lists, dates, decimals and nulls."""
    table = pa.table({
        "question": pa.array(["Is hail covered?", "Is theft covered?"]).dictionary_encode(),
        "answer": ["Yes.", "No."],
        "tags": [["a", "b"], None],
        "at": pa.array([1_700_000_000, None], pa.timestamp("s")),
        "price": pa.array([None, 7], pa.decimal128(7, 2)),
        "split": ["train", "test"],
    })  # fmt: skip
    mapping = {"question": "prompt", "answer": "reference", "split": "split"}
    made = imported(project, "rows.parquet", parquet(table, row_group_size=1), engineer, mapping=mapping)
    first, second = made.examples.order_by("row_number")
    assert first.references == ["Yes."] and first.metadata == {
        "tags": ["a", "b"],
        "at": "2023-11-14T22:13:20",
    }
    assert second.split == "test" and second.metadata == {"price": 7.0}


def test_a_small_file_of_very_many_equal_rows_is_not_counted_while_somebody_waits(
    project: Project, engineer: User, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evalapp.datasets.importing.MOST_COUNTED_ROWS", 1_000)
    content = parquet(pa.table({"prompt": ["Why?"] * 200_000, "completion": ["So."] * 200_000}))
    assert len(content) < 10_000
    dataset = create_dataset(project=project, name="Equal", by=engineer)
    upload = receive_upload(dataset=dataset, upload=SimpleUploadedFile("x.parquet", content), by=engineer)
    found = preview(upload, ImportOptions(**upload.options))
    assert found.counts is None and len(found.readings) == PREVIEW_ROWS


def test_a_file_of_too_many_columns_is_refused(project: Project, engineer: User, uploads: Path) -> None:
    content = parquet(pa.table({f"column {n}": ["x"] for n in range(501)}))
    dataset = create_dataset(project=project, name="Wide", by=engineer)
    with pytest.raises(InvalidError, match="501 columns; 500 is the limit"):
        receive_upload(dataset=dataset, upload=SimpleUploadedFile("x.parquet", content), by=engineer)


def test_bytes_in_a_column_are_named(project: Project, engineer: User, uploads: Path) -> None:
    table = pa.table({"prompt": ["Is it?"], "image": [b"\x89PNG"], "split": ["train"]})
    dataset = create_dataset(project=project, name="Images", by=engineer)
    upload = receive_upload(
        dataset=dataset, upload=SimpleUploadedFile("x.parquet", parquet(table)), by=engineer
    )
    job = start_import(dataset_import=upload, options=ImportOptions(split_field="split"), by=engineer)
    import_dataset(job.pk)
    upload.refresh_from_db()
    assert [(each["field"], each["problem"]) for each in upload.row_errors] == [
        ("image", "A value of the type bytes cannot be read.")
    ]


@pytest.mark.parametrize("cut", [8, 200])
def test_a_damaged_file_is_told(project: Project, engineer: User, uploads: Path, cut: int) -> None:
    content = parquet(pa.table({"prompt": [f"Question {n}?" for n in range(500)]}))
    dataset = create_dataset(project=project, name="Damaged", by=engineer)
    with pytest.raises(InvalidError, match="damaged or incomplete"):
        receive_upload(dataset=dataset, upload=SimpleUploadedFile("x.parquet", content[:-cut]), by=engineer)
