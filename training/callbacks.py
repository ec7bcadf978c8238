"""Connects Trainer's loop to the run directory: events, checkpoints, early stop, the wish to stop."""

import math
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from run_directory.machine import memory_limit_bytes, peak_memory_bytes
from run_directory.program import Refusal
from training.checkpoints import History, mark_complete, save_best
from training.loop import LoadedRun
from training.sampling import Sampler
from training.spec import TrainingProgress, ValidationMetrics


class RunCallback(TrainerCallback):  # type: ignore[misc]  # transformers has no types
    """Decides at each step whether to evaluate, save or stop, and reports it."""

    def __init__(self, run: LoadedRun) -> None:
        self.run = run
        self.directory = run.directory
        self.spec = run.spec
        self.total = run.steps
        self.evaluation_steps = math.ceil(run.steps / run.spec.evaluations) if run.data.validation else None
        self.sampler = Sampler(run)
        self.memory_limit = memory_limit_bytes(torch, run.device)
        self.earlier_seconds = run.directory.events.seconds_of_earlier_attempts()
        self.started = time.monotonic()
        self.first_step = 0
        self.first_tokens = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.started = time.monotonic()
        self.first_step = state.global_step
        self.first_tokens = History(state.log_history).tokens

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        step, last = state.global_step, state.global_step >= self.total
        if self.evaluation_steps is not None:
            control.should_evaluate = last or step % self.evaluation_steps == 0
        control.should_save = last or step % self.spec.checkpoint_steps == 0
        if self.directory.interruption.outcome is not None:
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
                f"the loss or its gradient is no longer a number at step {state.global_step}: the training has "
                "diverged; use a lower learning_rate, or fp32"
            )
        seconds = time.monotonic() - self.started
        eta = seconds / (state.global_step - self.first_step) * (self.total - state.global_step)
        progress = TrainingProgress(
            loss=logs["loss"],
            learning_rate=logs["learning_rate"],
            gradient_norm=logs["grad_norm"],
            tokens_per_second=(logs["num_tokens"] - self.first_tokens) / seconds,
            epoch=float(state.epoch or 0),
            eta_seconds=eta,
            tokens=int(logs["num_tokens"]),
            seconds=self.earlier_seconds + time.monotonic() - self.run.begun.started,
            peak_memory_bytes=peak_memory_bytes(torch, self.run.device),
            memory_limit_bytes=self.memory_limit,
            preferred_share=logs.get("rewards/accuracies"),
            margin=logs.get("rewards/margins"),
        )
        self.directory.events.write(
            "progress",
            f"Loss {progress.loss:.3f}.",
            step=state.global_step,
            total=self.total,
            **progress.to_dict(),
        )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **kwargs: Any,
    ) -> None:
        history = History(state.log_history)
        best, latest = history.best, history.validation_losses[-1]
        if best is None or not math.isfinite(latest.loss):
            raise Refusal(f"the validation loss is no longer a number at step {state.global_step}")
        if best.step == state.global_step:
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
        self._ask(model, state.global_step)
        if history.exhausted(self.spec.patience):
            control.should_save = control.should_training_stop = True

    def _ask(self, model: Any, step: int) -> None:
        samples = self.sampler.answers(model)
        if samples is None:
            return
        self.directory.events.write(
            "samples",
            f"Answered {len(samples.answers)} prompts of the rows held out.",
            step=step,
            total=self.total,
            **samples.to_dict(),
        )

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
