from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.exporting import card
from evalapp.datasets.models import Dataset, DatasetImport, DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version, receive_upload
from evalapp.datasets.tasks import import_dataset
from evalapp.jobs.models import Job
from tests.cast import client_of
from tests.datasets.files import jsonl, question, questions, upload
from tests.kept_cast import FIXTURES

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("uploads")]
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
ClientFor = Callable[[User | None], Client]


def a_row(number: int, split: str = "train", **fields: Any) -> ExampleRow:
    return ExampleRow(
        split, [{"role": "user", "content": f"Question {number}?"}], [f"Answer {number}."], **fields
    )


@pytest.fixture
def version(dataset: Dataset, engineer: User) -> DatasetVersion:
    rows = [
        *(a_row(n) for n in range(120)),
        a_row(900, "test"),
        a_row(901, "feedback", metadata={"goal": "a boat"}),
    ]
    return create_version(dataset=dataset, rows=rows, by=engineer)


@pytest.fixture
def waiting(dataset: Dataset, engineer: User) -> DatasetImport:
    return receive_upload(dataset=dataset, upload=upload(questions(range(5))), by=engineer)


def addresses(
    project: Project, dataset: Dataset, version: DatasetVersion, waiting: DatasetImport
) -> Iterator[str]:
    base = f"/projects/{project.slug}/data/"
    yield from (base, f"{base}new/", f"{base}{dataset.pk}/", f"{base}{dataset.pk}/upload/")
    yield from (f"{base}versions/{version.pk}/", f"{base}{dataset.pk}/v1/", f"{base}{dataset.pk}/v1/rows/1/")
    yield from (f"{base}{dataset.pk}/v1/export/?format=jsonl", f"{base}{dataset.pk}/imports/{waiting.pk}/")
    yield f"{base}{dataset.pk}/imports/{waiting.pk}/errors.csv"


def test_who_may_open_what(
    project: Project,
    dataset: Dataset,
    version: DatasetVersion,
    waiting: DatasetImport,
    client_for: ClientFor,
    engineer: User,
    reviewer: User,
    stranger: User,
) -> None:
    expected = {engineer: {200, 302}, reviewer: {403}, stranger: {404}, None: {302}}
    for user, statuses in expected.items():
        client = client_for(user)
        for address in addresses(project, dataset, version, waiting):
            assert client.get(address).status_code in statuses, (user, address)


def test_ids_of_another_project_are_not_found(
    dataset: Dataset,
    version: DatasetVersion,
    waiting: DatasetImport,
    other_project: Project,
    stranger: User,
    client_for: ClientFor,
) -> None:
    client = client_for(stranger)
    for address in list(addresses(other_project, dataset, version, waiting))[2:]:
        if address.endswith("/new/"):
            continue
        assert client.get(address).status_code == 404, address
    assert (
        client.post(
            reverse("dataset_upload", args=[other_project.slug, dataset.pk]), {"file": upload(questions([1]))}
        ).status_code
        == 404
    )
    assert (
        client.post(
            reverse("dataset_import", args=[other_project.slug, dataset.pk, waiting.pk]),
            {"action": "discard"},
        ).status_code
        == 404
    )


def test_a_file_goes_from_the_browser_to_a_version(
    project: Project, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    made = client.post(reverse("dataset_new", args=[project.slug]), {"name": "Letters", "description": ""})
    content = jsonl(*(question(number) for number in range(1000)))
    sent = client.post(made.url, {"file": SimpleUploadedFile("letters.jsonl", content)})
    page = client.get(sent.url)
    assert b"Question 0?" in page.content

    started = client.post(sent.url, {"action": "start", "split_by": "field", "split_field": "split"})
    assert started.status_code == 302, started.content.decode()
    job = Job.objects.get(task="evalapp.datasets.tasks.import_dataset")
    assert b"this page then opens it" in client.get(sent.url).content
    import_dataset(job.pk)

    done = client.get(sent.url, follow=True)
    assert done.redirect_chain[-1][0] == f"/projects/{project.slug}/data/{project.datasets.get().pk}/v1/"
    assert b"1,000 rows" in done.content
    assert DatasetVersion.objects.get().counts == {"train": 1000}


def test_a_preview_shows_metadata_of_any_name(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor
) -> None:
    """A template reads "metadata.items" as the field of that name."""
    client = client_for(engineer)
    sent = client.post(
        reverse("dataset_upload", args=[project.slug, dataset.pk]),
        {"file": upload(jsonl(question(1, metadata={"items": 3, "keys": "x"})))},
    )
    page = client.get(sent.url)
    assert page.status_code == 200
    assert "items: 3, keys: x" in page.content.decode()


def test_a_field_that_looks_like_the_reference_is_not_passed_over_in_silence(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)

    def shown(content: bytes, name: str = "rows.jsonl") -> str:
        address = reverse("dataset_upload", args=[project.slug, dataset.pk])
        sent = client.post(address, {"file": upload(content, name)})
        page = client.get(sent.url).text
        return " ".join(page.partition('id="first-rows"')[2].split())

    warning = "<code>reference</code> would only be kept as metadata."
    nested = {"prompt": "When?", "split": "train", "reference": "On Friday.", "metadata": {"desk": 2}}
    page = shown(jsonl(nested))
    assert warning in page
    assert "name it <code>completion</code> (one text) or <code>references</code> (a list)" in page
    known = {"prompt": "When?", "split": "train", "reference": "FR-7", "references": ["On Friday."]}
    assert warning not in shown(jsonl(known))
    flat = jsonl({"prompt": "When?", "split": "train", "reference": "On Friday."})
    table = b"question,reference,split\nWhen?,On Friday.,train\n"
    for mapped in (shown(flat), shown(table, "rows.csv")):
        assert "On Friday." in mapped and "would only be kept as metadata" not in mapped


def test_columns_are_mapped_by_what_they_hold(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    content = "Kundenfrage,Antwort\nWas ist fällig?,Das Formular\n<b>Wann?</b>,Freitag\n".encode()
    sent = client.post(
        reverse("dataset_upload", args=[project.slug, dataset.pk]), {"file": upload(content, "fragen.csv")}
    )

    page = client.get(sent.url).content.decode()
    assert "Was ist fällig? · &lt;b&gt;Wann?&lt;/b&gt;" in page
    assert "Choose the column with the prompt." in page
    assert "The text is empty" not in page

    mapped = {"action": "preview", "delimiter": ",", "split_by": "shares", "share_train": "1"}
    page = client.post(sent.url, {**mapped, "column_0": "prompt", "column_1": "reference"}).content.decode()
    assert "Choose the column with the prompt." not in page
    assert "<td>Das Formular</td>" in page


def test_row_errors_are_shown_with_row_field_and_mending(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    content = questions([1]) + b'{"prompt": "=cmd", "split": "=1+1"}\n'
    sent = client.post(
        reverse("dataset_upload", args=[project.slug, dataset.pk]), {"file": upload(content, "bad.jsonl")}
    )
    client.post(sent.url, {"action": "start", "split_by": "field", "split_field": "split"})
    import_dataset(Job.objects.get().pk)

    page = client.get(sent.url).content.decode()
    assert "1 error in 1 of 2 rows" in page
    assert "“=1+1” is not a split." in page
    assert "Use one of train, validation, test, feedback." in page
    errors = client.get(f"{sent.url}errors.csv")
    assert errors["Content-Disposition"].startswith("attachment")
    assert errors.getvalue().decode().splitlines()[1].startswith("2,split,")

    client.post(
        sent.url, {"action": "start", "split_by": "field", "split_field": "split", "skips_invalid": "on"}
    )
    import_dataset(Job.objects.latest("pk").pk)
    assert b"1 invalid row" in client.get(sent.url, follow=True).content


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("rows.exe", b"MZ" + b"x" * 500_000, "ends in .exe"),
        ("rows.jsonl", b"\x1f\x8b" + b"x" * 500_000, "compressed (gzip)"),
        ("rows.jsonl", b"", "The file is empty"),
        ("rows.csv", b"a,a\n1,2\n", "Two columns are named"),
    ],
)
def test_a_wrong_file_is_refused_beside_its_field_and_nothing_is_kept(
    project: Project,
    dataset: Dataset,
    engineer: User,
    client_for: ClientFor,
    uploads: Any,
    name: str,
    content: bytes,
    message: str,
) -> None:
    address = reverse("dataset_upload", args=[project.slug, dataset.pk])

    answer = client_for(engineer).post(address, {"file": SimpleUploadedFile(name, content)})

    assert answer.status_code == 400
    assert message in answer.content.decode()
    assert list(uploads.iterdir()) == []


def test_an_upload_without_token_is_refused(project: Project, dataset: Dataset, engineer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(engineer, backend="evalapp.accounts.backends.AccountBackend")

    answer = client.post(
        reverse("dataset_upload", args=[project.slug, dataset.pk]), {"file": upload(questions([1]))}
    )

    assert answer.status_code == 403
    assert not DatasetImport.objects.exists()


def test_rows_are_paged_and_filtered_by_split(
    project: Project, dataset: Dataset, version: DatasetVersion, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)
    address = reverse("dataset_version", args=[project.slug, dataset.pk, 1])

    first = client.get(address)
    numbers = [row.row_number for row in first.context["page"].rows]
    second = client.get(address, {"after": first.context["page"].next_after})
    tests = client.get(address, {"split": "test"})

    assert numbers == list(range(1, 26))
    assert [row.row_number for row in second.context["page"].rows] == list(range(26, 51))
    assert [row.row_number for row in tests.context["page"].rows] == [121]
    assert client.get(address, {"split": "exam"}).status_code == 400
    assert client.get(address, {"after": "made-up"}).status_code == 400


def test_a_row_shows_all_it_holds(
    project: Project, dataset: Dataset, version: DatasetVersion, engineer: User, client_for: ClientFor
) -> None:
    page = client_for(engineer).get(reverse("dataset_row", args=[project.slug, dataset.pk, 1, 122]))

    for text in ("Question 901?", "Answer 901.", "a boat", version.examples.get(row_number=122).prompt_hash):
        assert text in page.content.decode()


def test_a_split_is_downloaded_and_the_held_out_one_is_not(
    project: Project, dataset: Dataset, version: DatasetVersion, engineer: User, client_for: ClientFor
) -> None:
    client = client_for(engineer)

    feedback = client.get(
        reverse("dataset_export", args=[project.slug, dataset.pk, 1]),
        {"format": "jsonl", "split": "feedback"},
    )
    held_out = client.get(
        reverse("dataset_export", args=[project.slug, dataset.pk, 1]), {"format": "csv", "split": "test"}
    )

    assert b"".join(feedback) == jsonl(
        {
            "split": "feedback",
            "messages": [{"role": "user", "content": "Question 901?"}],
            "references": ["Answer 901."],
            "metadata": {"goal": "a boat"},
        }
    )
    assert 'filename="summaries-v1-feedback.jsonl"' in feedback["Content-Disposition"]
    assert held_out.status_code == 403
    assert "The test split is held out" in held_out.content.decode()


def test_what_a_file_holds_is_shown_as_text(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor
) -> None:
    evil = "<script>alert(1)</script>"
    create_version(
        dataset=dataset,
        rows=[
            ExampleRow("train", [{"role": "user", "content": evil}], [evil], evil, evil, {evil: evil}, evil)
        ],
        by=engineer,
        source=evil,
        note=evil,
    )
    client = client_for(engineer)

    for name, arguments in (("dataset_version", [1]), ("dataset_row", [1, 1]), ("dataset_detail", [])):
        page = client.get(reverse(name, args=[project.slug, dataset.pk, *arguments]))
        assert page.status_code == 200
        assert "<script>alert" not in page.content.decode()


@pytest.mark.parametrize("name", ["dataset_list", "dataset_detail"])
def test_lists_cost_the_same_however_long(
    project: Project, dataset: Dataset, engineer: User, client_for: ClientFor, name: str
) -> None:
    client = client_for(engineer)
    address = reverse(name, args=[project.slug] + ([dataset.pk] if name == "dataset_detail" else []))

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    create_version(dataset=dataset, rows=[a_row(1)], by=engineer)
    receive_upload(dataset=dataset, upload=upload(questions([1])), by=engineer)
    one = cost()
    for number in (2, 3):
        create_version(dataset=dataset, rows=[a_row(number)], by=engineer)
        receive_upload(dataset=dataset, upload=upload(questions([1])), by=engineer)

    assert cost() == one


def test_a_dataset_is_renamed_and_its_card_tells_the_licence(dataset: Dataset, engineer: User) -> None:
    other = create_dataset(project=dataset.project, name="Other", by=engineer)
    row = ExampleRow(split="train", messages=[{"role": "user", "content": "Q"}])
    version = create_version(dataset=dataset, rows=[row], by=engineer)
    address = f"/projects/{dataset.project.slug}/data/{dataset.pk}/"
    client = client_of(engineer)
    refused = client.post(f"{address}edit/", {"name": other.name})
    assert refused.status_code == 400 and "already has a dataset named" in refused.text
    given = {"name": "Letters", "description": "Of 2026", "licence": "CC BY 4.0"}
    assert client.post(f"{address}edit/", given).status_code == 302
    page = client.get(f"{address}v1/card/").text
    assert "Card of Letters v1" in page and "CC BY 4.0" in page
    version.dataset.refresh_from_db()
    assert "Licence: CC BY 4.0" in card(version, ["train"])
