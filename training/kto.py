"""What the objective kto needs of its rows beside their tokens (Ethayarajh et al. 2024)."""

import random
from collections.abc import Sequence
from typing import Any

from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE
from training.spec import ClassWeights


def class_weights(rows: Sequence[dict[str, Any]]) -> ClassWeights:
    """Weights under which both kinds of answers count the same; the more frequent kind has 1.

    Raises Refusal when one kind is missing.
    """
    desirable = sum(row["label"] for row in rows)
    undesirable = len(rows) - desirable
    if not desirable or not undesirable:
        kind = "good" if not desirable else "bad"
        raise Refusal(
            f"{DATA_FILE}: kto learns from the difference between good and bad answers, and none of the {len(rows)} rows "
            f"to train on has a {kind} one; add some, or use the objective sft"
        )
    return ClassWeights(
        desirable_rows=desirable,
        undesirable_rows=undesirable,
        desirable=max(1.0, undesirable / desirable),
        undesirable=max(1.0, desirable / undesirable),
    )


def in_batches(rows: Sequence[dict[str, Any]], batch_size: int, *, seed: int | None) -> list[dict[str, Any]]:
    """The rows in a drawn order, or without a seed as they are, each with the answer of another row
    (`KL_completion_ids`).

    With those the trainer estimates how far the model has moved on the whole. They come from the row's own
    batch, so the order is the one of the training: its sampler must be sequential.
    """
    order = list(rows)
    if seed is not None:
        random.Random(seed).shuffle(order)
    found = []
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        # A row alone in the last batch would be compared with itself.
        before = batch[-1] if len(batch) > 1 else order[start - 1]
        for row in batch:
            found.append({**row, "KL_completion_ids": before["completion_ids"]})
            before = row
    return found
