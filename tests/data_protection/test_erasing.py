"""A person is erased from a project: nothing stored holds them, and everything else is as it was."""

from types import SimpleNamespace

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.utils import Error as DatabaseError

from evalapp.artifacts.models import DatasetPush
from evalapp.audit.models import AuditEvent
from evalapp.data_protection import erasing
from evalapp.data_protection.models import Erasure
from evalapp.data_protection.person import ERASED
from evalapp.data_protection.services import start_erasing
from evalapp.data_protection.tasks import erase_person
from evalapp.datasets.diff import diff_of
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.rows import example_row
from evalapp.datasets.search import search_rows as rows_with
from evalapp.datasets.services import SameContentError, create_version
from evalapp.jobs.models import Job
from evalapp.jobs.services import retry_job
from evalapp.monitoring.events.models import EventKey, ProductionEvent
from evalapp.reviews.counts import check_all_counts
from evalapp.reviews.models import Correction, Review
from evalapp.runs.models import Output
from tests.access_objects import world_again
from tests.data_protection.conftest import (
    MAIL,
    MARKS,
    NAME,
    OTHER,
    ROWS,
    erased,
    leaks,
    make_world,
    searched,
    snapshot,
)
from tests.kept_cast import FIXTURES, Cast

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES


@pytest.fixture(scope="module")
def made(cast: Cast) -> SimpleNamespace:
    return make_world(cast.project, cast.engineer, cast.reviewer, cast.owner)


@pytest.fixture
def world(made: SimpleNamespace) -> SimpleNamespace:
    return world_again(made)


def test_nothing_holds_the_person_afterwards(world: SimpleNamespace) -> None:
    assert {table for table, _ in leaks()} >= {
        "evalapp_example", "evalapp_output", "evalapp_review", "evalapp_correction", "evalapp_rowedit",
        "evalapp_productionevent", "evalapp_flag", "evalapp_discussionmessage", "evalapp_exportrow",
        "evalapp_rowtext",
    }  # fmt: skip
    erased(world.project, world.owner, reason=f"Asked for by {NAME}")
    assert leaks() == []


def test_what_others_wrote_and_who_they_are_stays(world: SimpleNamespace) -> None:
    second = example(world.version, 2)
    erased(world.project, world.owner)
    assert example(world.version, 2) == second
    for name in ("messages", "references", "metadata"):
        assert getattr(example(world.version, 2), name) == getattr(second, name)
    assert second.references == [f"Yes, {OTHER}, the Wexfordshire policy pays."]
    assert Output.objects.get(example__row_number=1).text == f"Dear {ERASED}, {OTHER} will pay."
    review = Review.objects.exclude(comment="").get()
    assert review.comment == f"{ERASED} is wrong, {OTHER} is right."
    assert Correction.objects.get().text == f"Dear Ms {ERASED}, we pay."


def test_a_row_keeps_its_place_and_its_hashes(world: SimpleNamespace) -> None:
    before = example(world.version, 1)
    version_hash = world.version.content_hash
    erased(world.project, world.owner)
    after = example(world.version, 1)
    for name in ("row_number", "row_key", "split", "prompt_hash", "content_hash"):
        assert getattr(after, name) == getattr(before, name)
    assert after.messages[0] == {
        "role": "user",
        "content": f"My name is {ERASED}. Write to {ERASED} or call {ERASED}.",
    }
    assert after.context == f"Client: {ERASED}, {ERASED}"
    assert after.metadata == {"id": ERASED, "notes": {"by": [f"told by {ERASED}"]}, f"said by {ERASED}": 1}
    world.version.refresh_from_db()
    assert world.version.content_hash == version_hash
    assert world.version.erased_rows == 1


def test_versions_are_compared_by_their_texts_of_now(world: SimpleNamespace) -> None:
    """An erased row keeps its hash: it is still the same row, and the file as it was is another version."""
    erased(world.project, world.owner)
    rows = [example_row(each) for each in world.version.examples.order_by("row_number")]
    world.version.refresh_from_db()
    again = create_version(dataset=world.version.dataset, rows=rows[::-1], by=world.engineer)
    assert diff_of(again, world.version).counts == {
        "added": 0, "removed": 0, "changed": 0, "moved": 0, "unchanged": len(rows),
    }  # fmt: skip


def test_a_file_from_before_can_be_imported_again(world: SimpleNamespace) -> None:
    erased(world.project, world.owner)
    world.version.refresh_from_db()
    imported = create_version(dataset=world.version.dataset, rows=ROWS, by=world.engineer)
    assert imported.content_hash == world.version.content_hash
    assert diff_of(imported, world.version).counts["changed"] == 1
    with pytest.raises(SameContentError, match="exactly these"):
        create_version(dataset=world.version.dataset, rows=ROWS, by=world.engineer)


def test_the_rows_are_found_by_their_words_of_now(world: SimpleNamespace) -> None:
    erased(world.project, world.owner)
    with connection.cursor() as cursor:
        cursor.execute("SELECT words::text FROM evalapp_rowtext ORDER BY example_id")
        first, second = (words for (words,) in cursor.fetchall())
    assert "'wexford'" not in first and "'⟨erased⟩'" in first and "'plumley'" in second
    assert rows_with(world.version, world.version.examples.all(), ERASED).rows.count() == 1


def test_an_event_without_its_name_is_still_told_from_others(world: SimpleNamespace) -> None:
    erased(world.project, world.owner)
    ids = set(EventKey.objects.values_list("external_id", flat=True))
    assert {"out-1", "out-2"} < ids and len(ids) == 3
    assert any(name.startswith(ERASED) for name in ids)


def test_another_project_s_data_are_untouched(world: SimpleNamespace, second_world: SimpleNamespace) -> None:
    of_other = second_world.project.pk
    rows = list(Example.objects.filter(version__dataset__project=of_other).order_by("pk").values())
    outputs = list(Output.objects.filter(run__project=of_other).order_by("pk").values())
    comments = list(Review.objects.filter(campaign__project=of_other).order_by("pk").values())
    events = list(ProductionEvent.objects.filter(stream__project=of_other).order_by("pk").values())
    erased(world.project, world.owner)
    assert rows == list(Example.objects.filter(version__dataset__project=of_other).order_by("pk").values())
    assert outputs == list(Output.objects.filter(run__project=of_other).order_by("pk").values())
    assert comments == list(Review.objects.filter(campaign__project=of_other).order_by("pk").values())
    assert events == list(ProductionEvent.objects.filter(stream__project=of_other).order_by("pk").values())


def test_the_search_counts_what_is_then_erased_and_changes_nothing(world: SimpleNamespace) -> None:
    before = snapshot()
    erasure = searched(world.project, world.owner)
    assert snapshot() == before
    found = erasure.counts
    assert found["Example"] == 1 and found["Output"] == 1
    assert found["EventKey"] == 1 and found["ProductionEvent"] == 1
    done = erased(world.project, world.owner)
    # The reason of the search holds no person, nor does anything of the erasures.
    assert done.counts == found


def test_the_second_erasure_changes_nothing(world: SimpleNamespace) -> None:
    erased(world.project, world.owner)
    before = snapshot()
    assert erased(world.project, world.owner).counts == {}
    assert snapshot() == before


def test_carrying_the_job_out_again_changes_nothing(world: SimpleNamespace) -> None:
    done = erased(world.project, world.owner)
    before, counts, audited = snapshot(), done.counts, AuditEvent.objects.count()
    assert done.job is not None
    type(done.job).objects.filter(pk=done.job.pk).update(state="queued", finished_at=None)
    erase_person(done.job.pk)
    done.refresh_from_db()
    assert (snapshot(), done.counts, AuditEvent.objects.count()) == (before, counts, audited)


def test_an_attempt_that_is_killed_changes_nothing_and_the_next_erases(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    erasure = start_erasing(erasure=searched(world.project, world.owner), by=world.owner)
    assert erasure.job is not None
    before = snapshot()
    with monkeypatch.context() as patched:
        patched.setattr(erasing, "what_remains", _killed)
        erase_person(erasure.job.pk)
    assert snapshot() == before
    erasure.refresh_from_db()
    assert erasure.state == "erasing" and erasure.sealed_texts
    erasure.job.refresh_from_db()
    retry_job(job=erasure.job, by=world.owner)
    erase_person(erasure.job.pk)
    assert leaks() == []


def test_a_row_that_came_in_meanwhile_is_found_by_erasing_again(
    world: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_the_end(*arguments: object) -> dict[str, object]:
        create_version(dataset=world.version.dataset, rows=ROWS[:1], by=world.engineer)
        return {}

    with monkeypatch.context() as patched:
        patched.setattr(erasing, "what_remains", at_the_end)
        erased(world.project, world.owner)
    assert leaks() != []
    assert erased(world.project, world.owner).counts == {"Example": 1}
    assert leaks() == []


def test_rows_are_as_immutable_as_before_also_right_after_an_erasure(world: SimpleNamespace) -> None:
    _assert_immutable(world.version)
    erased(world.project, world.owner)
    _assert_immutable(world.version)


@pytest.mark.parametrize(
    "change",
    ["content_hash = 'x'", "prompt_hash = 'x'", "row_number = 77", "row_key = 77", "split = 'test'"],
)
def test_an_erasure_itself_changes_nothing_but_texts(world: SimpleNamespace, change: str) -> None:
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('evalapp.erasing', 'on', true)")
        cursor.execute(f"UPDATE evalapp_example SET context = 'other', {change} WHERE row_number = 1")


def test_counts_of_reviews_stay_right(world: SimpleNamespace) -> None:
    erased(world.project, world.owner)
    assert [found for found in check_all_counts() if found] == []
    assert Review.objects.count() == 2


def test_the_audit_tells_of_it_and_holds_no_text(world: SimpleNamespace) -> None:
    done = erased(world.project, world.owner)
    told = AuditEvent.objects.get(action="project.person_erased")
    assert told.actor_id == world.owner.pk and told.object_id == done.pk
    assert told.data == {"counts": done.counts}
    assert AuditEvent.objects.filter(action__startswith="project.erasure").count() == 2


def test_the_receipt_holds_no_mark_and_no_texts(world: SimpleNamespace) -> None:
    done = erased(world.project, world.owner, reason=f"{NAME} wrote to us")
    held = str(Erasure.objects.filter(pk=done.pk).values().get()).casefold()
    assert not any(mark in held for mark in MARKS)
    assert done.sealed_texts == "" and len(done.text_hashes) == 4
    assert done.reason == f"{ERASED} wrote to us"


def test_names_are_left_to_a_person_and_told(world: SimpleNamespace) -> None:
    world.version.dataset.name = f"Letters of {NAME}"
    world.version.dataset.save()
    done = erased(world.project, world.owner)
    told = {"what": "dataset", "id": world.version.dataset.pk, "fields": ["name"]}
    assert told in done.remaining["by_hand"]
    assert done.remaining["versions"] == [world.version.pk]
    assert [each["run"] for each in done.remaining["runs"]] == [
        Output.objects.filter(example__version=world.version).values_list("run", flat=True)[0]
    ]


def test_the_receipt_names_the_copies_on_a_hub(world: SimpleNamespace) -> None:
    hub = "https://hub.example"
    ways = (("arrived", 1, f"{hub}/datasets/house/arrived/tree/c0"), ("begun", 1, ""), ("never-begun", 0, ""))
    for name, attempt, url in ways:
        job = Job.objects.create(project=world.project, task="t", title="Push", attempt=attempt)
        DatasetPush.objects.create(
            project=world.project, version=world.version, hub=hub, repository=f"house/{name}",
            splits=["train"], job=job, url=url, commit="c0" if url else "",
        )  # fmt: skip
    assert erased(world.project, world.owner).remaining["pushes"] == [
        {"repository": "house/arrived", "url": f"{hub}/datasets/house/arrived/tree/c0"},
        {"repository": "house/begun", "url": f"{hub}/datasets/house/begun"},
    ]


def test_marks_written_in_any_way_are_found(world: SimpleNamespace) -> None:
    assert MAIL.upper() not in str(example(world.version, 1).context)
    Review.objects.update(comment=f"{MAIL.upper()} and annabell\u00a0 WEXFORD; +442079460958")
    erased(world.project, world.owner)
    assert set(Review.objects.values_list("comment", flat=True)) == {f"{ERASED} and {ERASED}; {ERASED}"}


def example(version: DatasetVersion, number: int) -> Example:
    return version.examples.get(row_number=number)


def _killed(*arguments: object) -> None:
    raise RuntimeError("killed")


def _assert_immutable(version: DatasetVersion) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        version.examples.filter(row_number=1).update(context="other")
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditEvent.objects.update(action="other")
