"""A trial on a few batches, to estimate a training's time and memory."""

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

from run_directory.memory import is_out_of_memory
from run_directory.protocol import CHECKPOINTS_FOLDER
from training.checkpoints import evaluation_interval, mark_complete
from training.dry_run_report import Estimate, TimedBatches, Trial
from training.loop import LoadedRun, exact_trainer
from training.sampling import Sampler
from training.spec import MODEL_MAKERS, TrainingSpec
from training.trainers import make_trainer

BATCHES = 3
"""Number of batches of the longest rows; the first is a warm-up."""
SHARES = (0.5, 0.25, 0.5, 0.75)
"""Positions of the typical batches, as quantiles by length; the first batch is a warm-up."""


STEP_OVER_PASS = 3
"""Approximate time of a training step relative to one forward pass: the backward pass takes two."""


class StepTimer(TrainerCallback):
    """Measures each step from the end of the previous one, the optimiser's part of it, and the final
    checkpoint.
    """

    def __init__(self, run: LoadedRun) -> None:
        self.run = run
        self.steps: list[float] = []
        self.updates: list[float] = []
        self.saving = 0.0
        self._since = 0.0
        self._update_since = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._since = time.monotonic()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.run.directory.interruption.check()

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._update_since = self._now()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.updates.append(self._now() - self._update_since)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        now = self._now()
        self.steps.append(now - self._since)
        self._since = now
        control.should_save = state.global_step >= state.max_steps

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self.saving = time.monotonic() - self._since

    def _now(self) -> float:
        """The time after the device has finished all queued work."""
        if self.run.device.kind == "cuda":
            import torch

            torch.cuda.synchronize()
        return time.monotonic()


def tried(run: LoadedRun) -> Trial | None:
    """Train on the longest batch and on typical ones; None if the memory does not suffice.

    Changes the weights of ``run.model``; nothing is kept of them on disk.
    """
    directory, lengths, size = run.directory, run.data.train_lengths, run.spec.batch_size
    directory.events.write("stage", "Trying the longest batch.", name="trial")
    by_length = sorted(range(len(lengths)), key=lambda position: -lengths[position])
    try:
        longest = _timed(run, [by_length[:size]] * BATCHES)
        directory.events.write("stage", "Trying typical batches.", name="trial")
        usual = _timed(run, typical_batches(lengths, run.spec))
        sampling = _sampling_seconds(run)
    except Exception as error:
        # Libraries report a lack of memory with many exception types; other errors are re-raised.
        if not is_out_of_memory(error):
            raise
        directory.events.write("warning", "The longest batch does not fit into memory.", name="out_of_memory")
        return None
    finally:
        shutil.rmtree(directory.folder / CHECKPOINTS_FOLDER, ignore_errors=True)
    return Trial(
        longest=longest.trained,
        usual=usual.trained,
        evaluation=usual.evaluated,
        # Only the first trainer loads libraries.
        building_seconds=longest.building,
        warming_seconds=max(0.0, longest.first - longest.trained.seconds),
        saving_seconds=usual.saving,
        sampling_seconds=sampling,
        updating_seconds=usual.updating,
    )


class _Timed(NamedTuple):
    """Timed training and evaluation batches, and seconds of the first batch, of creating the trainer, of a
    checkpoint and of the optimiser in a batch.
    """

    trained: TimedBatches
    evaluated: TimedBatches | None
    first: float
    building: float
    saving: float
    updating: float


def _timed(run: LoadedRun, batches: Sequence[Sequence[int]]) -> _Timed:
    """Train on these batches of rows in this order, with a trainer of their own."""
    data, spec = run.data, replace(run.spec, accumulation_steps=1)
    # A batch that holds all rows is repeated by every pass.
    passes = batches if len(batches[0]) == spec.batch_size else batches[:1]
    held_out = typical_batches(data.validation_lengths, spec)[1:]
    some = replace(
        data,
        train=[data.train[position] for batch in passes for position in batch],
        train_lengths=[data.train_lengths[position] for batch in passes for position in batch],
        validation=[data.validation[position] for batch in held_out for position in batch],
    )
    part = replace(run, begun=replace(run.begun, spec=spec), data=some, steps=len(batches), is_in_order=True)
    clock = StepTimer(part)
    started = time.monotonic()
    trainer = exact_trainer(part, partial(make_trainer, part), clock)
    building = time.monotonic() - started
    trainer.train()
    evaluated = None
    # The first is a warm-up.
    for _ in range(2 if held_out else 0):
        started = time.monotonic()
        trainer.evaluate()
        seconds = (time.monotonic() - started) / len(held_out)
        evaluated = _batches_of(held_out, data.validation_lengths, seconds)
    trained = _batches_of(batches[1:], data.train_lengths, fmean(clock.steps[1:]))
    return _Timed(trained, evaluated, clock.steps[0], building, clock.saving, fmean(clock.updates[1:]))


def _batches_of(batches: Sequence[Sequence[int]], lengths: Sequence[int], seconds: float) -> TimedBatches:
    tokens = fmean(_padded(batch, lengths) for batch in batches)
    return TimedBatches(batches=len(batches), tokens=tokens, seconds=seconds)


def typical_batches(lengths: Sequence[int], spec: TrainingSpec) -> list[list[int]]:
    """Batches across the range of lengths, as a training on rows of these lengths would draw them. Each lists
    row positions.
    """
    batches = _drawn(lengths, spec)
    # The last batch may be incomplete.
    ranked = sorted(
        [batch for batch in batches if len(batch) == spec.batch_size] or batches,
        key=lambda batch: _padded(batch, lengths),
    )
    return [ranked[int(share * len(ranked))] for share in SHARES] if ranked else []


def _sampling_seconds(run: LoadedRun) -> float:
    sampler = Sampler(run)
    started = time.monotonic()
    sampler.answers(run.model)
    return time.monotonic() - started


def padded_tokens(lengths: Sequence[int], spec: TrainingSpec) -> float:
    """Mean tokens of a batch, including padding, when rows of these lengths are drawn with the seed."""
    return fmean(_padded(batch, lengths) for batch in _drawn(lengths, spec))


def _drawn(lengths: Sequence[int], spec: TrainingSpec) -> list[list[int]]:
    order = list(range(len(lengths)))
    random.Random(spec.seed).shuffle(order)
    return [order[start : start + spec.batch_size] for start in range(0, len(order), spec.batch_size)]


def _padded(batch: Sequence[int], lengths: Sequence[int]) -> int:
    return len(batch) * max(lengths[position] for position in batch)


def estimate(run: LoadedRun, trial: Trial, *, loaded_seconds: float, model_seconds: float) -> Estimate:
    """Extrapolate the whole training's time from the trial. ``loaded_seconds`` is the measured time of
    reading and loading, of which the model took ``model_seconds``.
    """
    spec, data = run.spec, run.data
    batch = batch_seconds(trial, padded_tokens(data.train_lengths, spec))
    passes = max(0.0, batch - trial.updating_seconds)
    step = spec.accumulation_steps * passes + trial.updating_seconds
    evaluation = _pass_seconds(trial, data.validation_lengths, spec)
    evaluations = _evaluations(spec, run.steps) if data.validation else 0
    # Upper bound: the best weights are written at most once per evaluation.
    savings = math.ceil(run.steps / spec.checkpoint_steps) + evaluations
    preparing = loaded_seconds + trial.building_seconds + trial.warming_seconds
    if run.begun.objective.has_reference:
        preparing += evaluation + _pass_seconds(trial, data.train_lengths, spec)
    return Estimate(
        steps=run.steps,
        step_seconds=step,
        preparing_seconds=preparing,
        training_seconds=run.steps * step,
        evaluating_seconds=evaluations * evaluation,
        sampling_seconds=evaluations * trial.sampling_seconds,
        saving_seconds=savings * trial.saving_seconds
        # A full model is built from the base once more.
        + (model_seconds if spec.method in MODEL_MAKERS else 0),
    )


def _pass_seconds(trial: Trial, lengths: Sequence[int], spec: TrainingSpec) -> float:
    """Seconds of one pass without training over rows of these lengths."""
    if not lengths:
        return 0.0
    timed, share = (trial.evaluation, 1.0) if trial.evaluation else (trial.usual, 1 / STEP_OVER_PASS)
    batches = math.ceil(len(lengths) / spec.batch_size)
    return batches * share * timed.seconds * padded_tokens(lengths, spec) / timed.tokens


def batch_seconds(trial: Trial, tokens: float) -> float:
    """Seconds of a batch with this many padded tokens, interpolated linearly between the two timed kinds."""
    usual, longest = trial.usual, trial.longest
    # The slope lies between zero and that of a line through the origin; anything outside is timing noise.
    slope = usual.seconds / usual.tokens
    if longest.tokens > usual.tokens:
        slope = min(slope, max(0.0, (longest.seconds - usual.seconds) / (longest.tokens - usual.tokens)))
    return usual.seconds + slope * (tokens - usual.tokens)


def _evaluations(spec: TrainingSpec, steps: int) -> int:
    """Number of RunCallback's evaluations."""
    return math.ceil(steps / evaluation_interval(spec, steps))
