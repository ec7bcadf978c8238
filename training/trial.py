"""A few batches trained on and thrown away: how much time and memory the training would take."""

import math
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from run_directory.machine import peak_memory_bytes
from run_directory.memory import is_out_of_memory
from run_directory.protocol import CHECKPOINTS_FOLDER, Device
from training.checkpoints import evaluation_interval, mark_complete
from training.look_report import Estimate, TimedBatches, Trial
from training.loop import LoadedRun, exact_trainer
from training.recipes import make_trainer
from training.spec import MODEL_MAKERS, TrainingSpec

BATCHES = 3
"""Of each kind; the first of them warms up."""


class Clock(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Takes the time of each step, and of a checkpoint after the last."""

    def __init__(self, run: LoadedRun) -> None:
        self.run = run
        self.steps: list[float] = []
        self.saving = 0.0
        self._since = 0.0

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.run.directory.interruption.check()
        self._since = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.run.device.kind == "cuda":
            import torch

            torch.cuda.synchronize()
        now = time.monotonic()
        self.steps.append(now - self._since)
        self._since = now
        control.should_save = state.global_step >= state.max_steps

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self.saving = time.monotonic() - self._since


def tried(run: LoadedRun) -> Trial | None:
    """Train on the longest batch and on drawn ones; None when the memory is not enough for them.

    The weights of ``run.model`` are changed by it, and nothing of them is kept.
    """
    directory, data, spec = run.directory, run.data, run.spec
    directory.events.write("stage", "Trying the longest batch.", name="trial")
    by_length = sorted(range(len(data.train)), key=lambda position: -data.train_lengths[position])
    order = random.Random(spec.seed).sample(range(len(data.train)), len(data.train))  # noqa: S311  # no secret
    try:
        longest = _timed(run, by_length[: spec.batch_size])
        directory.events.write("stage", "Trying usual batches.", name="trial")
        usual = _timed(run, order[: BATCHES * spec.batch_size])
    except Exception as error:
        # Devices and libraries tell a lack of memory by exceptions of many types; all others go on.
        if not is_out_of_memory(error):
            raise
        directory.events.write(
            "warning", "The memory is not enough for the longest batch.", name="out_of_memory"
        )
        return None
    finally:
        shutil.rmtree(directory.folder / CHECKPOINTS_FOLDER, ignore_errors=True)
    return Trial(
        longest=longest.batches,
        usual=usual.batches,
        # Only the first loads libraries.
        building_seconds=longest.building,
        evaluation_seconds=usual.evaluating,
        saving_seconds=usual.saving,
    )


class _Timed(NamedTuple):
    """Seconds of making the trainer, of one batch without training, and of a checkpoint."""

    batches: TimedBatches
    building: float
    evaluating: float
    saving: float


def _timed(run: LoadedRun, positions: Sequence[int]) -> _Timed:
    """Train on batches of these rows, by a trainer of their own."""
    data, spec = run.data, replace(run.spec, accumulation_steps=1)
    lengths = [data.train_lengths[position] for position in positions]
    some = replace(
        data,
        train=[data.train[position] for position in positions],
        train_lengths=lengths,
        validation=data.validation[: spec.batch_size],
    )
    part = replace(run, begun=replace(run.begun, spec=spec), data=some, steps=BATCHES)
    clock = Clock(part)
    started = time.monotonic()
    trainer = exact_trainer(part, partial(make_trainer, part), clock)
    building = time.monotonic() - started
    trainer.train()
    evaluating = 0.0
    # The first warms up.
    for _ in range(2 if some.validation else 0):
        started = time.monotonic()
        trainer.evaluate()
        evaluating = time.monotonic() - started
    batches = TimedBatches(
        batches=BATCHES, tokens=padded_tokens(lengths, spec), seconds=fmean(clock.steps[1:])
    )
    return _Timed(batches, building, evaluating, clock.saving)


def padded_tokens(lengths: Sequence[int], spec: TrainingSpec) -> float:
    """Mean tokens of a batch, padding included, when rows of these lengths are drawn with the seed."""
    order = list(lengths)
    random.Random(spec.seed).shuffle(order)  # noqa: S311  # a draw to be repeated, not a secret
    size = spec.batch_size
    batches = [order[start : start + size] for start in range(0, len(order), size)]
    return fmean(len(batch) * max(batch) for batch in batches)


def estimate(run: LoadedRun, trial: Trial, *, loaded_seconds: float) -> Estimate:
    """The whole training's time from the trial's; ``loaded_seconds`` is what reading and loading took."""
    spec, data = run.spec, run.data
    step = spec.accumulation_steps * batch_seconds(trial, padded_tokens(data.train_lengths, spec))
    evaluations = _evaluations(spec, run.steps) if data.validation else 0
    held_out = math.ceil(len(data.validation) / spec.batch_size)
    # The best weights are written at most at each evaluation.
    savings = math.ceil(run.steps / spec.checkpoint_steps) + evaluations
    preparing = loaded_seconds + trial.building_seconds
    if spec.objective != "sft":
        # A forward pass is about a third of a step with its two passes.
        passes = math.ceil(len(data.train) / spec.batch_size) + held_out
        preparing += passes * (trial.evaluation_seconds if held_out else trial.usual.seconds / 3)
    return Estimate(
        steps=run.steps,
        step_seconds=step,
        preparing_seconds=preparing,
        training_seconds=run.steps * step,
        evaluating_seconds=evaluations * held_out * trial.evaluation_seconds,
        saving_seconds=savings * trial.saving_seconds
        # A whole model is put together from the base once more.
        + (loaded_seconds if spec.method in MODEL_MAKERS else 0),
    )


def batch_seconds(trial: Trial, tokens: float) -> float:
    """Seconds of a batch of so many padded tokens, on the line through the two kinds that were timed."""
    usual, longest = trial.usual, trial.longest
    # No steeper than through zero, and never down: what is beyond that is the clock's noise.
    slope = usual.seconds / usual.tokens
    if longest.tokens > usual.tokens:
        slope = min(slope, max(0.0, (longest.seconds - usual.seconds) / (longest.tokens - usual.tokens)))
    return usual.seconds + slope * (tokens - usual.tokens)


def peak_of(device: Device) -> int:
    import torch

    return peak_memory_bytes(torch, device)


def _evaluations(spec: TrainingSpec, steps: int) -> int:
    """How often RunCallback evaluates."""
    return math.ceil(steps / evaluation_interval(spec, steps))
