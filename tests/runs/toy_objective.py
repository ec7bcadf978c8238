"""An objective of the tests, and the training program with it: `python -m tests.runs.toy_objective -m
training RUN_DIR`.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from training import objectives
from training.encoding import EncodedAnswers, encode_answers
from training.objectives.objective import Curve, LearningRates, Limit, Objective
from training.rows import PreferenceRow, TrainingRow
from training.spec import TrainingSpec


class BetterAnswers(Objective):
    """Supervised fine-tuning on the better answer of each pair, labels smoothed by beta."""

    key = "better"
    label = "Better"
    purpose = "learn the better answer of each pair. In tests alone."
    row_type = PreferenceRow
    fewest_rows = 5
    limits = {"batch_size": Limit(2, 64, "wants small batches")}
    learning_rates = LearningRates(adapter=3e-5, full=1e-5)
    curves = (Curve("token_accuracy", "mean_token_accuracy", "Token accuracy", is_share=True),)
    uses_beta = True

    def encode(
        self, rows: Sequence[PreferenceRow], tokenizer: Any, spec: TrainingSpec
    ) -> list[EncodedAnswers]:
        better = [
            TrainingRow(id=row.id, prompt=row.prompt, group=row.group, split=row.split, completion=row.chosen)
            for row in rows
        ]
        return encode_answers(better, tokenizer, "completion")

    def trainer(self) -> tuple[Any, Any]:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer, SFTConfig

    def trainer_settings(self, spec: TrainingSpec, set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        return {"dataset_kwargs": {"skip_prepare_dataset": True}, "label_smoothing_factor": spec.beta}


WITH_IT = (*objectives.OBJECTIVES, BetterAnswers())


def main() -> int:
    if sys.argv[1] == "-c":  # asked which libraries are missing
        print("[]")
        return 0
    objectives.OBJECTIVES = WITH_IT
    from training.__main__ import main as train

    return train(sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
