"""The interface of a training objective.

The web application imports it too, so its imports need the standard library only; TRL is imported where a
trainer is created.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from run_directory.records import require
from training.encoding import EncodedRow
from training.rows import DataRow

if TYPE_CHECKING:
    from training.spec import TrainingSpec

LARGE_RANK = 64
LARGE_MODEL = 8_000_000_000
"""Weights of a base. From this number, or from rank `LARGE_RANK`, adapters use the learning rate for large
ones.
"""


class Limit(NamedTuple):
    """Minimum and maximum of a setting, and why they differ from those of every training."""

    least: float
    most: float
    reason: str


class LearningRates(NamedTuple):
    """Default learning rates."""

    adapter: float
    full: float
    large_adapter: float | None = None
    """From `LARGE_RANK` or `LARGE_MODEL` upwards; None: same as `adapter`."""

    def __str__(self) -> str:
        large = (
            f"{self.large_adapter:g} from {LARGE_MODEL // 10**9} billion parameters or rank {LARGE_RANK}"
            " upwards, "
            if self.large_adapter
            else ""
        )
        return f"{self.adapter:g} ({large}{self.full:g} for full fine-tuning)"


class Curve(NamedTuple):
    """A number logged at each step beside the loss."""

    key: str
    """Name in the progress events and in the points of a run."""
    logged_as: str
    """Name in the trainer's log."""
    label: str
    is_share: bool = False


class Objective(ABC):
    """What a model is trained for. Register subclasses in `training.objectives.OBJECTIVES`."""

    key: ClassVar[str]
    """Name in spec.json and the API."""
    label: ClassVar[str]
    """Name shown to people."""
    purpose: ClassVar[str]
    """What it learns and when to use it: two sentences that follow the label and a colon."""
    row_type: ClassVar[type[DataRow]]
    """The kind of rows that it learns from."""
    fewest_rows: ClassVar[int] = 1
    """Minimum number of rows to train on."""
    limits: ClassVar[Mapping[str, Limit]] = {}
    """By setting, where they are tighter than those of every training."""
    learning_rates: ClassVar[LearningRates]
    curves: ClassVar[tuple[Curve, ...]] = ()
    uses_beta: ClassVar[bool] = False
    uses_loss_on: ClassVar[bool] = False
    has_reference: ClassVar[bool] = False
    """Whether the model is kept close to its initial state, whose log-probabilities are computed before the
    first step.
    """
    is_shareable: ClassVar[bool] = False
    """Whether several processes can share one training."""

    def learning_rate(self, method: str, *, rank: int = 0, parameters: int = 0) -> float:
        """The default learning rate for a method; for an adapter it depends on its rank and the base's
        parameters.
        """
        rates = self.learning_rates
        if method == "full":
            return rates.full
        is_large = rank >= LARGE_RANK or parameters >= LARGE_MODEL
        return rates.large_adapter if is_large and rates.large_adapter else rates.adapter

    def check(self, spec: "TrainingSpec", where: str) -> None:
        """Raises RecordError for settings that do not fit the objective."""
        require(
            self.uses_loss_on or spec.loss_on == "completion",
            where,
            f'loss_on "assistant" is not for the objective {self.key}, which learns from closing answers'
            " alone",
        )
        for name, limit in self.limits.items():
            value = getattr(spec, name)
            require(
                value is None or limit.least <= value <= limit.most,
                where,
                f"{name} {value} is not between {limit.least:,} and {limit.most:,}: {self.key}"
                f" {limit.reason}",
            )

    @abstractmethod
    def encode(self, rows: Sequence[Any], tokenizer: Any, spec: "TrainingSpec") -> Sequence[EncodedRow]:
        """Encode rows of the objective's row type as tokens."""

    def set_by_rows(self, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
        """Settings derived from the training rows, for the report and for `trainer_settings`. Raises
        Refusal.
        """
        return {}

    def arranged(
        self, rows: Sequence[dict[str, Any]], batch_size: int, *, seed: int | None
    ) -> Sequence[dict[str, Any]]:
        """The rows as the trainer reads them; without a seed their order is kept."""
        return rows

    @abstractmethod
    def trainer(self) -> tuple[Any, Any]:
        """TRL's trainer class and the class of its arguments.

        The trainer must take the rows of `arranged` as they are (with TRL's own encoding off, which
        ``has_reference`` does for TRL's preference trainers), learn only from the tokens that the encoded row
        counts, log ``num_tokens`` with the loss, and keep that number in ``_total_train_tokens``, from which
        a resumed training continues.
        """

    @abstractmethod
    def trainer_settings(self, spec: "TrainingSpec", set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        """The objective's trainer arguments, in addition to those of every training."""
