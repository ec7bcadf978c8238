"""`python -m training.dry_run RUN_DIR`: lengths, time and memory of a training, before it starts; see
docs/run-directory.md.

Reads the spec and the rows of a training. Writes no weights and leaves the training's result.json alone.
"""

import sys
import time
from importlib import import_module
from statistics import median_low

from run_directory.machine import memory_bytes, package_versions, peak_memory_bytes, set_environment
from run_directory.program import RunDirectory, run_program
from training.dry_run_report import DryRunReport, DryRunResult
from training.libraries import leave_out_unneeded


class DryRun:
    name = "training.dry_run"
    result_type = DryRunResult

    def work(self, directory: RunDirectory) -> tuple[str, DryRunReport]:
        leave_out_unneeded(directory.spec)
        return dry_run(directory)


def dry_run(directory: RunDirectory) -> tuple[str, DryRunReport]:
    """Prepare the rows as the training does, load the model, and train on a few batches."""
    # Imports torch and the model libraries, which a rejected command line need not wait for.
    from training.loop import PACKAGES, load
    from training.methods import held_memory, parameter_counts
    from training.program import prepared_run
    from training.rendering import shown_rows
    from training.row_lengths import length_bins

    started = time.monotonic()
    prepared, encoded = prepared_run(directory)
    # Imported before the model's loading time is measured, since a second load would not import them again.
    for library in ("torch", "peft", "transformers.models.auto.modeling_auto"):
        import_module(library)
    model_started = time.monotonic()
    run = load(prepared)
    loaded = time.monotonic()
    # Its imports are loaded by now, as they are in a training at this point.
    import torch

    from training.trial import estimate, tried

    trainable, total = parameter_counts(run.model)
    memory = held_memory(run.model, memory_bytes(torch, run.device) or 0)
    trial = tried(run)
    filled = [row for row in encoded if not row.is_empty]
    lengths = [row.length for row in filled]
    base = prepared.begun.base
    estimated = None
    if trial is not None:
        estimated = estimate(
            run, trial, loaded_seconds=loaded - started, model_seconds=loaded - model_started
        )
    report = DryRunReport(
        method=run.spec.method,
        objective=run.spec.objective,
        learning_rate=run.begun.rate,
        set_by_rows=run.set_by_rows,
        rows=run.data.account,
        max_length=run.data.max_length,
        context=base.context,
        median_length=median_low(lengths),
        longest_length=max(lengths),
        lengths=length_bins(lengths),
        shown_rows=shown_rows(filled, run.data.max_length, run.tokenizer),
        trainable_parameters=trainable,
        total_parameters=total,
        trainable_share=trainable / total,
        memory=memory,
        trial=trial,
        estimate=estimated,
        notes=estimated.notes if estimated else (),
        base_fingerprint=base.fingerprint,
        chat_template_sha256=base.chat_template_sha256,
        device=run.device,
        packages=package_versions(*PACKAGES),
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory_bytes(torch, run.device),
    )
    return _sentence(report), report


def _sentence(report: DryRunReport) -> str:
    rows = report.rows
    said = (
        f"{rows.given} rows read: {rows.used} would be used whole, {rows.truncated} truncated, "
        f"{rows.dropped} dropped."
    )
    if report.estimate is None:
        return f"{said} The longest batch does not fit into memory."
    return " ".join([said, f"The training would take about {report.estimate.seconds:.0f} s.", *report.notes])


def main(arguments: list[str]) -> int:
    set_environment()
    return run_program(DryRun(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
