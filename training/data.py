"""Turns the rows of data.jsonl into a trainer's input and accounts for every row.

Shared by all objectives; each objective defines how its rows are tokenised.
"""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from run_directory.files import data_lines
from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE
from run_directory.records import require
from training.encoding import EncodedRow
from training.rows import DataRow
from training.spec import DroppedRow, RowAccount, TrainingSpec

LENGTH_STEP = 128
SMALLEST_VALIDATION = 32
LARGEST_VALIDATION = 500
LARGEST_VALIDATION_SHARE = 0.2

Row = TypeVar("Row", bound=DataRow)


@dataclass(frozen=True)
class TrainingData:
    train: list[dict[str, Any]]
    """Rows as the trainer reads them, truncated to `max_length`."""
    train_lengths: list[int]
    """Tokens of each training row after truncation."""
    validation: list[dict[str, Any]]
    validation_lengths: list[int]
    validation_rows: list[DataRow]
    """The rows that `validation` was encoded from."""
    drawn_rows: tuple[str, ...] | None
    """Ids of the rows in `train` when only a share was drawn, else None."""
    account: RowAccount
    max_length: int
    ends_turns: bool
    """Whether the chat template closes every answer with the end-of-sequence token."""


def read_rows(folder: Path, spec: TrainingSpec, row_type: type[Row]) -> list[Row]:
    """Read all rows of a run directory's data.jsonl. Raises RecordError naming the line and the field."""
    rows = []
    seen: set[str] = set()
    for where, line in data_lines(
        folder / DATA_FILE, expected_rows=spec.rows, expected_sha256=spec.data_sha256
    ):
        row = row_type.from_json(line, where=where)
        require(row.id not in seen, where, f"the id {row.id!r} is given twice")
        seen.add(row.id)
        rows.append(row)
    marked = sum(row.split is not None for row in rows)
    require(
        marked in (0, len(rows)),
        DATA_FILE,
        f"split is given for {marked} of {len(rows)} rows: give it for all or none",
    )
    return rows


def prepare(encoded: Sequence[EncodedRow], spec: TrainingSpec, context: int) -> TrainingData:
    """Truncate and split the rows. Every row is accounted for: used, truncated, or dropped with a reason.

    A row longer than the limit loses its end. It is dropped when no token that the loss counts is left, or
    when an answer is empty. Raises Refusal when no row is left to train on.
    """
    filled = [row for row in encoded if not row.is_empty]
    dropped = [DroppedRow(id=row.row.id, reason="empty_completion") for row in encoded if row.is_empty]
    max_length = chosen_max_length([row.length for row in filled], spec.max_length, context)
    kept: list[EncodedRow] = []
    for row in filled:
        reason = row.why_useless(max_length)
        if reason is None:
            kept.append(row)
        else:
            dropped.append(DroppedRow(id=row.row.id, reason=reason))
    held_out = validation_ids([row.row for row in kept], spec)
    drawn = drawn_ids([row.row for row in kept if row.row.id not in held_out], spec)
    taken = held_out | drawn
    dropped += [DroppedRow(id=row.row.id, reason="not_drawn") for row in kept if row.row.id not in taken]
    kept = [row for row in kept if row.row.id in taken]
    truncated = [row.row.id for row in kept if row.length > max_length]
    trained = [row for row in kept if row.row.id in drawn]
    validating = [row for row in kept if row.row.id in held_out]
    if not trained:
        raise Refusal(
            f"{DATA_FILE}: none of the {len(encoded)} rows is left to train on "
            f"({len(dropped)} dropped, {len(held_out)} held out for validation)"
        )
    return TrainingData(
        train=[row.cut(max_length) for row in trained],
        train_lengths=[min(row.length, max_length) for row in trained],
        validation=[row.cut(max_length) for row in validating],
        validation_lengths=[min(row.length, max_length) for row in validating],
        validation_rows=[row.row for row in validating],
        drawn_rows=tuple(row.row.id for row in trained) if spec.data_share < 1 else None,
        account=RowAccount(
            given=len(encoded),
            used=len(kept) - len(truncated),
            truncated=len(truncated),
            truncated_ids=tuple(truncated),
            dropped=len(dropped),
            dropped_rows=tuple(dropped),
            train=len(trained),
            validation=len(validating),
        ),
        max_length=max_length,
        ends_turns=all(row.ends_turns for row in kept),
    )


def chosen_max_length(lengths: Sequence[int], wanted: int | None, context: int) -> int:
    """Maximum tokens per row: ``wanted``, else the 99th percentile rounded up to a multiple of 128, but never
    more than ``context``. Raises Refusal when ``wanted`` exceeds ``context``.
    """
    if wanted is not None:
        if wanted > context:
            raise Refusal(
                f"spec.json: max_length {wanted} is more than the base's context of {context} tokens"
            )
        return wanted
    if not lengths:
        return context
    percentile = sorted(lengths)[math.ceil(0.99 * len(lengths)) - 1]
    return min(context, math.ceil(percentile / LENGTH_STEP) * LENGTH_STEP)


def validation_ids(rows: Sequence[DataRow], spec: TrainingSpec) -> frozenset[str]:
    """Ids of the validation rows: the rows marked as such, else whole groups drawn with the seed."""
    if any(row.split is not None for row in rows):
        return frozenset(row.id for row in rows if row.split == "validation")
    if spec.validation_share == 0:
        return frozenset()
    most = int(len(rows) * LARGEST_VALIDATION_SHARE)
    wanted = min(max(round(spec.validation_share * len(rows)), SMALLEST_VALIDATION), LARGEST_VALIDATION, most)
    held_out: list[str] = []
    for group in _groups(rows, seed=spec.seed if spec.validation_seed is None else spec.validation_seed):
        if len(held_out) < wanted and len(held_out) + len(group) <= most:
            held_out += group
    return frozenset(held_out)


def drawn_ids(rows: Sequence[DataRow], spec: TrainingSpec) -> frozenset[str]:
    """Ids of the rows to train on: all, or whole groups in random order up to `data_share`.

    The last group may exceed the share if that comes nearer to it; the first group is always included.
    """
    if spec.data_share == 1:
        return frozenset(row.id for row in rows)
    wanted = spec.data_share * len(rows)
    drawn: list[str] = []
    for group in _groups(rows, seed=spec.seed):
        if drawn and abs(len(drawn) + len(group) - wanted) >= abs(len(drawn) - wanted):
            break
        drawn += group
    return frozenset(drawn)


def _groups(rows: Sequence[DataRow], *, seed: int) -> list[list[str]]:
    """Row ids by group, in an order drawn with the seed; a row without a group is a group of its own."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[("group", row.group) if row.group is not None else ("row", row.id)].append(row.id)
    order = sorted(groups)
    random.Random(seed).shuffle(order)
    return [groups[name] for name in order]
