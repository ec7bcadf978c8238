"""A project that masks personal data: what is stored has placeholders; who may see it sees the originals."""

import json
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.datasets.models import Dataset, DatasetVersion, VaultEntry
from evalapp.datasets.rows import ExampleRow, example_row
from evalapp.datasets.services import create_dataset, create_version
from evalapp.datasets.vault import Vault, look_up, originals_of, token_of_example
from tests.at_once import at_once
from tests.cast import client_of
from tests.stored_texts import tables_with

NAME, MAIL, IBAN, PHONE = (
    "Annabell Wexford",
    "annabell.wexford@example.org",
    "DE89370400440532013000",
    "+44 20 7946 0958",
)
MARKS = (NAME, "Wexford", MAIL, IBAN, "7946 0958")
ROW = ExampleRow(
    split="train",
    messages=[{"role": "user", "content": f"My name is {NAME}. Write to {MAIL} or call {PHONE}."}],
    references=[f"Dear Ms Wexford, we wrote to {MAIL} and paid to {IBAN}."],
    context=f"Account {IBAN}",
    metadata={"id": MAIL, "notes": {"by": [f"told by {MAIL}"]}},
    group_key=MAIL,
    pairs=[{"chosen": "Dear Ms Wexford, yes.", "rejected": f"We will call {PHONE}."}],
)
OTHER = ExampleRow(
    split="test", messages=[{"role": "user", "content": "What is covered?"}], references=["Bicycles."]
)


@pytest.fixture
def masking(project: Project) -> Project:
    project.masks_personal_data = True
    project.save()
    return project


@pytest.fixture
def version(masking: Project, dataset: Dataset, engineer: User) -> DatasetVersion:
    dataset.project.refresh_from_db()
    return create_version(dataset=dataset, rows=[ROW, OTHER], by=engineer)


def test_no_table_holds_any_of_it(version: DatasetVersion) -> None:
    assert tables_with(MARKS) == []


def test_the_same_data_have_the_same_placeholder_in_the_row(version: DatasetVersion) -> None:
    example = version.examples.get(row_number=1)
    assert example.messages[0]["content"] == "My name is ⟨NAME 1⟩. Write to ⟨EMAIL 1⟩ or call ⟨PHONE 1⟩."
    assert example.references == ["Dear Ms ⟨NAME 1⟩, we wrote to ⟨EMAIL 1⟩ and paid to ⟨IBAN 1⟩."]
    assert example.context == "Account ⟨IBAN 1⟩"
    assert example.pairs == [{"chosen": "Dear Ms ⟨NAME 1⟩, yes.", "rejected": "We will call ⟨PHONE 1⟩."}]
    assert example.metadata["notes"] == {"by": ["told by ⟨EMAIL 1⟩"]}


def test_groups_and_ids_stay_apart(version: DatasetVersion, dataset: Dataset, engineer: User) -> None:
    def row(mail: str, number: int) -> ExampleRow:
        messages = [{"role": "user", "content": f"Question {number} of {mail}"}]
        return ExampleRow(
            split="train", messages=messages, group_key=mail, metadata={"id": f"{number}-{mail}"}
        )

    mails = ["a.first@example.org", "b.second@example.org", "a.first@example.org"]
    later = create_version(dataset=dataset, rows=[row(mail, n) for n, mail in enumerate(mails)], by=engineer)
    first, second, third = later.examples.order_by("row_number")
    assert first.group_key == third.group_key != second.group_key
    assert len({each.own_id for each in (first, second, third)}) == 3


def test_a_group_has_its_code_whatever_else_stands_in_the_row(
    version: DatasetVersion, dataset: Dataset, engineer: User
) -> None:
    texts = ("Mr Green wrote again.", "It rained in the cellar.", "Travel")
    groups = ("Mark Green", "Mark Green", "travel")
    rows = [
        ExampleRow(split="train", messages=[{"role": "user", "content": text}], group_key=group)
        for text, group in zip(texts, groups, strict=True)
    ]
    found = create_version(dataset=dataset, rows=rows, by=engineer).examples.order_by("row_number")
    first, second, third = found.values_list("group_key", flat=True)
    assert first == second and first.startswith("⟨") and third == "travel"


def test_a_row_that_has_nothing_to_mask_is_as_it_was(version: DatasetVersion) -> None:
    assert example_row(version.examples.get(row_number=2)).provenance == {}
    assert VaultEntry.objects.count() == 1


def test_what_a_tool_answers_in_escapes_is_masked_too(
    masking: Project, dataset: Dataset, engineer: User
) -> None:
    """As Python's json writes them by default."""
    dataset.project.refresh_from_db()
    told = json.dumps({"patient": "Herr Jürgen Müller", "mail": "jürgen@exämple.de", "note": '"\\u0022"'})
    row = replace(OTHER, messages=[{"role": "user", "content": f"The tool says {told}"}])
    example = create_version(dataset=dataset, rows=[row], by=engineer).examples.get()
    text = example.messages[0]["content"]
    assert "NAME 1" in text and "EMAIL 1" in text
    assert not any(part in text for part in ("ller", "rgen", "mple"))
    assert json.loads(text.removeprefix("The tool says ")).keys() == {"patient", "mail", "note"}


def test_an_owner_sees_the_originals_and_the_audit_tells(version: DatasetVersion, owner: User) -> None:
    project = version.dataset.project
    address = f"/projects/{project.slug}/data/{version.dataset_id}/v1/rows/1/"
    assert "Show originals" in client_of(owner).get(address).text
    page = client_of(owner).post(f"{address}originals/")
    for text in (NAME, MAIL, PHONE, IBAN):
        assert text in page.text
    assert page["Cache-Control"] == "no-store"
    event = AuditEvent.objects.get(action="dataset.row_unmasked")
    assert event.actor_id == owner.pk
    assert NAME not in json.dumps(event.data)


def test_nobody_else_sees_them(version: DatasetVersion, manager: User, engineer: User) -> None:
    project = version.dataset.project
    address = f"/projects/{project.slug}/data/{version.dataset_id}/v1/rows/1/"
    for person in (manager, engineer):
        assert "Show originals" not in client_of(person).get(address).text
        assert client_of(person).post(f"{address}originals/").status_code == 403
    assert not AuditEvent.objects.filter(action="dataset.row_unmasked").exists()


def test_an_export_with_originals_has_them_and_any_other_has_not(
    version: DatasetVersion, owner: User
) -> None:
    address = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/v1/export/"
    clear = b"".join(client_of(owner).post(f"{address}originals/").streaming_content)
    (line,) = clear.splitlines()
    fields = json.loads(line)
    assert fields["messages"] == ROW.messages
    assert fields["references"] == [f"Dear Ms {NAME}, we wrote to {MAIL} and paid to {IBAN}."]
    assert fields["group"] == MAIL
    assert AuditEvent.objects.filter(action="dataset.exported_unmasked").exists()
    masked = b"".join(client_of(owner).get(f"{address}?format=jsonl").streaming_content).decode()
    assert not any(mark in masked for mark in MARKS)


def test_what_is_added_later_goes_on_with_the_row_s_placeholders(
    version: DatasetVersion, dataset: Dataset, engineer: User, owner: User
) -> None:
    row = example_row(version.examples.get(row_number=1))
    answer = "Dear Ms Wexford, Mr Osric Plumley writes to you, not to ⟨EMAIL 1⟩."
    changed = ExampleRow(
        **{**{name: getattr(row, name) for name in ExampleRow.__dataclass_fields__}, "references": [answer]}
    )
    later = create_version(dataset=dataset, rows=[changed], by=engineer, parent=version)
    example = later.examples.get()
    assert example.references == ["Dear Ms ⟨NAME 1⟩, Mr ⟨NAME 2⟩ writes to you, not to ⟨EMAIL 1⟩."]
    assert look_up(example=example, by=owner)["⟨NAME 2⟩"] == ["Osric Plumley"]
    assert look_up(example=example, by=owner)["⟨NAME 1⟩"] == [NAME, "Wexford"]


def test_the_settings_say_what_else_is_masked_and_what_never(
    project: Project, manager: User, dataset: Dataset, engineer: User
) -> None:
    given: dict[str, Any] = {
        "name": project.name,
        "population": "panel",
        "masks_personal_data": "on",
        "masking_patterns": "CLAIM NUMBER: CL-[0-9]{6}",
        "masking_allowed": "@example.com\n",
    }
    address = f"/projects/{project.slug}/settings/"
    page = client_of(manager).post(address, {**given, "masking_patterns": "CLAIM NUMBER: CL-["})
    # What was typed is still there, with what is wrong beside it.
    assert page.status_code == 400 and "CLAIM NUMBER: CL-[" in page.text and "cannot be used" in page.text
    assert client_of(manager).post(address, given).status_code == 302
    assert "CLAIM NUMBER: CL-[0-9]{6}" in client_of(manager).get(address).text
    dataset.project.refresh_from_db()
    text = "Claim CL-123456 of desk@example.com by a.first@example.org"
    row = ExampleRow(split="train", messages=[{"role": "user", "content": text}])
    example = create_version(dataset=dataset, rows=[row], by=engineer).examples.get()
    assert example.messages[0]["content"] == "Claim ⟨CLAIM NUMBER 1⟩ of desk@example.com by ⟨EMAIL 1⟩"


@pytest.mark.django_db(transaction=True)
def test_two_who_write_at_once_give_one_placeholder_to_one_person(masking: Project, engineer: User) -> None:
    dataset = create_dataset(project=masking, name="At once", by=engineer)
    row = ExampleRow(split="train", messages=[{"role": "user", "content": "What is covered?"}])
    example = create_version(dataset=dataset, rows=[row], by=engineer).examples.get()
    names = ("Osric Plumley", "Annabell Wexford", "Ludo Farthing", "Petronella Crane")

    def write(number: int) -> str:
        vault = Vault(masking)
        with transaction.atomic():
            vault.hold(example)
            (masked,) = vault.masked_answers(example, [f"Ask Mr {names[number]}."])
            vault.store()
        return masked

    masked = at_once(4, write)
    assert sorted(masked) == [f"Ask Mr ⟨NAME {number}⟩." for number in (1, 2, 3, 4)]
    assert len(originals_of(masking, token_of_example(example))) == 4
