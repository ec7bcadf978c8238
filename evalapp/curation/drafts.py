"""Drafts of dataset versions: edits of rows, and application of proposals."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.conversations.text import every_text, with_every_text
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.curation.health.rows import batches_of
from evalapp.curation.kinds import FindingKind, Proposal
from evalapp.curation.models import DatasetDraft, DraftState, Finding, Operation, RowEdit
from evalapp.datasets.masking import masked_fields
from evalapp.datasets.models import DatasetVersion, Example
from evalapp.datasets.row_changes import checked_changes, with_changes
from evalapp.datasets.rows import example_row
from evalapp.datasets.vault import Vault, rules_of

RESTORE = "restore"
_AT_ONCE = 1_000


class Edit(NamedTuple):
    """An edit of a row: an `Operation`, or ``restore``, which undoes an edit. ``changes`` are added to those
    already in the draft. ``revision``: that of the edit which its writer saw, 0 for none; None where nobody
    edits by hand.
    """

    row_number: int
    operation: str
    changes: Mapping[str, Any] = {}
    into_row: int | None = None
    reason: str = ""
    kind: str = ""
    revision: int | None = None


class EditConflictError(ConflictError):
    """Somebody else edited the row meanwhile; ``edit`` is theirs, None where they undid it (409)."""

    code = "row_edited"

    def __init__(self, row_number: int, edit: RowEdit | None) -> None:
        who = f"by {edit.edited_by or 'a deleted person'}" if edit else "back to what it was"
        super().__init__(
            f"Row {row_number:,} was changed meanwhile, {who}. Your text was not stored and is still on the"
            " page: compare it with the row as it is now, and save again."
        )
        self.edit = edit


class DraftCounts(NamedTuple):
    """Rows of the base version by what happens to them; ``rows_in`` is the sum of the others."""

    rows_in: int
    kept: int
    changed: int
    moved: int
    merged: int
    dropped: int

    @property
    def rows_out(self) -> int:
        return self.kept + self.changed + self.moved


class EditResult(NamedTuple):
    """``edits``: the current edits, of rows that were not restored. ``kept_copies``: rows that the draft had
    dropped as duplicates of a row that it drops now; they stay in its place.
    """

    edits: list[RowEdit]
    kept_copies: list[int]

    @property
    def message(self) -> str:
        """A sentence on the copies that stay; empty without any."""
        if not self.kept_copies:
            return ""
        rows = ", ".join(f"{number:,}" for number in self.kept_copies[:10])
        more = len(self.kept_copies) - 10
        if more > 0:
            rows += f" and {more:,} more"
        return (
            f" A duplicate with the same content stays: row {rows}. Drop it too if the content is bad."
            if len(self.kept_copies) == 1
            else f" Duplicates with the same content stay: rows {rows}. Drop them too if the content is bad."
        )


class ApplyResult(NamedTuple):
    """How many findings were applied, and how many need a person's decision."""

    done: int
    left: int


@transaction.atomic
def open_draft(*, base: DatasetVersion, by: User | None) -> DatasetDraft:
    """The version's open draft; a new one where it has none."""
    draft, is_new = DatasetDraft.objects.get_or_create(
        base=base, state=DraftState.OPEN, defaults={"created_by": by}
    )
    if is_new:
        record("dataset.draft_created", by=by, obj=draft, project=base.dataset.project)
    return draft


@transaction.atomic
def edit_rows(*, draft: DatasetDraft, edits: Sequence[Edit], by: User) -> EditResult:
    """Store edits, all of them or none.

    Raises InvalidError for a row that the version does not have, or values that it cannot have;
    EditConflictError where another person edited first; ConflictError for a draft that is not open.
    """
    draft = locked_draft(draft)
    numbers = [edit.row_number for edit in edits]
    examples = {each.row_number: each for each in draft.base.examples.filter(row_number__in=numbers)}
    known = {edit.example_id: edit for edit in draft.edits.filter(example__in=examples.values())}
    stored = []
    for edit in edits:
        example = examples.get(edit.row_number)
        if example is None:
            raise InvalidError(
                f"{draft.base} has no row {edit.row_number:,}.", fields={"row_number": ["No such row."]}
            )
        before = known.get(example.pk)
        if edit.revision is not None and edit.revision != (before.revision if before else 0):
            raise EditConflictError(edit.row_number, before)
        if edit.operation == RESTORE:
            if before is not None:
                before.delete()
                known.pop(example.pk)
            continue
        known[example.pk] = _row_edit(draft, example, edit, before, by)
        stored.append(known[example.pk])
    dropped = [edit.row_number for edit in edits if edit.operation == Operation.DROP]
    return EditResult(stored, _keep_copies(draft, dropped))


def _keep_copies(draft: DatasetDraft, dropped: Sequence[int]) -> list[int]:
    """Undo the drop of the first duplicate of each of these rows; returns the duplicates' row numbers."""
    duplicates = Finding.objects.filter(
        health_check__version=draft.base, kind=FindingKind.EXACT_DUPLICATE, other_rows__0__in=dropped
    )
    row_of = {finding.example_id: finding.other_rows[0] for finding in duplicates}
    edits = draft.edits.filter(
        operation=Operation.DROP, kind=FindingKind.EXACT_DUPLICATE, example__in=row_of
    ).select_related("example")
    first = {row_of[edit.example_id]: edit for edit in edits.order_by("-example__row_number")}
    draft.edits.filter(pk__in=[edit.pk for edit in first.values()]).delete()
    return sorted(edit.example.row_number for edit in first.values())


def _row_edit(draft: DatasetDraft, example: Example, edit: Edit, before: RowEdit | None, by: User) -> RowEdit:
    found = before or RowEdit(draft=draft, example=example, revision=0)
    found.operation = Operation(edit.operation)
    found.into_row = edit.into_row if found.operation == Operation.MERGE else None
    if found.operation == Operation.MERGE:
        _require_target(draft, edit, example.split)
    found.changes = {**found.changes, **edit.changes} if found.operation == Operation.CHANGE else {}
    if found.operation == Operation.CHANGE:
        if not found.changes:
            raise InvalidError(
                f"Row {edit.row_number:,}: name at least one field to change.", fields={"changes": ["Empty."]}
            )
        checked_changes(example_row(example), found.changes)
        found.changes = _masked(draft.base.dataset.project, example, found.changes)
    found.reason, found.kind, found.edited_by = edit.reason.strip(), edit.kind, by
    found.revision += 1
    found.save()
    return found


def _masked(project: Project, example: Example, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes with the row's placeholders, where the project masks personal data."""
    if not project.masks_personal_data:
        return dict(changes)
    vault = Vault(project)
    vault.hold(example)
    masks = vault.masks_of(example, list(every_text(changes)))
    masked: dict[str, Any] = {name: with_every_text(value, masks.masked) for name, value in changes.items()}
    for name in ("split", "label", "group"):
        if name in changes:
            masked[name] = vault.pseudonym_of(changes[name]) if name == "group" else changes[name]
    vault.keep(example, masks)
    vault.store()
    return masked


def _require_target(draft: DatasetDraft, edit: Edit, split: str) -> None:
    target = edit.into_row
    is_other = target is not None and target != edit.row_number
    if not is_other or not draft.base.examples.filter(row_number=target or 0, split=split).exists():
        raise InvalidError(
            f"Row {edit.row_number:,} can only be merged into another row of its split.",
            field="into_row",
        )


@transaction.atomic
def apply_proposals(*, draft: DatasetDraft, findings: Iterable[Finding], by: User) -> ApplyResult:
    """Apply the proposals of findings of the draft's base. Rows that the draft drops or merges stay so.
    Findings that need a person's decision are skipped, including rows that repeat a dropped row.
    """
    draft = locked_draft(draft)
    done = left = 0
    merged: set[int] = set()
    dropped = _dropped_rows(draft)
    for batch in batches_of(findings, _AT_ONCE):
        examples = Example.objects.in_bulk([each.example_id for each in batch if each.example_id])
        known = {edit.example_id: edit for edit in draft.edits.filter(example__in=examples)}
        edits: dict[int, RowEdit] = {}
        for finding in batch:
            example = examples.get(finding.example_id or 0)
            before = edits.get(finding.example_id or 0) or known.get(finding.example_id or 0)
            is_last = finding.kind == FindingKind.EXACT_DUPLICATE and finding.other_rows[0] in dropped
            edit = None if example is None or is_last else _proposed_edit(draft, example, finding, before, by)
            if edit is None:
                left += 1
            else:
                edits[edit.example_id] = edit
                done += 1
        merged |= {edit.example_id for edit in edits.values() if edit.operation == Operation.MERGE}
        upsert_edits(edits.values())
    gone = _dropped_rows(draft)
    into = draft.edits.filter(operation=Operation.MERGE).values_list("example", "into_row")
    unmerged = {example for example, target in into if target in gone}
    draft.edits.filter(example__in=unmerged).delete()
    done, left = done - len(unmerged & merged), left + len(unmerged)
    record(
        "dataset.proposals_applied", by=by, obj=draft, project=draft.base.dataset.project, data={"rows": done}
    )
    return ApplyResult(done, left)


def _dropped_rows(draft: DatasetDraft) -> set[int]:
    return set(draft.edits.filter(operation=Operation.DROP).values_list("example__row_number", flat=True))


def upsert_edits(edits: Iterable[RowEdit]) -> None:
    """Store edits, replacing earlier ones of the same rows; the draft must be locked (`locked_draft`)."""
    RowEdit.objects.bulk_create(
        edits,
        update_conflicts=True,
        unique_fields=["draft", "example"],
        update_fields=[
            "operation", "changes", "into_row", "reason", "kind", "edited_by", "revision", "edited_at",
        ],
    )  # fmt: skip


def _can_apply(example: Example, changes: Mapping[str, Any]) -> bool:
    """Whether these changes can be applied: a turn of several texts cannot be changed as one."""
    try:
        with_changes(example_row(example), changes)
    except InvalidError:
        return False
    return True


def _proposed_edit(
    draft: DatasetDraft, example: Example, finding: Finding, before: RowEdit | None, by: User
) -> RowEdit | None:
    """The edit of the row with what the finding proposes; None where a person must decide."""
    if finding.proposal in (Proposal.DECIDE, Proposal.COLLECT):
        return None
    if before is not None and before.operation != Operation.CHANGE:
        return before
    changes: dict[str, Any] = dict(before.changes) if before is not None else {}
    if finding.proposal == Proposal.MASK:
        row = with_changes(example_row(example), changes)
        changes |= masked_fields(row, finding.spans, changes, rules_of(draft.base.dataset.project))
    elif finding.proposal == Proposal.CHANGE:
        # The proposal predates the draft's other changes, which may have masked the text.
        if any(changes.get(field, value) != value for field, value in finding.changes.items()):
            return None
        changes |= finding.changes
    if changes and example.conversation is not None and not _can_apply(example, changes):
        return None
    operation = {Proposal.DROP: Operation.DROP, Proposal.MERGE: Operation.MERGE}.get(
        Proposal(finding.proposal), Operation.CHANGE
    )
    return RowEdit(
        draft=draft,
        example=example,
        operation=operation,
        changes=changes if operation == Operation.CHANGE else {},
        into_row=finding.other_rows[0] if operation == Operation.MERGE else None,
        reason=finding.evidence,
        kind=finding.kind,
        revision=(before.revision if before is not None else 0) + 1,
        edited_by=by,
    )


def counts_of(draft: DatasetDraft) -> DraftCounts:
    """What becomes of the base version's rows."""
    found: Counter[str] = Counter()
    for operation, changes in draft.edits.values_list("operation", "changes"):
        is_moved = operation == Operation.CHANGE and set(changes) == {"split"}
        found["moved" if is_moved else operation] += 1
    total = sum(draft.base.counts.values())
    return DraftCounts(
        rows_in=total,
        kept=total - found.total(),
        changed=found[Operation.CHANGE],
        moved=found["moved"],
        merged=found[Operation.MERGE],
        dropped=found[Operation.DROP],
    )


@transaction.atomic
def discard_draft(*, draft: DatasetDraft, by: User) -> None:
    draft = locked_draft(draft)
    draft.state = DraftState.DISCARDED
    draft.save(update_fields=["state"])
    record("dataset.draft_discarded", by=by, obj=draft, project=draft.base.dataset.project)


def locked_draft(draft: DatasetDraft) -> DatasetDraft:
    """The draft, locked until the transaction ends. Raises ConflictError unless it is open and not being
    published.
    """
    # The job is read afterwards: a joined one would date from before the wait for the lock.
    rows = DatasetDraft.objects.select_for_update(of=["self"]).select_related("base__dataset__project")
    found = rows.filter(pk=draft.pk).first()
    if found is None:
        raise MissingError("The draft was deleted.")
    if found.state != DraftState.OPEN:
        raise ConflictError(f"The draft is {found.get_state_display().lower()} and takes no more changes.")
    if found.is_being_published:
        raise ConflictError("The draft is being published. Wait until that is over, or cancel it.")
    return found
