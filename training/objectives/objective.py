"""What a training objective declares.

The web reads it too, so what it imports needs the standard library only; TRL is imported where a trainer is
made.
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
"""Weights of a base. From here upwards, or from `LARGE_RANK`, an adapter learns at the rate
for large ones.
"""


class Limit(NamedTuple):
    """The least and the most of a setting, and why they are not those of every training."""

    least: float
    most: float
    reason: str


class LearningRates(NamedTuple):
    """Those taken where none is chosen."""

    adapter: float
    full: float
    large_adapter: float | None = None
    """From `LARGE_RANK` or `LARGE_MODEL` upwards; None: as any adapter."""

    def __str__(self) -> str:
        large = (
            f"{self.large_adapter:g} from {LARGE_MODEL // 10**9} billion parameters or rank {LARGE_RANK}"
            " upwards, "
            if self.large_adapter
            else ""
        )
        return f"{self.adapter:g} ({large}{self.full:g} for full fine-tuning)"


class Curve(NamedTuple):
    """A number of each step beside the loss."""

    key: str
    """In the progress events and in the points of a run."""
    logged_as: str
    """What the trainer calls it."""
    label: str
    is_share: bool = False


class Objective(ABC):
    """What a model is trained for. A subclass is entered in `training.objectives.OBJECTIVES`."""

    key: ClassVar[str]
    """In spec.json and the API."""
    label: ClassVar[str]
    """What people call it."""
    purpose: ClassVar[str]
    """What it learns and when to use it: two sentences after its label and a colon."""
    row_type: ClassVar[type[DataRow]]
    """Which kind of rows it learns from."""
    fewest_rows: ClassVar[int] = 1
    """Fewer rows to train on are refused."""
    limits: ClassVar[Mapping[str, Limit]] = {}
    """By setting, where they are closer than those of every training."""
    learning_rates: ClassVar[LearningRates]
    curves: ClassVar[tuple[Curve, ...]] = ()
    uses_beta: ClassVar[bool] = False
    uses_loss_on: ClassVar[bool] = False
    has_reference: ClassVar[bool] = False
    """Whether the model is held to the one it starts as, whose log-probabilities are computed before the
    first step.
    """
    is_shareable: ClassVar[bool] = False
    """Whether several processes can train it together."""

    def learning_rate(self, method: str, *, rank: int = 0, parameters: int = 0) -> float:
        """The default for a method; of an adapter also its rank and the base's parameters count."""
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
        """The rows in tokens; ``rows`` are of its row type."""

    def set_by_rows(self, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
        """What follows from the rows to train on, for the report and for `trainer_settings`.
        Raises Refusal.
        """
        return {}

    def arranged(
        self, rows: Sequence[dict[str, Any]], batch_size: int, *, seed: int | None
    ) -> Sequence[dict[str, Any]]:
        """The rows as the trainer takes them; without a seed their order stays."""
        return rows

    @abstractmethod
    def trainer(self) -> tuple[Any, Any]:
        """TRL's trainer and the class of its arguments.

        The trainer takes the rows of `arranged` as they are (TRL's own encoding switched off, which
        ``has_reference`` does for its preference trainers), learns from the tokens alone that the encoded
        row counts, logs ``num_tokens`` with the loss, and keeps that number in ``_total_train_tokens``, from
        which a resumed training goes on.
        """

    @abstractmethod
    def trainer_settings(self, spec: "TrainingSpec", set_by_rows: Mapping[str, float]) -> dict[str, Any]:
        """Arguments of the trainer beside those of every training."""
