"""The steps common to all objectives: open, load, train, publish, report."""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.adapters import Adapter, check_adapter
from run_directory.bases import Base, check_base, check_weights, require_plain_weights
from run_directory.disk_space import is_disk_full
from run_directory.files import sha256_of
from run_directory.loading import load_tokenizer
from run_directory.machine import chosen_device, explained_shortage, package_versions, peak_memory_bytes
from run_directory.program import Refusal, RunDirectory
from run_directory.protocol import BEST_FOLDER, CHECKPOINTS_FOLDER, DATA_FILE, Device
from run_directory.ranks import own_rank
from run_directory.words import counted
from training.checkpoints import (
    evaluation_interval,
    history_in,
    latest_checkpoint,
    no_room_for_checkpoint,
    step_of,
)
from training.data import TrainingData
from training.methods import (
    check_continuation,
    check_targets,
    load_full_model,
    load_trainable,
    parameter_counts,
)
from training.objectives import objective_of
from training.objectives.objective import Objective
from training.processes import broadcast_from_first, meet, share_of
from training.publishing import publish_adapter, publish_model
from training.spec import MODEL_MAKERS, TrainingReport, TrainingSpec

PACKAGES = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "accelerate",
    "datasets",
    "tokenizers",
    "safetensors",
    "bitsandbytes",
)

FEW_ROWS = 200
"""Fewer rows cause a warning, never an error: a learning curve tells more than a rule."""

MakeTrainer = Callable[[Any], Any]
"""Creates the trainer for a callback; called only when there are steps left to do."""


@dataclass(frozen=True)
class CheckedRun:
    """The run's spec, base and adapter, checked before any model is loaded."""

    directory: RunDirectory
    spec: TrainingSpec
    base: Base
    continued_from: Adapter | None
    started: float

    @property
    def rate(self) -> float:
        """The learning rate: the spec's, else the objective's default."""
        if self.spec.learning_rate is not None:
            return self.spec.learning_rate
        rank = self.continued_from.rank if self.continued_from else self.spec.lora.rank
        return self.objective.learning_rate(self.spec.method, rank=rank, parameters=self.base.parameters)

    @property
    def objective(self) -> Objective:
        return objective_of(self.spec.objective)


@dataclass(frozen=True)
class PreparedRun:
    """A run whose rows are encoded; the model is not loaded yet."""

    begun: CheckedRun
    tokenizer: Any
    data: TrainingData
    set_by_rows: dict[str, float]
    """Settings that the objective derived from the rows."""


@dataclass(frozen=True)
class LoadedRun(PreparedRun):
    """A run with its model loaded, ready to train."""

    device: Device
    model: Any
    steps: int
    is_in_order: bool = False
    """Whether the rows are read in the given order instead of a random one."""

    @property
    def spec(self) -> TrainingSpec:
        return self.begun.spec

    @property
    def directory(self) -> RunDirectory:
        return self.begun.directory


def begin(directory: RunDirectory, spec: TrainingSpec) -> CheckedRun:
    """Check the base and the adapter to continue from, before any model library is imported."""
    started = time.monotonic()
    share_of(spec, own_rank().count)
    base = check_base(directory.place(spec.base_folder))
    require_plain_weights(base)
    check_weights(base)
    adapter = check_adapter(directory.place(spec.continue_from), base) if spec.continue_from else None
    if adapter is not None:
        check_continuation(spec, adapter)
    check_targets(spec, base)
    return CheckedRun(directory, spec, base, adapter, started)


def open_tokenizer(begun: CheckedRun) -> Any:
    begun.directory.events.write("stage", "Preparing the data.", name="data")
    return load_tokenizer(begun.base)


def load(prepared: PreparedRun) -> LoadedRun:
    """Choose the device and load the model, after reporting problems with the rows."""
    import torch
    from transformers import set_seed

    begun, data = prepared.begun, prepared.data
    spec, directory = begun.spec, begun.directory
    _warn_about(data, spec, directory)
    directory.interruption.check()
    device = chosen_device(torch, device=spec.device, dtype=spec.dtype, threads=spec.threads, rank=own_rank())
    meet(device)
    directory.events.write(
        "stage",
        f"Loading the base on {device.name} in {device.dtype}, because {device.reason}.",
        name="loading",
        device=device.to_dict(),
    )
    set_seed(spec.seed)
    with explained_shortage(torch, directory, device, program="training"):
        model = load_trainable(begun.base, device, spec)
    directory.interruption.check()
    return LoadedRun(
        begun,
        prepared.tokenizer,
        data,
        prepared.set_by_rows,
        device,
        model,
        total_steps(spec, len(data.train)),
    )


def train_and_publish(run: LoadedRun, make_trainer: MakeTrainer) -> tuple[str, TrainingReport | None]:
    """Do the remaining steps and publish the weights; returns the closing sentence and the report.

    Of several processes, only the first publishes and returns a report.
    """
    import torch

    directory, is_first = run.directory, own_rank().is_first
    checkpoint = broadcast_from_first(latest_checkpoint(directory.folder) if is_first else None)
    resumed_from = step_of(checkpoint) if checkpoint else None
    trainable, total = parameter_counts(run.model)
    directory.events.write(
        "stage",
        f"Training on {counted(run.data.account.train, 'row')} for {counted(run.steps, 'step')}"
        + (f", from step {resumed_from}." if resumed_from else "."),
        name="training",
        max_length=run.data.max_length,
        rows=run.data.account.to_dict(),
        resumed_from=resumed_from,
        trainable_parameters=trainable,
        total_parameters=total,
    )
    with (
        _room_told(directory.folder),
        explained_shortage(
            torch,
            directory,
            run.device,
            program="training",
            batch_size=run.spec.batch_size,
            accumulation_steps=run.spec.accumulation_steps,
            length=run.data.max_length,
        ),
    ):
        if broadcast_from_first(checkpoint is None or _unfinished(checkpoint, run)):
            _train(run, make_trainer, checkpoint)
        directory.interruption.check()
        if not is_first:
            return "", None
        report = _published(run, resumed_from, (trainable, total))
    made = "full model" if run.spec.method in MODEL_MAKERS else "adapter"
    said = (
        f"Trained for {counted(report.steps, 'step')} ({counted(f'{report.epochs:.2g}', 'pass')} through "
        f"{counted(run.data.account.train, 'row')}); "
        f"the {made} is of step {report.kept_step}."
    )
    if report.steps < run.steps:
        patience = counted(run.spec.patience or 0, "evaluation")
        said += (
            f" It stopped early, before the {run.steps:,} steps that were planned, because the validation"
            f" loss had not fallen for {patience}."
        )
    return said, report


@contextmanager
def _room_told(folder: Path) -> Iterator[None]:
    """Turn a full disk into a Refusal that says what is kept."""
    try:
        yield
    except Exception as error:
        # Libraries report a full disk with many exception types; other errors are re-raised.
        if not is_disk_full(error, folder):
            raise
        raise Refusal(no_room_for_checkpoint(folder)) from error


def arguments(run: LoadedRun) -> dict[str, Any]:
    """Trainer arguments common to all objectives."""
    spec, processes = run.spec, own_rank().count
    share = share_of(spec, processes)
    return {
        **({"ddp_backend": "nccl" if run.device.kind == "cuda" else "gloo"} if processes > 1 else {}),
        "output_dir": str(run.directory.folder / CHECKPOINTS_FOLDER),
        "max_steps": run.steps,
        "per_device_train_batch_size": share.batch_size,
        "per_device_eval_batch_size": spec.batch_size,
        "gradient_accumulation_steps": share.accumulation_steps,
        "learning_rate": run.begun.rate,
        "lr_scheduler_type": spec.schedule if spec.schedule != "constant" else "constant_with_warmup",
        "warmup_steps": math.ceil(spec.warmup_share * run.steps),
        "weight_decay": spec.weight_decay,
        "max_grad_norm": spec.max_gradient_norm,
        "seed": spec.seed,
        "data_seed": spec.seed,
        # Otherwise the trainer's default, since some objectives draw the batches themselves.
        **({"train_sampling_strategy": "sequential"} if run.is_in_order else {}),
        "use_cpu": run.device.kind == "cpu",
        # Autocast is useful only for full fine-tuning, whose weights are fp32. With an adapter, the base is
        # loaded in the run's dtype already and the adapter stays in fp32.
        "bf16": spec.method == "full" and run.device.dtype == "bf16",
        "gradient_checkpointing": spec.gradient_checkpointing,
        # The rows are truncated already: no trainer may cut or drop any.
        "max_length": None,
        # RunCallback decides when to evaluate and save.
        "eval_strategy": "no",
        "save_strategy": "no",
        "save_total_limit": 2,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": run.device.kind == "cuda",
    }


def as_dataset(rows: Sequence[dict[str, Any]]) -> Any:
    """The rows as a Dataset for trainers, or None if there are none."""
    from datasets import Dataset

    return Dataset.from_list(list(rows)) if rows else None


def steps_per_epoch(spec: TrainingSpec, rows: int) -> int:
    """Optimiser steps in one pass over the training rows."""
    return math.ceil(math.ceil(rows / spec.batch_size) / spec.accumulation_steps)


def total_steps(spec: TrainingSpec, rows: int) -> int:
    """Optimiser steps of the whole run."""
    return spec.max_steps or math.ceil(spec.epochs * steps_per_epoch(spec, rows))


def _train(run: LoadedRun, make_trainer: MakeTrainer, checkpoint: Path | None) -> None:
    from training.callbacks import RunCallback, TrainingIsOver

    if checkpoint is None and own_rank().is_first:
        shutil.rmtree(run.directory.folder / CHECKPOINTS_FOLDER, ignore_errors=True)
    callback = RunCallback(run)
    trainer = exact_trainer(run, make_trainer, callback)
    if checkpoint is not None:
        # After a restart TRL would count tokens from zero.
        trainer._total_train_tokens = history_in(checkpoint).tokens
    saved = run.directory.interruption.saved_by(callback.attach(trainer).save)
    with saved, suppress(TrainingIsOver):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def exact_trainer(run: LoadedRun, make_trainer: MakeTrainer, callback: Any) -> Any:
    """Create the trainer and check that it kept every row and the weights as they were loaded.

    Raises RuntimeError when the trainer has another number of rows.
    """
    # TRL rounds an adapter over a 4-bit base to bf16, which loses small steps.
    is_rounded = run.spec.method == "qlora"
    exact = {
        name: weight.detach().clone()
        for name, weight in run.model.named_parameters()
        if is_rounded and weight.requires_grad
    }
    trainer = make_trainer(callback)
    for name, weight in exact.items():
        run.model.get_parameter(name).data = weight
    held, given = len(trainer.train_dataset), len(run.data.train)
    if held != given:
        raise RuntimeError(f"the trainer has {held} of {given} rows; none may be lost")
    return trainer


def _published(run: LoadedRun, resumed_from: int | None, parameters: tuple[int, int]) -> TrainingReport:
    import torch

    directory, spec, base = run.directory, run.spec, run.begun.base
    final = latest_checkpoint(directory.folder)
    if final is None:
        raise RuntimeError("the training ended without a checkpoint")
    history = history_in(final)
    best = history.best
    adapter_sha256, model_fingerprint = _publish(
        run, directory.folder / CHECKPOINTS_FOLDER / BEST_FOLDER if best else final
    )
    trainable, total = parameters
    return TrainingReport(
        method=spec.method,
        objective=spec.objective,
        learning_rate=run.begun.rate,
        set_by_rows=run.set_by_rows,
        rows=run.data.account,
        max_length=run.data.max_length,
        steps=step_of(final),
        epochs=step_of(final) / steps_per_epoch(spec, len(run.data.train)),
        losses=history.losses,
        validation_losses=history.validation_losses,
        kept_step=best.step if best else step_of(final),
        trainable_parameters=trainable,
        total_parameters=total,
        trainable_share=trainable / total,
        tokens=history.tokens,
        resumed_from=resumed_from,
        continued_from_sha256=run.begun.continued_from.sha256 if run.begun.continued_from else None,
        adapter_sha256=adapter_sha256,
        model_fingerprint=model_fingerprint,
        base_fingerprint=base.fingerprint,
        chat_template_sha256=base.chat_template_sha256,
        device=run.device,
        packages=package_versions(*PACKAGES),
        seconds=directory.events.seconds_of_earlier_attempts("training")
        + time.monotonic()
        - run.begun.started,
        peak_memory_bytes=peak_memory_bytes(torch, run.device),
        drawn_rows=run.data.drawn_rows,
        processes=own_rank().count,
        planned_steps=run.steps,
    )


def _publish(run: LoadedRun, trained: Path) -> tuple[str | None, str | None]:
    """Publish the weights in a folder; returns the adapter's SHA-256 or the full model's fingerprint, the
    other as None.
    """
    folder, spec, base = run.directory.folder, run.spec, run.begun.base
    made_from = {
        "rows": run.data.account.train,
        "base_fingerprint": base.fingerprint,
        "chat_template_sha256": base.chat_template_sha256,
        "spec_sha256": run.directory.spec_sha256,
        "data_sha256": sha256_of(folder / DATA_FILE),
    }
    if spec.method not in MODEL_MAKERS:
        return publish_adapter(trained, folder, made_from, base.folder.name).adapter_sha256, None
    run.directory.events.write("stage", "Merging the full model.", name="publishing")
    model = load_full_model(base, run.device, spec, trained)
    return None, publish_model(model, base, folder, made_from).fingerprint


def _unfinished(checkpoint: Path, run: LoadedRun) -> bool:
    history, step = history_in(checkpoint), step_of(checkpoint)
    every = evaluation_interval(run.spec, run.steps) if run.data.validation else None
    if history.lacks_evaluation(step, run.steps, every):
        return True
    return step < run.steps and not history.exhausted(run.spec.patience)


def _warn_about(data: TrainingData, spec: TrainingSpec, directory: RunDirectory) -> None:
    account = data.account
    if spec.validation_share and not account.validation:
        directory.events.write(
            "warning",
            "There are too few rows for a validation set: there is no validation loss and no early stopping,"
            " and the last step is kept.",
            name="no_validation",
        )
    useless = [row for row in account.dropped_rows if row.reason != "not_drawn"]
    if useless:
        directory.events.write(
            "warning",
            f"{len(useless)} of {account.given} rows cannot be used.",
            name="dropped_rows",
            rows=[row.to_dict() for row in useless[:100]],
        )
    if account.truncated:
        directory.events.write(
            "warning",
            f"{account.truncated} of {account.given} rows are longer than {data.max_length} tokens; the end"
            " of their answers is truncated.",
            name="truncated_rows",
            ids=list(account.truncated_ids[:100]),
        )
    if account.train < FEW_ROWS:
        directory.events.write(
            "warning",
            f"Only {account.train} rows to train on; judge the result by a learning curve.",
            name="few_rows",
            rows=account.train,
        )
    if not data.ends_turns:
        directory.events.write(
            "warning",
            "The chat template does not end every answer with the end-of-sequence token, so the model may not"
            " learn to stop.",
            name="no_end_of_turn",
        )
