"""A draft becomes the dataset's next version, by a job."""

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.db.models import Count, F, Max

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.curation.drafts import counts_of, locked_draft
from evalapp.curation.health.rows import batches_of, normalised
from evalapp.curation.models import DatasetDraft, DraftState, Operation
from evalapp.datasets.models import FROM_DRAFT, DatasetVersion
from evalapp.datasets.row_changes import with_changes
from evalapp.datasets.rows import ExampleRow, example_row
from evalapp.datasets.services import create_version
from evalapp.datasets.vault import with_vault_entry
from evalapp.jobs.models import Job
from evalapp.jobs.services import create_job
from evalapp.jobs.work import Work

PUBLISH_TASK = "evalapp.curation.tasks.publish_draft"
_READ_AT_ONCE = 2_000


@transaction.atomic
def start_publishing(*, draft: DatasetDraft, note: str, by: User) -> Job:
    """Queue the job that writes the dataset's next version: the base version's rows with the draft's edits.
    Until it is over, the draft takes no changes.

    Raises ConflictError for a draft that is not open or changes nothing, and where the project needs a second
    person and ``by`` edited a row of it; InvalidError where a row is merged into one that goes itself.
    """
    draft = locked_draft(draft)
    if not draft.edits.exists():
        raise ConflictError("The draft changes nothing yet. Edit or drop a row first.")
    if draft.base.dataset.project.needs_second_person and draft.edits.filter(edited_by=by).exists():
        raise ConflictError(
            "In this project, nobody publishes a draft in which they edited rows. Ask a member who may"
            " change data and edited none of these rows."
        )
    _merged_answers(draft)
    draft.note = note.strip()
    draft.job = create_job(
        project=draft.base.dataset.project,
        task=PUBLISH_TASK,
        title=f"Publish the draft of {draft.base}",
        by=by,
        params={"draft": draft.pk, "edits": _edits_fingerprint(draft)},
    )
    draft.save(update_fields=["note", "job"])
    return draft.job


def publish(work: Work) -> dict[str, Any]:
    """Carry out the job of a draft; the version appears whole or not at all, and rows keep their keys.
    Repeating it after that changes nothing.

    Raises SameContentError where a version has exactly these rows, MissingError and ConflictError for a draft
    that was deleted, discarded or edited meanwhile.
    """
    with transaction.atomic():
        draft = _lock_publishable(work)
        version = draft.version or _write_version(draft, work)
    return {"dataset_version": version.pk, "rows": sum(version.counts.values())}


def _lock_publishable(work: Work) -> DatasetDraft:
    drafts = DatasetDraft.objects.select_for_update(of=["self"])
    # Its version is read afterwards: joined, it would be the one from before the wait for the lock.
    rows = drafts.select_related("base__dataset__project")
    draft = rows.filter(pk=work.job.params["draft"]).first()
    if draft is None:
        raise MissingError("The draft was deleted. There is nothing to publish.")
    if draft.state == DraftState.DISCARDED:
        raise ConflictError("The draft was discarded. There is nothing to publish.")
    if draft.state == DraftState.OPEN and work.job.params["edits"] != _edits_fingerprint(draft):
        raise ConflictError(
            "The draft was edited after you started this. Open the draft, check its edits and create the"
            " version again."
        )
    return draft


def _edits_fingerprint(draft: DatasetDraft) -> list[Any]:
    """Tells the draft's edits from what they were before or become later."""
    found = draft.edits.aggregate(count=Count("pk"), last=Max("edited_at"))
    return [found["count"], found["last"].isoformat() if found["last"] else None]


def _write_version(draft: DatasetDraft, work: Work) -> DatasetVersion:
    base, by = draft.base, work.job.created_by
    version = create_version(
        dataset=base.dataset,
        rows=work.following(_drafted_rows(draft), sum(base.counts.values()), "Writing rows"),
        by=by,
        parent=base,
        note=draft.note,
        source=FROM_DRAFT,
        is_simulated=base.is_simulated,
        is_recorded=base.is_recorded,
        job=work.job,
    )
    draft.state, draft.version = DraftState.PUBLISHED, version
    draft.save(update_fields=["state", "version"])
    record(
        "dataset.draft_published",
        by=by,
        obj=version,
        project=base.dataset.project,
        data={"draft": draft.pk, **counts_of(draft)._asdict()},
    )
    work.fence()
    return version


def _drafted_rows(draft: DatasetDraft) -> Iterator[ExampleRow]:
    added = _merged_answers(draft)
    masks = draft.base.dataset.project.masks_personal_data
    rows = draft.base.examples.order_by("row_number")
    for batch in batches_of(rows.iterator(chunk_size=_READ_AT_ONCE), _READ_AT_ONCE):
        edits = {edit.example_id: edit for edit in draft.edits.filter(example__in=batch)}
        for example in batch:
            edit = edits.get(example.pk)
            if edit is not None and edit.operation != Operation.CHANGE:
                continue
            row = with_changes(example_row(example), edit.changes if edit else {})
            if edit is not None and masks and "⟨" in str(edit.changes):
                row = with_vault_entry(row, example)
            # An answer that was corrected here does not come back with a copy of it.
            before = list(map(normalised, example.references))
            for answer in added.get(example.row_number, ()):
                if normalised(answer) not in [*before, *map(normalised, row.references)]:
                    row = with_changes(row, {f"references.{len(row.references)}": answer})
            yield row


def _merged_answers(draft: DatasetDraft) -> dict[int, list[str]]:
    """Answers of merged rows, by the number of the row that gets them; chains are followed to their end."""
    merged = draft.edits.filter(operation=Operation.MERGE).annotate(number=F("example__row_number"))
    into = {number: target or 0 for number, target in merged.values_list("number", "into_row")}
    gone = set(draft.edits.filter(operation=Operation.DROP).values_list("example__row_number", flat=True))
    answers: dict[int, list[str]] = {}
    for number, references in merged.order_by("number").values_list("number", "example__references"):
        target, seen = into[number], {number}
        while target in into and target not in seen:
            seen.add(target)
            target = into[target]
        if target in gone or target in seen:
            raise InvalidError(
                f"Row {number:,} is merged into row {target:,}, which is dropped or merged itself."
                " Restore one of the two."
            )
        answers.setdefault(target, []).extend(references)
    return answers
