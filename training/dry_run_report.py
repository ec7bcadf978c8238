"""The report of a dry run: the result of `python -m training.dry_run`.

Standard library only.
"""

from dataclasses import dataclass
from typing import Literal

from run_directory.protocol import Device, Outcome
from run_directory.records import Record
from training.rows import SequenceName
from training.spec import Method, RowAccount

MUCH_SAMPLING = 0.25
"""A share of the time for sample answers from which it is worth saying."""


@dataclass(frozen=True, kw_only=True)
class TokenSpan(Record):
    """Neighbouring tokens with one part in the training."""

    part: Literal["read", "trained", "cut"]
    """read: the model sees them; trained: the loss counts them, too; cut: longer than the limit, not seen."""
    tokens: int
    beginning: tuple[str, ...]
    """The first tokens as text. A character that takes several tokens stands with them in one piece."""
    left_out: int
    """Tokens between beginning and end that are not written out."""
    end: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ShownSequence(Record):
    name: SequenceName
    spans: tuple[TokenSpan, ...]


@dataclass(frozen=True, kw_only=True)
class ShownRow(Record):
    id: str
    why: Literal["first", "middle", "longest"]
    length: int
    """Tokens of the whole row, uncut."""
    sequences: tuple[ShownSequence, ...]


@dataclass(frozen=True, kw_only=True)
class LengthBin(Record):
    first: int
    last: int
    """Both are lengths in tokens that the bin holds."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class TimedBatches(Record):
    """Batches that were run for the clock, and thrown away; one before them, which warms up,
    is not counted.
    """

    batches: int
    tokens: float
    """Of one batch on the whole, padding included."""
    seconds: float
    """Of one batch on the whole."""


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """A few batches trained on and evaluated, one checkpoint saved: what they took."""

    longest: TimedBatches
    """The batch of the longest rows, trained on: it needs the most memory."""
    usual: TimedBatches
    """Batches of the training's own lengths, trained on."""
    evaluation: TimedBatches | None
    """Batches of held-out rows, without training; None when no rows are held out."""
    building_seconds: float
    """Of making the first trainer, its libraries included."""
    warming_seconds: float
    """What the very first batch took above the next of its length."""
    saving_seconds: float
    """Of one checkpoint."""
    sampling_seconds: float = 0.0
    """Of the answers to the sample prompts, once."""
    updating_seconds: float = 0.0
    """What the optimiser takes of a usual batch's time; a training has it once a step, however many batches
    it accumulates.
    """


@dataclass(frozen=True, kw_only=True)
class Estimate(Record):
    """How long the training takes if it does not stop early: the sum of its parts, in seconds."""

    steps: int
    step_seconds: float
    """Of one optimiser step on batches of the usual length."""
    preparing_seconds: float
    """Reading the rows, loading the base, making the trainer and warming up, as measured; with an objective
    that has a reference also one pass with the model as it starts.
    """
    training_seconds: float
    evaluating_seconds: float
    """On the rows held out."""
    saving_seconds: float
    """Checkpoints, the best weights, and what is published."""
    sampling_seconds: float = 0.0
    """Of the answers to the sample prompts, at every evaluation."""

    @property
    def seconds(self) -> float:
        return (
            self.preparing_seconds
            + self.training_seconds
            + self.evaluating_seconds
            + self.sampling_seconds
            + self.saving_seconds
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what takes so long and need not."""
        share = self.sampling_seconds / self.seconds if self.seconds else 0.0
        if share < MUCH_SAMPLING:
            return ()
        sentence = (
            f"About {5 * round(20 * share)}% of the time is for sample answers; fewer prompts, shorter"
            " answers or fewer evaluations reduce it."
        )
        return (sentence,)


@dataclass(frozen=True, kw_only=True)
class Memory(Record):
    """What a training holds from its beginning to its end, whatever its batches are, in bytes."""

    weights: int
    """As they are loaded, the trained ones included."""
    gradients: int
    optimiser: int
    """Two moments of every trained weight."""
    device: int
    """What the device has in all; 0 where nothing says it."""

    @property
    def held(self) -> int:
        return self.weights + self.gradients + self.optimiser


@dataclass(frozen=True, kw_only=True)
class DryRunReport(Record):
    method: Method
    objective: str
    learning_rate: float
    set_by_rows: dict[str, float]
    """As in a training's report."""
    rows: RowAccount
    """Where every row would go."""
    max_length: int
    context: int
    """The most tokens that the base reads."""
    median_length: int
    longest_length: int
    lengths: tuple[LengthBin, ...]
    """Rows by their length, uncut; those with an empty answer are left out."""
    shown_rows: tuple[ShownRow, ...]
    trainable_parameters: int
    total_parameters: int
    trainable_share: float
    memory: Memory
    trial: Trial | None
    """None when the memory was not enough for it."""
    estimate: Estimate | None
    """There exactly when there is a trial."""
    notes: tuple[str, ...] = ()
    """The estimate's."""
    base_fingerprint: str
    chat_template_sha256: str
    device: Device
    packages: dict[str, str]
    seconds: float
    peak_memory_bytes: int
    """Of the device, in the trial: resident memory on the CPU, allocated memory on a GPU."""


@dataclass(frozen=True, kw_only=True)
class DryRunResult(Record):
    """result.json of a dry run."""

    program: Literal["training.dry_run"] = "training.dry_run"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    spec_sha256: str | None
    report: DryRunReport | None = None
    """There exactly when the outcome is `succeeded`."""
