"""One uploaded file, and many hands on it at the same moment."""

import os
import time
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.datasets.models import Dataset, DatasetImport
from evalapp.datasets.services import create_dataset, receive_upload
from evalapp.imports.files import stored_path
from evalapp.imports.flow import discard
from evalapp.jobs.models import Job
from tests.api.conftest import program_of
from tests.at_once import at_once
from tests.cast import client_of, make_project, make_user
from tests.datasets.files import questions, upload

pytestmark = pytest.mark.django_db(transaction=True)


def a_dataset() -> tuple[Dataset, User]:
    """A dataset, and an engineer of its project."""
    engineer = make_user("engineer")
    project: Project = make_project("Summaries", owner=make_user("owner"), engineer=engineer)
    return create_dataset(project=project, name="Questions", by=engineer), engineer


def received(dataset: Dataset, by: User) -> DatasetImport:
    return receive_upload(dataset=dataset, upload=upload(questions(range(3))), by=by)


def test_a_file_discarded_by_eight_at_once_is_discarded_once_and_the_others_are_told(uploads: Path) -> None:
    dataset, engineer = a_dataset()
    imports = f"projects/{dataset.project.slug}/datasets/{dataset.pk}/imports"

    for _ in range(4):
        waiting = received(dataset, engineer)
        answers = at_once(8, lambda _, pk=waiting.pk: program_of(engineer).ask("DELETE", f"{imports}/{pk}/"))

        assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    assert AuditEvent.objects.filter(action="dataset.import_discarded").count() == 4
    assert list(uploads.iterdir()) == []


def test_a_start_that_meets_a_discard_starts_one_job_or_none(uploads: Path) -> None:
    dataset, engineer = a_dataset()
    page = f"/projects/{dataset.project.slug}/data/{dataset.pk}/imports"

    for _ in range(6):
        waiting = received(dataset, engineer)
        form = {"split_by": "field", "note": ""}
        actions = [{"action": "discard"}, {"action": "start", **form}] * 3
        answers = at_once(
            6, lambda n, pk=waiting.pk, actions=actions: client_of(engineer).post(f"{page}/{pk}/", actions[n])
        )

        assert {answer.status_code for answer in answers} <= {302, 404, 409}
        is_kept = DatasetImport.objects.filter(pk=waiting.pk).exists()
        assert Job.objects.filter(params__dataset_import=waiting.pk).count() == is_kept


def test_uploads_and_discards_of_eight_at_once_are_all_served(uploads: Path) -> None:
    dataset, engineer = a_dataset()
    for number in range(200):
        left = uploads / f"import-{number}.jsonl"
        left.write_bytes(b"{}")
        os.utime(left, (0, 0))

    def work(number: int) -> None:
        for _ in range(5):
            discard(received(dataset, engineer), by=engineer)

    assert at_once(8, work) == [None] * 8
    assert list(uploads.iterdir()) == []


def test_what_no_import_names_goes_after_a_day_and_an_upload_after_a_week(uploads: Path) -> None:
    dataset, engineer = a_dataset()
    kept, old = received(dataset, engineer), received(dataset, engineer)
    nameless, torn = uploads / "import-1.jsonl", uploads / "tmp1.upload.jsonl"
    arriving = uploads / "tmp2.upload.jsonl"
    for path in (nameless, torn, arriving):
        path.write_bytes(b"{}")
    now = time.time()
    for path, days in (
        (stored_path(kept.stored_name), 6),
        (stored_path(old.stored_name), 8),
        (nameless, 2),
        (torn, 2),
    ):
        os.utime(path, (now - days * 86_400,) * 2)

    last = received(dataset, engineer)

    assert {path.name for path in uploads.iterdir()} == {kept.stored_name, last.stored_name, arriving.name}
