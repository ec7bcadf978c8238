"""spec.json and result.json of a training run. Standard library only; the lines of data.jsonl are in
`training.rows`.
"""

from dataclasses import dataclass, field
from typing import Literal

from run_directory.adapters import HIGHEST_ALPHA, HIGHEST_RANK
from run_directory.protocol import Device, Outcome
from run_directory.records import Record, require, require_within
from training.objectives import OBJECTIVES, find_objective, objective_of

Method = Literal["lora", "rslora", "dora", "qlora", "full"]
"""What is trained: lora, rslora and qlora produce an adapter; dora and full produce a full model."""

MODEL_MAKERS: frozenset[Method] = frozenset({"dora", "full"})
"""Methods that produce a full model, because no engine loads their weights as an adapter."""

MOST_EPOCHS = 1_000
MOST_SAMPLE_PROMPTS = 20
MOST_SAMPLE_TOKENS = 1024

LORA_LIMITS = {"rank": (1, HIGHEST_RANK), "alpha": (1, HIGHEST_ALPHA)}
TRAINING_LIMITS = {
    "learning_rate": (1e-12, 1),
    "warmup_share": (0, 1),
    "weight_decay": (0, 10),
    "max_gradient_norm": (1e-6, 1_000_000),
    "max_steps": (1, 10_000_000),
    "batch_size": (1, 4096),
    "accumulation_steps": (1, 4096),
    "max_length": (1, 10_000_000),
    "sample_prompts": (0, MOST_SAMPLE_PROMPTS),
    "sample_tokens": (1, MOST_SAMPLE_TOKENS),
    "patience": (1, 1_000_000),
    "evaluations": (1, 10_000),
    "threads": (1, 4096),
    "checkpoint_steps": (1, 10_000_000),
    "seed": (0, 2**32 - 1),
    "validation_seed": (0, 2**32 - 1),
}
"""Inclusive minimum and maximum of each number; beyond them a training would fail or never end."""


def is_shareable(method: object, objective: object) -> bool:
    """Whether several processes can share one training."""
    found = find_objective(objective)
    return found is not None and found.is_shareable and method != "qlora"


@dataclass(frozen=True, kw_only=True)
class LoraParameters(Record):
    """Low-rank adaptation (Hu et al. 2021); the output head is never adapted."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"

    def check(self, where: str) -> None:
        require_within(self, LORA_LIMITS, where)
        require(0 <= self.dropout < 1, where, f"dropout {self.dropout} is not between 0 and 1")
        require(self.target_modules and all(self.target_modules), where, "target_modules names no layer")
        require(
            "lm_head" not in self.target_modules,
            where,
            "lm_head cannot be adapted, because no engine serves it",
        )


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Record):
    """spec.json: everything that determines a training. Folders are absolute or relative to the run
    directory.
    """

    format: Literal[1] = 1
    method: Method = "lora"
    objective: str = OBJECTIVES[0].key
    """Key of one of `training.objectives`. It determines the kind of lines in data.jsonl."""
    loss_on: Literal["completion", "assistant"] = "completion"
    """The closing answer alone, or every assistant turn of the conversation; for objectives that use it."""
    beta: float = 0.1
    """How strongly the model is kept close to its initial state, for objectives that use it."""
    base_folder: str
    """A model in transformers' layout, weights as safetensors, with tokenizer and chat template."""
    continue_from: str | None = None
    """Adapter folder whose weights are trained further; it determines the LoRA shape. None: a new adapter. An
    objective with a reference then takes that adapter as the initial state.
    """
    rows: int
    """Lines of data.jsonl; a file with another count is rejected."""
    data_sha256: str | None = None
    """SHA-256 of data.jsonl, checked when given."""

    lora: LoraParameters = field(default_factory=LoraParameters)
    learning_rate: float | None = None
    """None: the objective's default for the method."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup_share: float = 0.03
    """Share of all steps in which the learning rate rises from zero."""
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    epochs: float = 2.0
    max_steps: int | None = None
    """Optimiser steps; when given, `epochs` is ignored."""
    batch_size: int = 8
    """Rows in one forward pass."""
    accumulation_steps: int = 2
    """Forward passes in one optimiser step; the effective batch is the product."""
    max_length: int | None = None
    """Tokens of prompt and completion (of a pair, the longer answer). None: the data's 99th percentile
    rounded up to a multiple of 128, at most the model's context.
    """
    validation_share: float = 0.05
    """Share of the rows held out for validation, whole groups at a time: at least 32 and at most 500 rows,
    but never more than a fifth. Ignored when rows of data.jsonl are marked; 0 holds none out.
    """
    validation_seed: int | None = None
    """Seed of that draw; None: `seed`. Trainings to be compared need the same one."""
    data_share: float = 1.0
    """Share of the training rows to draw with the seed, whole groups at a time; a smaller share is a subset
    of a larger one. The others are dropped as not_drawn. The validation rows stay the same.
    """
    patience: int | None = 3
    """Training stops after this many evaluations without a better validation loss. None: never."""
    evaluations: int = 10
    """Number of evaluations over the whole run, evenly spaced, the last at the end."""
    sample_prompts: int = 3
    """Number of validation prompts that the model answers at each evaluation, to show its progress."""
    sample_tokens: int = 64
    """Maximum tokens of a sample answer."""
    seed: int = 42
    dtype: Literal["auto", "bf16", "fp32"] = "auto"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    """CPU threads. None: every core that this process may use."""
    gradient_checkpointing: bool = False
    """Recompute activations to save memory; the results are the same."""
    checkpoint_steps: int = 10
    """Optimiser steps between checkpoints: the most that a kill can lose."""

    def check(self, where: str) -> None:
        require(self.rows >= 1, where, "rows: there is nothing to train on")
        require_within(self, TRAINING_LIMITS, where)
        require(0 < self.beta <= 10, where, f"beta {self.beta} is not above 0 and at most 10")
        objective_of(self.objective, f"{where}: objective").check(self, where)
        require(
            self.continue_from is None or self.method not in MODEL_MAKERS,
            where,
            f"continue_from: the method {self.method} produces a full model and cannot start from an"
            " adapter; use the adapter's own method, or a full model as the base",
        )
        require(
            0 < self.epochs <= MOST_EPOCHS,
            where,
            f"epochs {self.epochs:g} is not above 0 and at most {MOST_EPOCHS:,}",
        )
        require(0 <= self.validation_share < 1, where, "validation_share is not between 0 and 1")
        require(0 < self.data_share <= 1, where, f"data_share {self.data_share} is not above 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class DroppedRow(Record):
    id: str
    reason: Literal["prompt_too_long", "empty_completion", "same_answers", "not_drawn"]
    """same_answers: both answers of a pair are equal, at least after truncation. not_drawn: `data_share` left
    the row out.
    """


@dataclass(frozen=True, kw_only=True)
class RowAccount(Record):
    """Where every row went: given = used + truncated + dropped."""

    given: int
    used: int
    """Kept whole, in training or validation."""
    truncated: int
    """Cut at the end to `max_length`, then used."""
    truncated_ids: tuple[str, ...]
    dropped: int
    dropped_rows: tuple[DroppedRow, ...]
    train: int
    """Used and truncated rows for training; a training of less than one pass does not read them all."""
    validation: int
    """Used and truncated rows held out for validation."""

    @property
    def not_drawn(self) -> int:
        """Number of dropped rows that `data_share` left out."""
        return sum(row.reason == "not_drawn" for row in self.dropped_rows)


@dataclass(frozen=True, kw_only=True)
class StepLoss(Record):
    step: int
    loss: float


@dataclass(frozen=True, kw_only=True)
class TrainingReport(Record):
    """What a finished training was and did."""

    method: Method
    objective: str
    learning_rate: float
    set_by_rows: dict[str, float]
    """Settings that the objective derived from the rows, such as class weights; empty for most objectives."""
    rows: RowAccount
    max_length: int
    steps: int
    """Optimiser steps done."""
    epochs: float
    losses: tuple[StepLoss, ...]
    """Mean training loss of each optimiser step, over all attempts."""
    validation_losses: tuple[StepLoss, ...]
    kept_step: int
    """The step whose weights were kept: the best on validation, else the last."""
    trainable_parameters: int
    total_parameters: int
    trainable_share: float
    tokens: int
    """Training tokens seen over all attempts, without padding."""
    resumed_from: int | None
    """The step that the last attempt continued from."""
    continued_from_sha256: str | None
    """SHA-256 of the adapter whose weights were trained further."""
    adapter_sha256: str | None
    """SHA-256 of adapter_model.safetensors; None for a full model."""
    model_fingerprint: str | None
    """Fingerprint of the full model's weights; None for an adapter."""
    base_fingerprint: str
    chat_template_sha256: str
    device: Device
    packages: dict[str, str]
    seconds: float
    """Wall time over all attempts, including loading but not the time between attempts."""
    peak_memory_bytes: int
    """Resident memory on the CPU, allocated memory on a GPU."""
    drawn_rows: tuple[str, ...] | None = None
    """Ids of the training rows if `data_share` drew a part, else None."""
    processes: int = 1
    """Number of processes that trained together, each on a device like `device`."""
    planned_steps: int | None = None
    """The steps without early stopping; None in a report of an earlier release."""


@dataclass(frozen=True, kw_only=True)
class TrainingResult(Record):
    """result.json."""

    program: Literal["training"] = "training"
    format: Literal[1] = 1
    outcome: Outcome
    exit_code: int
    message: str
    """One sentence for a person: what was done, or what was wrong, where, and how to fix it."""
    spec_sha256: str | None
    """SHA-256 of spec.json's bytes; None when it could not be read."""
    report: TrainingReport | None = None
    """Set if and only if the outcome is `succeeded`."""


@dataclass(frozen=True, kw_only=True)
class TrainingProgress(Record):
    """`fields` of a training run's progress events, beside the objective's curves. The events' step and total
    count optimiser steps.
    """

    loss: float
    learning_rate: float
    gradient_norm: float
    tokens_per_second: float
    """Over this attempt's steps, without the time of evaluations and sample answers."""
    epoch: float
    eta_seconds: float
    tokens: int
    """Training tokens seen so far over all attempts, without padding."""
    seconds: float
    """Wall time so far, over all attempts."""
    peak_memory_bytes: int
    """Peak of this attempt, measured as in the report."""
    memory_limit_bytes: int | None
    """Memory of the device, or the part that this process may use; None if unknown."""


@dataclass(frozen=True, kw_only=True)
class ValidationMetrics(Record):
    """`fields` of a training run's metrics events."""

    validation_loss: float
    best_validation_loss: float
    best_step: int


@dataclass(frozen=True, kw_only=True)
class SampleAnswer(Record):
    """The greedy answer of the model in training to a validation row's prompt, up to `sample_tokens`
    tokens.
    """

    row: str
    """The id of the row in data.jsonl."""
    text: str
    is_whole: bool
    """Whether the model ended the answer, rather than the token limit."""


@dataclass(frozen=True, kw_only=True)
class SampleAnswers(Record):
    """`fields` of a training run's samples events: the same prompts each time, in the same order."""

    answers: tuple[SampleAnswer, ...]
