"""One straight line per training method."""

import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from run_directory.adapters import Adapter, check_adapter
from run_directory.bases import Base, check_base
from run_directory.files import sha256_of
from run_directory.loading import load_model, load_tokenizer
from run_directory.machine import chosen_device, package_versions, peak_memory_bytes
from run_directory.program import RunDirectory
from run_directory.protocol import CHECKPOINTS_FOLDER, DATA_FILE, SPEC_FILE, Device
from training.checkpoints import (
    BEST_FOLDER,
    history_in,
    latest_checkpoint,
    publish_adapter,
    step_of,
)
from training.data import TrainingData, prepare, read_rows
from training.spec import TrainingReport, TrainingSpec

PACKAGES = ("torch", "transformers", "peft", "trl", "accelerate", "datasets", "tokenizers", "safetensors")

FEW_ROWS = 200
"""Below this a person is warned, never blocked: a learning curve tells more than a rule."""


@dataclass(frozen=True)
class _Prepared:
    """All that training needs, checked and loaded."""

    spec: TrainingSpec
    base: Base
    continued_from: Adapter | None
    tokenizer: Any
    data: TrainingData
    device: Device
    model: Any
    steps: int


def supervised_fine_tuning(directory: RunDirectory) -> tuple[str, TrainingReport]:
    """LoRA on prompt and completion, the loss on the completion alone.

    Continues from the newest checkpoint of an earlier attempt; on the CPU the losses are then the same as
    without the interruption. Returns the closing sentence and the report, and leaves `adapter/`.
    """
    started = time.monotonic()
    run = _prepare(directory)
    checkpoint = latest_checkpoint(directory.folder)
    resumed_from = step_of(checkpoint) if checkpoint else None
    trainable, total = (int(count) for count in run.model.get_nb_trainable_parameters())
    directory.events.write(
        "stage",
        f"Training on {run.data.account.train} rows for {run.steps} steps"
        + (f", from step {resumed_from}." if resumed_from else "."),
        name="training",
        max_length=run.data.max_length,
        rows=run.data.account.to_dict(),
        resumed_from=resumed_from,
        trainable_parameters=trainable,
        total_parameters=total,
    )
    if checkpoint is None or _unfinished(checkpoint, run):
        _train(directory, run, checkpoint)
    directory.interruption.check()
    report = _published(directory, run, resumed_from, (trainable, total), started)
    said = (
        f"Trained for {report.steps} steps ({report.epochs:.2g} passes through {run.data.account.train} rows); "
        f"the adapter is of step {report.kept_step}."
    )
    return said, report


def _prepare(directory: RunDirectory) -> _Prepared:
    spec = TrainingSpec.from_json(directory.spec, where=SPEC_FILE)
    base = check_base(spec.base_folder)
    adapter = check_adapter(spec.continue_from, base) if spec.continue_from else None
    rows = read_rows(directory.folder, spec)
    directory.events.write("stage", "Preparing the data.", name="data")
    # What is wrong with the input is said before the seconds that these imports take.
    import torch
    from transformers import set_seed

    tokenizer = load_tokenizer(base)
    data = prepare(rows, spec, tokenizer, base.context)
    _warn_about(data, directory)
    directory.interruption.check()
    device = chosen_device(torch, device=spec.device, dtype=spec.dtype, threads=spec.threads)
    directory.events.write(
        "stage",
        f"Loading the base on {device.name} in {device.dtype}, because {device.reason}.",
        name="loading",
        device=device.to_dict(),
    )
    set_seed(spec.seed)
    model = _with_lora(load_model(base, device), spec)
    directory.interruption.check()
    steps = total_steps(spec, len(data.train))
    return _Prepared(spec, base, adapter, tokenizer, data, device, model, steps)


def _published(
    directory: RunDirectory,
    run: _Prepared,
    resumed_from: int | None,
    parameters: tuple[int, int],
    started: float,
) -> TrainingReport:
    import torch

    final = latest_checkpoint(directory.folder)
    if final is None:
        raise RuntimeError("the training ended without a checkpoint")
    history = history_in(final)
    best = history.best
    manifest = publish_adapter(
        directory.folder / CHECKPOINTS_FOLDER / BEST_FOLDER if best else final,
        directory.folder,
        {
            "rows": run.data.account.train,
            "base_fingerprint": run.base.fingerprint,
            "chat_template_sha256": run.base.chat_template_sha256,
            "spec_sha256": directory.spec_sha256,
            "data_sha256": sha256_of(directory.folder / DATA_FILE),
        },
        run.base.folder.name,
    )
    trainable, total = parameters
    return TrainingReport(
        rows=run.data.account,
        max_length=run.data.max_length,
        steps=step_of(final),
        epochs=step_of(final) / steps_per_epoch(run.spec, len(run.data.train)),
        losses=history.losses,
        validation_losses=history.validation_losses,
        kept_step=best.step if best else step_of(final),
        trainable_parameters=trainable,
        total_parameters=total,
        trainable_share=trainable / total,
        tokens=history.tokens,
        resumed_from=resumed_from,
        continued_from_sha256=run.continued_from.sha256 if run.continued_from else None,
        adapter_sha256=manifest.adapter_sha256,
        base_fingerprint=run.base.fingerprint,
        chat_template_sha256=run.base.chat_template_sha256,
        device=run.device,
        packages=package_versions(*PACKAGES),
        seconds=directory.events.seconds_of_earlier_attempts() + time.monotonic() - started,
        peak_memory_bytes=peak_memory_bytes(torch, run.device),
    )


def steps_per_epoch(spec: TrainingSpec, rows: int) -> int:
    """Optimiser steps in one pass over the training rows."""
    return math.ceil(math.ceil(rows / spec.batch_size) / spec.accumulation_steps)


def total_steps(spec: TrainingSpec, rows: int) -> int:
    """Optimiser steps of the whole run."""
    return spec.max_steps or math.ceil(spec.epochs * steps_per_epoch(spec, rows))


def _with_lora(model: Any, spec: TrainingSpec) -> Any:
    from peft import LoraConfig, PeftModel, get_peft_model

    if spec.continue_from:
        return PeftModel.from_pretrained(model, spec.continue_from, is_trainable=True, local_files_only=True)
    modules = spec.lora.target_modules
    return get_peft_model(
        model,
        LoraConfig(
            r=spec.lora.rank,
            lora_alpha=spec.lora.alpha,
            lora_dropout=spec.lora.dropout,
            target_modules=modules if isinstance(modules, str) else list(modules),
            task_type="CAUSAL_LM",
        ),
    )


def _train(directory: RunDirectory, run: _Prepared, checkpoint: Path | None) -> None:
    from datasets import Dataset
    from trl import SFTTrainer

    from training.callbacks import RunCallback

    if checkpoint is None:
        shutil.rmtree(directory.folder / CHECKPOINTS_FOLDER, ignore_errors=True)
    trainer = SFTTrainer(
        model=run.model,
        args=_arguments(directory.folder, run),
        train_dataset=Dataset.from_list(run.data.train),
        eval_dataset=Dataset.from_list(run.data.validation) if run.data.validation else None,
        processing_class=run.tokenizer,
        callbacks=[RunCallback(directory, run.spec, run.steps, evaluates=bool(run.data.validation))],
    )
    if checkpoint is not None:
        # TRL counts tokens from zero after a restart.
        trainer._total_train_tokens = history_in(checkpoint).tokens
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)


def _arguments(folder: Path, run: _Prepared) -> Any:
    from trl import SFTConfig

    spec = run.spec
    return SFTConfig(
        output_dir=str(folder / CHECKPOINTS_FOLDER),
        max_steps=run.steps,
        per_device_train_batch_size=spec.batch_size,
        per_device_eval_batch_size=spec.batch_size,
        gradient_accumulation_steps=spec.accumulation_steps,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.schedule if spec.schedule != "constant" else "constant_with_warmup",
        warmup_steps=math.ceil(spec.warmup_share * run.steps),
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_gradient_norm,
        seed=spec.seed,
        data_seed=spec.seed,
        use_cpu=run.device.kind == "cpu",
        # The base is loaded in its dtype and the adapter stays in fp32, so autocast has nothing to add.
        bf16=False,
        gradient_checkpointing=spec.gradient_checkpointing,
        # The rows are encoded, labelled and cut already: Trainer must neither cut nor drop any.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        pad_to_multiple_of=None,
        packing=False,
        # RunCallback decides when to evaluate and save.
        eval_strategy="no",
        save_strategy="no",
        save_total_limit=2,
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=run.device.kind == "cuda",
    )


def _unfinished(checkpoint: Path, run: _Prepared) -> bool:
    history = history_in(checkpoint)
    return step_of(checkpoint) < run.steps and not history.exhausted(run.spec.patience)


def _warn_about(data: TrainingData, directory: RunDirectory) -> None:
    account = data.account
    if account.dropped:
        directory.events.write(
            "warning",
            f"{account.dropped} of {account.given} rows cannot be used.",
            name="dropped_rows",
            rows=[row.to_dict() for row in account.dropped_rows[:100]],
        )
    if account.truncated:
        directory.events.write(
            "warning",
            f"{account.truncated} of {account.given} rows are longer than {data.max_length} tokens; the end of their "
            "answers is cut off.",
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
            "The chat template does not end every answer with the end-of-sequence token, so the model may not "
            "learn to stop.",
            name="no_end_of_turn",
        )
