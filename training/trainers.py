"""TRL's preference trainers on rows that are encoded, cut and accounted for already.

TRL would encode them itself, and rows whose prompt fills its max_length would vanish without a word.
"""

from typing import Any

from trl import DPOTrainer, KTOTrainer

from run_directory.program import Interruption


class _OnPreparedRows:
    """Takes rows as they are, and compares with the model as it is at the start.

    The log-probabilities of that model are computed once, before the first step: no second model is kept
    in memory, and a checkpoint holds only what is trained.
    """

    def __init__(self, *, interruption: Interruption, **settings: Any) -> None:
        self._interruption = interruption
        super().__init__(**settings)
        # TRL's copy of an adapter, from which it computed them. A checkpoint with two adapters would be resumed
        # with the weights of neither.
        if "ref" in getattr(self.model, "peft_config", {}):  # type: ignore[attr-defined]  # the trainer's
            self.model.delete_adapter("ref")  # type: ignore[attr-defined]  # the trainer's

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        self._interruption.check()
        return super().compute_ref_log_probs(model, inputs)  # type: ignore[misc]  # the trainer's


class PairTrainer(_OnPreparedRows, DPOTrainer):
    """Rows have `prompt_ids`, `chosen_ids` and `rejected_ids`."""


class JudgementTrainer(_OnPreparedRows, KTOTrainer):
    """Rows have `prompt_ids`, `completion_ids`, `label` and `KL_completion_ids`."""
