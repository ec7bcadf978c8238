"""The jobs of an erasure: search a project for a person, and erase them from it."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, MissingError
from evalapp.data_protection.models import Erasure, ErasureState
from evalapp.data_protection.person import ERASED, Person
from evalapp.data_protection.places import (
    DECISIONS,
    EVALUATIONS,
    OUTPUTS,
    REPLACED,
    ROWS,
    VAULT,
    VAULT_ROWS,
    Place,
)
from evalapp.data_protection.positions import move_finding_spans, move_span_labels
from evalapp.data_protection.remaining import Touched, what_remains
from evalapp.data_protection.search import changes_of, entries_with, found_in, without_person
from evalapp.data_protection.services import texts_of
from evalapp.datasets.models import DatasetVersion, Example, VaultEntry
from evalapp.datasets.vault import opened_originals, sealed_originals
from evalapp.jobs.work import Work
from evalapp.runs.models import Output

_INDEX = """
UPDATE evalapp_rowtext SET words = evalapp_words_of_row(row.messages, row."references", row.metadata,
    concat_ws(' ', row.label, row.group_key, row.context))
FROM evalapp_example AS row WHERE row.id = example_id AND row.id = ANY(%s)
"""


def search(work: Work) -> dict[str, Any]:
    """Count by place what would be erased. Only the erasure itself changes."""
    erasure = _pending(work)
    person = Person(texts_of(erasure))
    progress = _Progress(work)
    counts: Counter[str] = Counter()
    for looked_at, entries in entries_with(erasure.project, person):
        progress.add(looked_at, VAULT_ROWS)
        counts[VAULT] += len(entries)
    for place in REPLACED:
        for looked_at, found in found_in(place, erasure.project, person):
            progress.add(looked_at, place.rows)
            counts[place.model] += len(found)
    with transaction.atomic():
        erasure = _pending(work)
        if erasure.state == ErasureState.SEARCHING:
            erasure.counts, erasure.state = +counts, ErasureState.FOUND
            erasure.save(update_fields=["counts", "state"])
        work.fence()
    return {"rows": erasure.rows}


def erase(work: Work) -> dict[str, Any]:
    """Replace the person's texts everywhere, all or none. A repetition changes nothing."""
    with transaction.atomic():
        erasure = _pending(work)
        if erasure.state != ErasureState.DONE:
            with _erasing():
                _erase(erasure, work)
            work.fence()
    return {"rows": erasure.rows}


def _pending(work: Work) -> Erasure:
    """The erasure of the job; locked inside a transaction."""
    erasures = Erasure.objects.all()
    if connection.in_atomic_block:
        erasures = erasures.select_for_update(of=["self"], no_key=True)
    erasure = erasures.select_related("project").filter(pk=work.job.params["erasure"]).first()
    if erasure is None:
        raise MissingError("The erasure was deleted. There is nothing to do.")
    if erasure.job_id != work.job.pk:
        raise ConflictError("The erasure was started again in the meantime. See its page.")
    if erasure.state == ErasureState.DISCARDED:
        raise ConflictError("The erasure was discarded. Start another one.")
    return erasure


@contextmanager
def _erasing() -> Iterator[None]:
    """Within this context the database permits replacing texts in otherwise immutable rows, and nothing else
    of them.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('evalapp.erasing', 'on', true)")
        yield
        # The setting would otherwise last until the end of the transaction, which may be later.
        cursor.execute("SELECT set_config('evalapp.erasing', 'off', true)")


def _erase(erasure: Erasure, work: Work) -> None:
    person = Person(texts_of(erasure))
    progress, touched = _Progress(work), Touched()
    for looked_at, entries in entries_with(erasure.project, person):
        progress.add(looked_at, VAULT_ROWS)
        touched.counts[VAULT] += sum(_erase_entry(entry, person) for entry, _ in entries)
    for place in REPLACED:
        for looked_at, found in found_in(place, erasure.project, person):
            progress.add(looked_at, place.rows)
            _erase_rows(place, [each.pk for each in found], person, touched)
    erasure.counts = +touched.counts
    erasure.remaining = what_remains(erasure.project, person, touched)
    erasure.state, erasure.sealed_texts, erasure.erased_at = ErasureState.DONE, "", timezone.now()
    erasure.save(update_fields=["counts", "remaining", "state", "sealed_texts", "erased_at"])
    record(
        "project.person_erased",
        by=erasure.confirmed_by,
        obj=erasure,
        project=erasure.project,
        data={"counts": erasure.counts},
    )
    work.raise_if_cancelled()


def _erase_entry(entry: VaultEntry, person: Person) -> bool:
    entry = VaultEntry.objects.select_for_update().get(pk=entry.pk)
    originals = opened_originals(entry)
    left = without_person(originals, person)
    if not left:
        entry.delete()
    elif left != originals:
        entry.sealed = sealed_originals(entry.project_id, left)
        entry.save(update_fields=["sealed"])
    return left != originals


def _erase_rows(place: Place, keys: list[Any], person: Person, touched: "Touched") -> None:
    """Replace the texts of these rows, locked and read again, so that no concurrent change is overwritten."""
    if not keys:
        return
    locked = place.model_class._default_manager.select_for_update().filter(pk__in=keys).order_by("pk")
    changed: list[Any] = []
    for row in locked:
        changes = changes_of(place, person, {name: getattr(row, name) for name in place.holds}, row.pk)
        if changes:
            if before := _BEFORE.get(place.model):
                before(row, person)
            place.model_class._default_manager.filter(pk=row.pk).update(**changes)
            changed.append(row)
    touched.counts[place.model] += len(changed)
    if place is ROWS:
        _after_rows(changed, touched)
    if place is OUTPUTS:
        touched.runs.update(row.run_id for row in changed)
    if place in (EVALUATIONS, DECISIONS):
        touched.sealed[place.model] += [row.pk for row in changed]


def _after_rows(examples: list[Example], touched: "Touched") -> None:
    erased: Counter[int] = Counter()
    for example in examples:
        erased[example.version_id] += not _was_erased(example)
    for version_id, rows in erased.items():
        DatasetVersion.objects.filter(pk=version_id).update(erased_rows=F("erased_rows") + rows)
    touched.versions.update(erased)
    with connection.cursor() as cursor:
        cursor.execute(_INDEX, [[example.pk for example in examples]])


def _was_erased(example: Example) -> bool:
    """Whether an earlier erasure replaced something in the row, and so has counted it already."""
    return any(ERASED in str(getattr(example, name)) for name in ROWS.holds)


_BEFORE: dict[str, Callable[[Any, Person], None]] = {
    Output.__name__: move_span_labels,
    Example.__name__: move_finding_spans,
}


@dataclass
class _Progress:
    """Reports how many rows were searched; their total is not known in advance."""

    work: Work
    looked_at: int = 0
    _stage: str = field(default="", init=False)

    def add(self, rows: int, where: str) -> None:
        self.looked_at += rows
        self.work.progress(self.looked_at, None, f"Looking through {where}")
