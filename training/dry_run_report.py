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
"""Share of the total time above which the report mentions sample answers."""


@dataclass(frozen=True, kw_only=True)
class TokenSpan(Record):
    """Consecutive tokens that training treats alike."""

    part: Literal["read", "trained", "cut"]
    """read: the model sees them; trained: the loss counts them too; cut: beyond the length limit, not
    seen.
    """
    tokens: int
    beginning: tuple[str, ...]
    """Text of the first tokens. Tokens that together form one character are one piece."""
    left_out: int
    """Number of tokens between `beginning` and `end` whose text is omitted."""
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
    """Tokens of the whole row, before truncation."""
    sequences: tuple[ShownSequence, ...]


@dataclass(frozen=True, kw_only=True)
class LengthBin(Record):
    first: int
    last: int
    """Both bounds are inclusive, in tokens."""
    rows: int


@dataclass(frozen=True, kw_only=True)
class TimedBatches(Record):
    """Batches run to measure time, then discarded; a warm-up batch before them is not counted."""

    batches: int
    tokens: float
    """Mean per batch, including padding."""
    seconds: float
    """Mean per batch."""


@dataclass(frozen=True, kw_only=True)
class Trial(Record):
    """Measured times of a trial: a few training and evaluation batches and one checkpoint."""

    longest: TimedBatches
    """Training batches of the longest rows, which need the most memory."""
    usual: TimedBatches
    """Training batches of typical lengths."""
    evaluation: TimedBatches | None
    """Batches of validation rows, without training; None without validation rows."""
    building_seconds: float
    """Time to create the first trainer, including library imports."""
    warming_seconds: float
    """Extra time of the very first batch over the next one of its length."""
    saving_seconds: float
    """Time to write one checkpoint."""
    sampling_seconds: float = 0.0
    """Time to answer the sample prompts once."""
    updating_seconds: float = 0.0
    """The optimiser's part of a typical batch's time. It occurs once a step, however many batches a step
    accumulates.
    """


@dataclass(frozen=True, kw_only=True)
class Estimate(Record):
    """Estimated time of a training that does not stop early: the sum of its parts, in seconds."""

    steps: int
    step_seconds: float
    """One optimiser step on batches of typical length."""
    preparing_seconds: float
    """Reading the rows, loading the base, creating the trainer and warming up, as measured; with an objective
    that has a reference, also one pass of the initial model over all rows.
    """
    training_seconds: float
    evaluating_seconds: float
    """Evaluation on the validation rows."""
    saving_seconds: float
    """Writing the checkpoints, the best weights and the published result."""
    sampling_seconds: float = 0.0
    """Answering the sample prompts at every evaluation."""

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
        """Advice about parts that take avoidable time."""
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
    """Memory in bytes that a training uses throughout, whatever its batches are."""

    weights: int
    """All weights as loaded, including the trained ones."""
    gradients: int
    optimiser: int
    """Two moments of every trained weight."""
    device: int
    """Total memory of the device; 0 if unknown."""

    @property
    def held(self) -> int:
        return self.weights + self.gradients + self.optimiser


@dataclass(frozen=True, kw_only=True)
class DryRunReport(Record):
    method: Method
    objective: str
    learning_rate: float
    set_by_rows: dict[str, float]
    """As in TrainingReport."""
    rows: RowAccount
    """What would happen to every row."""
    max_length: int
    context: int
    """Maximum number of tokens that the base reads."""
    median_length: int
    longest_length: int
    lengths: tuple[LengthBin, ...]
    """Histogram of row lengths before truncation, without rows that have an empty answer."""
    shown_rows: tuple[ShownRow, ...]
    trainable_parameters: int
    total_parameters: int
    trainable_share: float
    memory: Memory
    trial: Trial | None
    """None when the memory did not suffice."""
    estimate: Estimate | None
    """Set if and only if `trial` is."""
    notes: tuple[str, ...] = ()
    """Same as `estimate.notes`."""
    base_fingerprint: str
    chat_template_sha256: str
    device: Device
    packages: dict[str, str]
    seconds: float
    peak_memory_bytes: int
    """Peak of the trial: resident memory on the CPU, allocated memory on a GPU."""


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
    """Set if and only if the outcome is `succeeded`."""
