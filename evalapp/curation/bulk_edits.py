"""Edits many rows at once by a regular expression: previewed first, then stored in a draft."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import re2
from django.db import models, transaction
from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError
from evalapp.curation.drafts import locked_draft, upsert_edits
from evalapp.curation.health.rows import batches_of
from evalapp.curation.models import DatasetDraft, Operation, RowEdit
from evalapp.datasets.models import Example, Split
from evalapp.datasets.queries import examples_of
from evalapp.datasets.row_changes import checked_changes, text_at, with_changes
from evalapp.datasets.rows import ExampleRow, example_row
from evalapp.metrics.rules import RuleError, compiled_pattern

_AT_ONCE = 1_000
MOST_PREVIEWED = 10


class BulkAction(models.TextChoices):
    REPLACE = "replace", "Replace what matches"
    DROP = "drop", "Drop rows that match"
    MOVE = "move", "Move rows that match to another split"


class BulkField(models.TextChoices):
    PROMPT = "messages", "Prompt"
    SYSTEM = "system", "System message"
    REFERENCE = "references", "Reference"
    CONTEXT = "context", "Context"
    LABEL = "label", "Label"


class BulkEdit(NamedTuple):
    """An edit of the rows of ``only_split`` ("": all) whose ``field`` matches ``pattern``, an RE2 expression.
    ``replacement`` may refer to its groups as in `re.sub`; rows are moved to ``to_split``.
    """

    action: str
    field: str
    pattern: str
    replacement: str = ""
    to_split: str = ""
    only_split: str = ""
    reason: str = ""


class PlannedEdit(NamedTuple):
    """A row that the edit would change, with the edit as the draft would store it."""

    example: Example
    edit: RowEdit


class Preview(NamedTuple):
    rows: int
    first: list[PlannedEdit]


def preview(draft: DatasetDraft, bulk: BulkEdit) -> Preview:
    """How many rows the edit would change, and the first ones. Raises InvalidError for an expression that
    cannot be read, or a row that the edit would make unusable.
    """
    first: list[PlannedEdit] = []
    count = 0
    for planned in _planned_edits(draft, bulk, None):
        count += 1
        if len(first) < MOST_PREVIEWED:
            first.append(planned)
    return Preview(count, first)


@transaction.atomic
def apply_bulk_edit(*, draft: DatasetDraft, bulk: BulkEdit, by: User) -> int:
    """Store the edit of every matching row in the draft, all or none; returns how many.

    Raises InvalidError as `preview`, and ConflictError for a draft that is not open.
    """
    draft = locked_draft(draft)
    count = 0
    for batch in batches_of(_planned_edits(draft, bulk, by), _AT_ONCE):
        upsert_edits(each.edit for each in batch)
        count += len(batch)
    record(
        "dataset.rows_edited",
        by=by,
        obj=draft,
        project=draft.base.dataset.project,
        data={"rows": count, "action": bulk.action, "field": bulk.field, "pattern": bulk.pattern},
    )
    return count


def _planned_edits(draft: DatasetDraft, bulk: BulkEdit, by: User | None) -> Iterator[PlannedEdit]:
    pattern = _compile_pattern(bulk)
    for batch in batches_of(_rows(draft, bulk).iterator(chunk_size=_AT_ONCE), _AT_ONCE):
        known = {edit.example_id: edit for edit in draft.edits.filter(example__in=batch)}
        for example in batch:
            edit = _edit(draft, example, bulk, pattern, known.get(example.pk))
            if edit is not None:
                edit.edited_by = by
                yield PlannedEdit(example, edit)


def _edit(
    draft: DatasetDraft, example: Example, bulk: BulkEdit, pattern: Any, before: RowEdit | None
) -> RowEdit | None:
    """The row's edit; None where it does not match, or the draft already drops or merges it."""
    if before is not None and before.operation != Operation.CHANGE:
        return None
    changed = dict(before.changes) if before is not None else {}
    row = example_row(example)
    changes = _changes(with_changes(row, changed), bulk, pattern)
    if changes is None:
        return None
    is_drop = bulk.action == BulkAction.DROP
    if not is_drop:
        _require_usable(row, example.row_number, {**changed, **changes})
    return RowEdit(
        draft=draft,
        example=example,
        operation=Operation.DROP if is_drop else Operation.CHANGE,
        changes={} if is_drop else {**changed, **changes},
        reason=_reason(bulk, before),
        revision=(before.revision if before is not None else 0) + 1,
    )


def _reason(bulk: BulkEdit, before: RowEdit | None) -> str:
    """The reason of the edit, added to that of an earlier edit of the row in the draft."""
    reason = bulk.reason.strip() or f"Bulk edit: {bulk.pattern}"
    return reason if before is None or not before.reason else f"{before.reason}; {reason}"


def _require_usable(row: ExampleRow, number: int, changes: dict[str, Any]) -> None:
    try:
        checked_changes(row, changes)
    except InvalidError as error:
        raise InvalidError(f"Row {number:,}: {error.message}", fields={"pattern": [error.message]}) from error


def _rows(draft: DatasetDraft, bulk: BulkEdit) -> QuerySet[Example]:
    return examples_of(draft.base, [bulk.only_split] if bulk.only_split else None)


def _changes(row: ExampleRow, bulk: BulkEdit, pattern: Any) -> dict[str, Any] | None:
    """New values of the row's fields; None where nothing matches, or nothing would change."""
    names = _field_names(row, bulk.field)
    matching = [name for name in names if pattern.search(text_at(row, name))]
    if not matching:
        return None
    if bulk.action == BulkAction.DROP:
        return {}
    if bulk.action == BulkAction.MOVE:
        return {"split": bulk.to_split} if row.split != bulk.to_split else None
    try:
        texts = {name: pattern.sub(bulk.replacement, text_at(row, name)) for name in matching}
    except (re2.error, IndexError) as error:
        raise InvalidError(
            "The replacement names a group that the expression does not have.", field="replacement"
        ) from error
    changes = {name: text for name, text in texts.items() if text != text_at(row, name)}
    return changes or None


def _field_names(row: ExampleRow, field: str) -> list[str]:
    if field in (BulkField.PROMPT, BulkField.SYSTEM):
        return [
            f"messages.{number}"
            for number, message in enumerate(row.messages)
            if (message["role"] == "system") is (field == BulkField.SYSTEM)
        ]
    if field == BulkField.REFERENCE:
        return [f"references.{number}" for number in range(len(row.references))]
    return [field]


def _compile_pattern(bulk: BulkEdit) -> Any:
    """The compiled expression. Raises InvalidError naming the field that cannot be used."""
    if bulk.action not in BulkAction.values or bulk.field not in BulkField.values:
        raise InvalidError("There is no such bulk edit.", field="action")
    if bulk.action == BulkAction.MOVE and bulk.to_split not in Split.values:
        raise InvalidError("Choose the split that the rows are moved to.", field="to_split")
    try:
        return compiled_pattern(bulk.pattern, ignore_case=False)
    except RuleError as error:
        raise InvalidError(
            f"The expression cannot be used: {error}.", fields={"pattern": [str(error)]}
        ) from error
