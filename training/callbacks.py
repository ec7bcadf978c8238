"""Connects Trainer's loop to the run directory: events, checkpoints, early stopping, stop requests."""

import math
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from run_directory.machine import memory_bytes, peak_memory_bytes
from run_directory.program import Refusal
from run_directory.ranks import own_rank
from training.checkpoints import (
    History,
    LastStep,
    evaluation_interval,
    is_evaluation_due,
    mark_complete,
    save_best,
)
from training.loop import LoadedRun
from training.processes import draw_for_step, is_any
from training.sampling import Sampler
from training.spec import TrainingProgress, ValidationMetrics


class TrainingIsOver(Exception):
    """Raised when a resumed training has no steps left: only an evaluation was missing, and the last
    checkpoint is written.
    """


class RunCallback(TrainerCallback):
    """Decides at each step whether to evaluate, save or stop, and reports it."""

    def __init__(self, run: LoadedRun) -> None:
        self.run = run
        self.directory = run.directory
        self.spec = run.spec
        self.total = run.steps
        self.rank = own_rank()
        self.evaluation_steps = evaluation_interval(run.spec, run.steps) if run.data.validation else None
        self.sampler = Sampler(run)
        self.memory_limit = memory_bytes(torch, run.device)
        self.earlier_seconds = run.directory.events.seconds_of_earlier_attempts("training")
        self.started = time.monotonic()
        self.evaluating_since: float | None = None
        self.evaluated_for = 0.0
        self.first_step = 0
        self.first_tokens = 0
        self.trainer: Any = None
        self.last_step: LastStep

    def attach(self, trainer: Any) -> LastStep:
        """Follow this trainer's steps; returns the object that can save its last complete step."""
        self.trainer = trainer
        self.last_step = LastStep(trainer)
        return self.last_step

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started = time.monotonic()
        self.first_step = state.global_step
        self.first_tokens = History(state.log_history).tokens
        if History(state.log_history).lacks_evaluation(state.global_step, self.total, self.evaluation_steps):
            self._evaluate_late(state)

    def _evaluate_late(self, state: TrainerState) -> None:
        """Run the evaluation that was due when a stop saved the checkpoint instead."""
        self.evaluating_since = time.monotonic()
        self.trainer.evaluate()
        history = History(state.log_history)
        if state.global_step >= self.total or history.exhausted(self.spec.patience):
            # Otherwise Trainer would make one more step.
            self.trainer._save_checkpoint(self.trainer.model, trial=None)
            self._mark_complete(state.global_step)
            raise TrainingIsOver

    def _mark_complete(self, step: int) -> None:
        if self.rank.is_first:
            mark_complete(Path(self.trainer.args.output_dir) / f"checkpoint-{step}")

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.rank.count > 1:
            draw_for_step(self.spec.seed, state.global_step)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.last_step.begin()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        step, last = state.global_step, state.global_step >= self.total
        control.should_evaluate = is_evaluation_due(step, self.total, self.evaluation_steps)
        control.should_save = last or step % self.spec.checkpoint_steps == 0
        if is_any(self.directory.interruption.outcome is not None, self.run.device):
            # All processes must stop at the same step; those that received no request learn of it here.
            self.directory.interruption.outcome = self.directory.interruption.outcome or "cancelled"
            control.should_save = control.should_training_stop = True
            control.should_evaluate = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]) or not math.isfinite(logs["grad_norm"]):
            raise Refusal(
                f"the loss or its gradient is no longer a number at step {state.global_step}: the training"
                " has diverged; use a lower learning_rate, or fp32"
            )
        seconds = time.monotonic() - self.started
        eta = seconds / (state.global_step - self.first_step) * (self.total - state.global_step)
        progress = TrainingProgress(
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            gradient_norm=logs["grad_norm"],
            tokens_per_second=(logs["num_tokens"] - self.first_tokens) / (seconds - self.evaluated_for),
            epoch=float(state.epoch or 0),
            eta_seconds=eta,
            tokens=int(logs["num_tokens"]),
            seconds=self.earlier_seconds + time.monotonic() - self.run.begun.started,
            peak_memory_bytes=peak_memory_bytes(torch, self.run.device),
            memory_limit_bytes=self.memory_limit,
        )
        self.directory.events.write(
            "progress",
            f"Loss {progress.loss:.3f}.",
            step=state.global_step,
            total=self.total,
            **progress.to_dict(),
            **{curve.key: logs.get(curve.logged_as) for curve in self.run.begun.objective.curves},
        )
        self.last_step.keep_random_state()
        if control.should_evaluate:
            self.evaluating_since = time.monotonic()
        if control.should_evaluate or not control.should_save:
            self.last_step.end()

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        self.last_step.begin()
        history = History(state.log_history)
        best, latest = history.best, history.validation_losses[-1]
        if best is None or not math.isfinite(latest.loss):
            raise Refusal(f"the validation loss is no longer a number at step {state.global_step}")
        if best.step == state.global_step and self.rank.is_first:
            save_best(model, self.directory.folder)
        metrics = ValidationMetrics(
            validation_loss=latest.loss, best_validation_loss=best.loss, best_step=best.step
        )
        self.directory.events.write(
            "metrics",
            f"Validation loss {latest.loss:.3f}; best {best.loss:.3f} at step {best.step}.",
            step=state.global_step,
            total=self.total,
            **metrics.to_dict(),
        )
        if self.rank.is_first:
            self._ask(model, state.global_step)
        if history.exhausted(self.spec.patience):
            control.should_save = control.should_training_stop = True
        # Resumed trainings may evaluate at other steps, yet must draw the same random numbers.
        self.last_step.restore_random_state()
        if self.evaluating_since is not None:
            self.evaluated_for += time.monotonic() - self.evaluating_since
            self.evaluating_since = None
        if not control.should_save:
            self.last_step.end()

    def _ask(self, model: Any, step: int) -> None:
        samples = self.sampler.answers(model)
        if samples is None:
            return
        self.directory.events.write(
            "samples",
            f"Answered {len(samples.answers)} prompts of the validation rows.",
            step=step,
            total=self.total,
            **samples.to_dict(),
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._mark_complete(state.global_step)
        self.last_step.end()
