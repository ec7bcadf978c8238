"""Rows of data.jsonl → token ids with labels on the answer alone, and an account of every row."""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.files import data_lines
from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE
from run_directory.records import require
from training.spec import DroppedRow, RowAccount, TrainingRow, TrainingSpec

IGNORED = -100
"""The label of a token that the loss does not count."""

LENGTH_STEP = 128
SMALLEST_VALIDATION = 32
LARGEST_VALIDATION = 500
LARGEST_VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class EncodedRow:
    row: TrainingRow
    prompt: list[int]
    completion: list[int]

    @property
    def length(self) -> int:
        return len(self.prompt) + len(self.completion)


@dataclass(frozen=True)
class TrainingData:
    train: list[dict[str, list[int]]]
    """Each with `input_ids` and `labels` of one length."""
    validation: list[dict[str, list[int]]]
    account: RowAccount
    max_length: int
    ends_turns: bool
    """Whether the chat template closes every answer with the end-of-sequence token."""


def read_rows(folder: Path, spec: TrainingSpec) -> list[TrainingRow]:
    """All rows of a run directory's data.jsonl. Raises RecordError naming the line and the field."""
    rows = []
    seen: set[str] = set()
    for where, line in data_lines(
        folder / DATA_FILE, expected_rows=spec.rows, expected_sha256=spec.data_sha256
    ):
        row = TrainingRow.from_json(line, where=where)
        require(row.id not in seen, where, f"the id {row.id!r} stands twice")
        seen.add(row.id)
        rows.append(row)
    marked = sum(row.split is not None for row in rows)
    require(
        marked in (0, len(rows)),
        DATA_FILE,
        f"split is given for {marked} of {len(rows)} rows: give all or none",
    )
    return rows


def prepare(rows: Sequence[TrainingRow], spec: TrainingSpec, tokenizer: Any, context: int) -> TrainingData:
    """Encode, cut and split the rows. No row vanishes: each is used, cut, or dropped with a reason.

    A row longer than the limit loses the end of its answer; it is dropped when its prompt alone fills the
    limit, or when its answer is empty. Raises Refusal when nothing is left to train on.
    """
    encoded = encode(rows, tokenizer)
    filled = [row for row in encoded if row.row.completion[0].content.strip()]
    dropped = [
        DroppedRow(id=row.row.id, reason="empty_completion")
        for row in encoded
        if not row.row.completion[0].content.strip()
    ]
    max_length = chosen_max_length([row.length for row in filled], spec.max_length, context)
    kept = [row for row in filled if len(row.prompt) < max_length]
    dropped += [
        DroppedRow(id=row.row.id, reason="prompt_too_long") for row in filled if len(row.prompt) >= max_length
    ]
    truncated = [row.row.id for row in kept if row.length > max_length]
    held_out = validation_ids([row.row for row in kept], spec)
    train = [labelled(row, max_length) for row in kept if row.row.id not in held_out]
    if not train:
        raise Refusal(
            f"{DATA_FILE}: none of the {len(rows)} rows is left to train on "
            f"({len(dropped)} dropped, {len(held_out)} held out for validation)"
        )
    end = tokenizer.eos_token_id
    return TrainingData(
        train=train,
        validation=[labelled(row, max_length) for row in kept if row.row.id in held_out],
        account=RowAccount(
            given=len(rows),
            used=len(kept) - len(truncated),
            truncated=len(truncated),
            truncated_ids=tuple(truncated),
            dropped=len(dropped),
            dropped_rows=tuple(dropped),
            train=len(train),
            validation=len(kept) - len(train),
        ),
        max_length=max_length,
        ends_turns=all(end in row.completion for row in kept),
    )


def encode(rows: Sequence[TrainingRow], tokenizer: Any) -> list[EncodedRow]:
    """Token ids of each row's prompt and answer.

    The prompt is encoded by itself, with the template's opening of an answer, exactly as generation
    encodes it: encoded as one text, a token could reach across the border. What the template writes after
    the end of the turn is left out, since no model gets to generate it.
    """
    prompts, completions = [], []
    for row in rows:
        turns = [turn.to_dict() for turn in (*row.prompt, *row.completion)]
        prompt = tokenizer.apply_chat_template(turns[:-1], tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(turns, tokenize=False)
        if not whole.startswith(prompt):
            raise Refusal(
                f"{DATA_FILE} row {row.id!r}: the base's chat template writes the prompt differently once the answer "
                "follows, so the answer's tokens cannot be told apart; mend the template"
            )
        prompts.append(prompt)
        completions.append(whole[len(prompt) :])
    prompt_ids = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    completion_ids = tokenizer(completions, add_special_tokens=False)["input_ids"]
    return [
        EncodedRow(row, prompt, _up_to_last(completion, tokenizer.eos_token_id))
        for row, prompt, completion in zip(rows, prompt_ids, completion_ids, strict=True)
    ]


def chosen_max_length(lengths: Sequence[int], wanted: int | None, context: int) -> int:
    """Tokens that a row may have: as wanted, else the 99th percentile rounded up to 128; at most `context`."""
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


def validation_ids(rows: Sequence[TrainingRow], spec: TrainingSpec) -> frozenset[str]:
    """Ids of the rows held out: those marked, else whole groups drawn with the seed."""
    if any(row.split is not None for row in rows):
        return frozenset(row.id for row in rows if row.split == "validation")
    if spec.validation_share == 0:
        return frozenset()
    most = int(len(rows) * LARGEST_VALIDATION_SHARE)
    wanted = min(max(round(spec.validation_share * len(rows)), SMALLEST_VALIDATION), LARGEST_VALIDATION, most)
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        groups[("group", row.group) if row.group is not None else ("row", row.id)].append(row.id)
    order = sorted(groups)
    random.Random(spec.seed).shuffle(order)  # noqa: S311  # a draw to be repeated, not a secret
    held_out: list[str] = []
    for name in order:
        if len(held_out) < wanted and len(held_out) + len(groups[name]) <= most:
            held_out += groups[name]
    return frozenset(held_out)


def labelled(row: EncodedRow, max_length: int) -> dict[str, list[int]]:
    """Input ids and labels of a row, cut to the length."""
    return {
        "input_ids": (row.prompt + row.completion)[:max_length],
        "labels": ([IGNORED] * len(row.prompt) + row.completion)[:max_length],
    }


def _up_to_last(tokens: list[int], end: int | None) -> list[int]:
    if end not in tokens:
        return tokens
    return tokens[: len(tokens) - tokens[::-1].index(end)]
