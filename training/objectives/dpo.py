"""Direct preference optimisation (Rafailov et al. 2023): makes chosen answers more likely and rejected ones
less, relative to the initial model.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.encoding import EncodedPair, encode_pairs
from training.objectives.objective import Curve, LearningRates, Objective
from training.rows import PreferenceRow

if TYPE_CHECKING:
    from training.spec import TrainingSpec


class DirectPreferenceOptimisation(Objective):
    key = "dpo"
    label = "DPO"
    purpose = (
        "learns to prefer the better of two answers. For use after SFT, with pairs from"
        " corrections or comparisons."
    )
    row_type = PreferenceRow
    learning_rates = LearningRates(adapter=5e-6, full=1e-6)
    curves = (
        # Beta times how much further the model has moved towards the chosen answers than towards the rejected
        # ones.
        Curve("margin", "rewards/margins", "Margin"),
        # Share of the step's pairs in which the model has moved towards the chosen answer.
        Curve("preferred_share", "rewards/accuracies", "Preferred", is_share=True),
    )
    uses_beta = True
    has_reference = True

    def encode(
        self, rows: Sequence[PreferenceRow], tokenizer: Any, spec: "TrainingSpec"
    ) -> list[EncodedPair]:
        return encode_pairs(rows, tokenizer)

    def trainer(self) -> tuple[Any, Any]:
        from trl import DPOConfig, DPOTrainer

        return DPOTrainer, DPOConfig

    def trainer_settings(self, spec: "TrainingSpec", set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        return {"beta": spec.beta}
