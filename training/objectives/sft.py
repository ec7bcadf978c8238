"""Supervised fine-tuning on conversations; the loss counts the closing answer or every assistant turn."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.encoding import EncodedAnswers, encode_answers
from training.objectives.objective import LearningRates, Objective
from training.rows import TrainingRow

if TYPE_CHECKING:
    from training.spec import TrainingSpec


class SupervisedFineTuning(Objective):
    key = "sft"
    label = "SFT"
    purpose = "learns the given answers. The first method to use, whenever there are good answers."
    row_type = TrainingRow
    learning_rates = LearningRates(adapter=2e-4, large_adapter=1e-4, full=2e-5)
    uses_loss_on = True
    is_shareable = True

    def encode(
        self, rows: Sequence[TrainingRow], tokenizer: Any, spec: "TrainingSpec"
    ) -> list[EncodedAnswers]:
        return encode_answers(rows, tokenizer, spec.loss_on)

    def trainer(self) -> tuple[Any, Any]:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer, SFTConfig

    def trainer_settings(self, spec: "TrainingSpec", set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        return {
            "dataset_kwargs": {"skip_prepare_dataset": True},
            "pad_to_multiple_of": None,
            "packing": False,
        }
