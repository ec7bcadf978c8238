"""Kahneman-Tversky optimisation (Ethayarajh et al. 2024): single answers, each good or bad, weighted so that
both kinds count equally.
"""

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from run_directory.program import Refusal
from run_directory.protocol import DATA_FILE
from training.encoding import EncodedJudgement, encode_judgements
from training.objectives.objective import Curve, LearningRates, Limit, Objective
from training.rows import JudgedRow

if TYPE_CHECKING:
    from training.spec import TrainingSpec


class KahnemanTverskyOptimisation(Objective):
    key = "kto"
    label = "KTO"
    purpose = "learns to prefer answers rated good to those rated bad. For many ratings and few pairs."
    row_type = JudgedRow
    fewest_rows = 2
    limits = {"batch_size": Limit(2, 4096, "compares each row with another row of its batch")}
    learning_rates = LearningRates(adapter=5e-6, full=1e-6)
    # Beta times how much further the model has moved towards good answers than towards bad ones.
    curves = (Curve("margin", "rewards/margins", "Margin"),)
    uses_beta = True
    has_reference = True

    def encode(
        self, rows: Sequence[JudgedRow], tokenizer: Any, spec: "TrainingSpec"
    ) -> list[EncodedJudgement]:
        return encode_judgements(rows, tokenizer)

    def set_by_rows(self, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
        """Weights under which good and bad answers count equally; the more frequent kind has weight 1.

        Raises Refusal when one kind is missing.
        """
        desirable = sum(row["label"] for row in rows)
        undesirable = len(rows) - desirable
        if not desirable or not undesirable:
            kind = "good" if not desirable else "bad"
            raise Refusal(
                f"{DATA_FILE}: kto learns from the difference between good and bad answers, and none of the"
                f" {len(rows)} rows to train on has a {kind} one; add some, or use the objective sft"
            )
        return {
            "desirable_rows": desirable,
            "undesirable_rows": undesirable,
            "desirable_weight": max(1.0, undesirable / desirable),
            "undesirable_weight": max(1.0, desirable / undesirable),
        }

    def arranged(
        self, rows: Sequence[dict[str, Any]], batch_size: int, *, seed: int | None
    ) -> list[dict[str, Any]]:
        """The rows, shuffled if there is a seed, each with the answer of another row of its batch as
        `KL_completion_ids`.

        From these mismatched answers the trainer estimates how far the model has moved overall. They come
        from the row's own batch, so training must keep this order: its sampler must be sequential.
        """
        order = list(rows)
        if seed is not None:
            random.Random(seed).shuffle(order)
        found = []
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            # A single row in the last batch would be compared with itself.
            before = batch[-1] if len(batch) > 1 else order[start - 1]
            for row in batch:
                found.append({**row, "KL_completion_ids": before["completion_ids"]})
                before = row
        return found

    def trainer(self) -> tuple[Any, Any]:
        from trl import KTOConfig, KTOTrainer

        return KTOTrainer, KTOConfig

    def trainer_settings(self, spec: "TrainingSpec", set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        return {
            "beta": spec.beta,
            "desirable_weight": set_by_rows["desirable_weight"],
            "undesirable_weight": set_by_rows["undesirable_weight"],
        }
