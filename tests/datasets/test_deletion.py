"""A version that nothing uses can be deleted, with everything that is made of its rows alone."""

import pytest
from django.db import IntegrityError, connection, models, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.deleted_objects import is_gone
from evalapp.curation.drafts import Edit, edit_rows, open_draft
from evalapp.curation.models import DatasetDraft, Finding, HealthCheck, RowEdit
from evalapp.datasets.deletion import VersionInUseError, delete_version
from evalapp.datasets.models import Dataset, DatasetVersion, Example, RowText, VaultEntry
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.search import index_rows
from evalapp.datasets.services import create_dataset, create_version
from tests.api.conftest import problem_in, program_of
from tests.cast import client_of
from tests.curation.conftest import MESSY, checked, published, row
from tests.factories import make_campaign, make_outputs

pytestmark = pytest.mark.django_db


@pytest.fixture
def dataset(project: Project, engineer: User) -> Dataset:
    return create_dataset(project=project, name="Claims", by=engineer)


@pytest.fixture
def version(dataset: Dataset, engineer: User) -> DatasetVersion:
    return create_version(dataset=dataset, rows=MESSY, by=engineer)


def test_its_rows_go_with_all_that_was_made_of_them(version: DatasetVersion, engineer: User) -> None:
    kept = create_version(dataset=version.dataset, rows=MESSY[:2], by=engineer)
    checked(version, engineer)
    index_rows(version)
    edit_rows(draft=open_draft(base=version, by=engineer), edits=[Edit(1, "drop")], by=engineer)
    assert Finding.objects.exists() and RowText.objects.filter(example__version=version).exists()
    delete_version(version=version, by=engineer)
    for model in (Finding, HealthCheck, DatasetDraft, RowEdit, RowText):
        assert not model.objects.exists(), model
    assert list(Example.objects.values_list("version", flat=True).distinct()) == [kept.pk]
    event = AuditEvent.objects.get(action="dataset.version_deleted")
    assert event.data == {"rows": len(MESSY), "content_hash": version.content_hash}


def test_the_same_rows_come_again_under_the_next_number(version: DatasetVersion, engineer: User) -> None:
    delete_version(version=version, by=engineer)
    assert create_version(dataset=version.dataset, rows=MESSY, by=engineer).number == 2


def test_rows_are_still_matched_by_their_ids_after_it(dataset: Dataset, engineer: User) -> None:
    def rows(word: str) -> list[ExampleRow]:
        return [row(f"{word} {n}?", "Yes.", metadata={"id": f"c-{n}"}) for n in range(3)]

    first = create_version(dataset=dataset, rows=rows("Is theft covered"), by=engineer)
    delete_version(version=create_version(dataset=dataset, rows=MESSY, by=engineer), by=engineer)
    third = create_version(dataset=dataset, rows=rows("Is hail covered"), by=engineer)
    keys = [list(each.examples.order_by("row_number").values_list("row_key")) for each in (first, third)]
    assert keys[0] == keys[1]


def test_a_version_that_another_was_made_from_stays(version: DatasetVersion, engineer: User) -> None:
    checked(version, engineer)
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    later = published(draft, engineer)
    with pytest.raises(VersionInUseError, match="is used by Claims v2"):
        delete_version(version=version, by=engineer)
    delete_version(version=later, by=engineer)
    assert not DatasetDraft.objects.exists()
    delete_version(version=version, by=engineer)
    assert not Example.objects.exists()


def test_one_that_a_campaign_rests_on_stays(project: Project, reviewer: User, engineer: User) -> None:
    used = make_campaign(project, [reviewer]).dataset_version
    rows = used.examples.count()
    with pytest.raises(VersionInUseError, match="used by 1 run, 1 campaign, so"):
        delete_version(version=used, by=engineer)
    assert used.examples.count() == rows > 0


def test_originals_of_masked_rows_go_unless_another_version_has_the_row(
    project: Project, dataset: Dataset, engineer: User
) -> None:
    project.masks_personal_data = True
    project.save()
    rows = [row(f"I am Anna Weber{number}, anna{number}@example.org. Help?", "Yes.") for number in range(2)]
    version = create_version(dataset=dataset, rows=rows, by=engineer)
    checked(version, engineer)
    draft = open_draft(base=version, by=engineer)
    edit_rows(draft=draft, edits=[Edit(1, "drop")], by=engineer)
    later = published(draft, engineer)
    assert VaultEntry.objects.count() == 2
    delete_version(version=later, by=engineer)
    assert VaultEntry.objects.count() == 2
    delete_version(version=version, by=engineer)
    assert VaultEntry.objects.count() == 0


def test_pages_and_programs_delete_it_and_no_longer_find_it(version: DatasetVersion, engineer: User) -> None:
    other = create_version(dataset=version.dataset, rows=MESSY[:2], by=engineer)
    start = f"/projects/{version.dataset.project.slug}/data/{version.dataset_id}/"
    browser = client_of(engineer)
    assert "Delete version…" in browser.get(f"{start}v1/").text
    told = browser.post(f"{start}v1/delete/", follow=True).text
    assert "Claims v1 was deleted." in told and "Deleted: v1." in told
    for page in ("v1/", "v1/rows/1/", "v1/health/", "v1/files/", "v1/export/?format=jsonl"):
        assert browser.get(f"{start}{page}").status_code == 404, page
    program = program_of(engineer)
    address = f"projects/{version.dataset.project.slug}/datasets/{version.dataset_id}/versions/"
    problem_in(program.ask("DELETE", f"{address}1/"), 404)
    assert program.ask("DELETE", f"{address}{other.number}/").status_code == 204
    assert program.get(address).json()["results"] == []


def test_nothing_brings_it_back_or_adds_to_it(version: DatasetVersion, engineer: User) -> None:
    delete_version(version=version, by=engineer)
    gone = DatasetVersion.objects.filter(pk=version.pk)
    for change in ({"state": "ready"}, {"state": "importing"}, {"content_hash": "0" * 64}):
        with pytest.raises(IntegrityError), transaction.atomic():
            gone.update(**change)
    with pytest.raises(IntegrityError), transaction.atomic():
        Example.objects.create(version=version, row_number=1, row_key=1, split="train", messages=[])


def test_a_run_that_starts_while_it_is_deleted_is_refused(version: DatasetVersion, engineer: User) -> None:
    seen = DatasetVersion.objects.get(pk=version.pk)
    delete_version(version=version, by=engineer)
    with pytest.raises(IntegrityError, match="version was deleted") as refused, transaction.atomic():
        make_outputs(seen, {})
    assert is_gone(refused.value), "answered with 409"


def test_the_database_refuses_it_wherever_its_use_would_have_kept_it() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE %s",
            ["%_not_of_deleted_version"],
        )
        refused = {table for (table,) in cursor.fetchall()}
    uses = {
        relation.related_model._meta.db_table
        for relation in DatasetVersion._meta.related_objects
        if relation.on_delete is models.PROTECT
    }
    assert refused == uses
