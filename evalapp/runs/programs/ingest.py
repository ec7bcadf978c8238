"""Stores the results of a program in one transaction."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from django.db import transaction

from evalapp.core.errors import ProblemError
from evalapp.datasets.contamination import ContaminationReport
from evalapp.datasets.queries import examples_of
from evalapp.jobs.work import Work
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter, register_trained_model
from evalapp.runs.contamination.contamination_guard import leaks_of
from evalapp.runs.models import DrawnRows, Output, Run
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.programs.events import GarbageError
from evalapp.runs.signals import outputs_stored
from evalapp.runs.training.training_rows import left_out, row_key
from inference.spec import Engine, GenerationReport
from inference.spec import Output as WrittenOutput
from run_directory.protocol import ADAPTER_FOLDER, MODEL_FOLDER, OUTPUTS_FILE, Device
from run_directory.records import RecordError
from run_directory.words import counted
from training.dry_run_report import DryRunReport
from training.objectives import objective_of
from training.spec import RowAccount, TrainingReport

BATCH = 1000
_LONGEST_LABEL = 80
_MOST_REASONS = 20
_KEPT_IDS = 1000


def most_reasons(reasons: Counter[str]) -> dict[str, int]:
    """The most frequent reasons with their counts, the rest combined, for ``rows["reasons"]``."""
    shown = dict(reasons.most_common(_MOST_REASONS))
    if others := reasons.total() - sum(shown.values()):
        shown["other reasons"] = others
    return shown


class Answers(NamedTuple):
    """Expected content of outputs.jsonl: the number of lines, and how many were refused for each of
    ``reasons``.
    """

    expected: int
    reasons: dict[str, int]
    outputs_sha256: str


def store_generation(work: Work, run: Run, report: GenerationReport) -> dict[str, Any]:
    """Store the model program's answers; see ``store_generated_answers``."""
    record_device(run, report.device, report.engine)
    run.result = report.to_dict()
    refused = {"the prompt does not fit the model's context": report.refused} if report.refused else {}
    answers = Answers(report.rows * len(report.candidates), refused, report.outputs_sha256)
    return store_generated_answers(work, run, answers)


def store_generated_answers(work: Work, run: Run, answers: Answers) -> dict[str, Any]:
    """Store all lines of outputs.jsonl, and the run's result, engine and device as set on ``run``. Safe to
    repeat after a kill.

    Raises GarbageError, storing nothing, when the file does not match ``answers`` and the run.
    """
    refused = sum(answers.reasons.values())
    with transaction.atomic():
        stored = _store_outputs(work, run, folder_for(run) / OUTPUTS_FILE, answers)
        run.rows = {
            "in": answers.expected,
            "used": answers.expected - refused,
            "truncated": 0,
            "dropped": refused,
            "reasons": answers.reasons,
        }
        run.save(update_fields=["rows", "result", "engine", "device", "engine_reason"])
        outputs_stored.send(sender=Run, run=run)
        work.fence()
    return {"outputs": stored}


def store_training(work: Work, run: Run, report: TrainingReport) -> dict[str, Any]:
    """Register the adapter or full model and store the report. Safe to repeat after a kill.

    Raises GarbageError when the weights do not match the report.
    """
    with transaction.atomic():
        if run.produced is None:
            run.produced = _register_model(run, report)
        if run.produced.content_hash != (report.adapter_sha256 or report.model_fingerprint):
            raise GarbageError(
                f"What was trained in {folder_for(run)} is not what result.json describes. Nothing was"
                " stored; start the training again."
            )
        run.rows = account_of(run, report.rows)
        # Keep the contaminated rows that an owner's decision allowed.
        leaks = {name: found for name, found in run.result.items() if name == "leaks"}
        run.result = {**_shortened(report.to_dict()), **leaks}
        # The training's points have the losses, and drawn rows have their own table.
        del run.result["losses"], run.result["validation_losses"], run.result["drawn_rows"]
        if report.drawn_rows is not None:
            DrawnRows.objects.update_or_create(run=run, defaults={"rows": report.drawn_rows})
        record_device(run, report.device)
        run.save(update_fields=["produced", "rows", "result", "engine", "device", "engine_reason"])
        work.fence()
    return {"model_version": run.produced.pk}


def store_dry_run(work: Work, run: Run, report: DryRunReport, leaks: ContaminationReport) -> dict[str, Any]:
    """Store the report of a dry run and the contamination found. Safe to repeat after a kill."""
    with transaction.atomic():
        run.rows = account_of(run, report.rows)
        run.result = {
            **_shortened(report.to_dict()),
            "leaks": leaks_of(run.dataset_version, leaks),
        }
        record_device(run, report.device)
        run.save(update_fields=["rows", "result", "engine", "device", "engine_reason"])
        work.fence()
    return {}


def account_of(run: Run, account: RowAccount) -> dict[str, Any]:
    """A training's row counts, for ``Run.rows``."""
    return {
        "in": account.given,
        "used": account.used,
        "truncated": account.truncated,
        "dropped": account.dropped,
        "reasons": dict(Counter(row.reason for row in account.dropped_rows)),
        "train": account.train,
        "validation": account.validation,
        **left_out(run.dataset_version, objective_of(run.spec["objective"])),
    }


def _register_model(run: Run, report: TrainingReport) -> ModelVersion:
    assert run.base is not None
    common: dict[str, Any] = {
        "project": run.project,
        "base": run.base,
        "label": _free_label(run.base, run),
        "by": run.created_by,
        "is_simulated": run.is_simulated,
        "job": run.job,
    }
    try:
        if report.model_fingerprint is not None:
            return register_trained_model(folder=folder_for(run) / MODEL_FOLDER, **common)
        return register_adapter(folder=folder_for(run) / ADAPTER_FOLDER, parent=run.continued_from, **common)
    except ProblemError as error:
        raise GarbageError(
            f"The training succeeded, but its model cannot be used: {error.message}"
        ) from error


def _free_label(base: ModelVersion, run: Run) -> str:
    label = run.name[:_LONGEST_LABEL]
    if base.model.versions.filter(label=label).exists():
        suffix = f" (run {run.pk})"
        label = label[: _LONGEST_LABEL - len(suffix)] + suffix
    return label


def _store_outputs(work: Work, run: Run, path: Path, answers: Answers) -> int:
    expected = answers.expected
    candidates = {entry.key: entry.model_version_id for entry in run.candidates.all()}
    examples = {
        row_key(number): pk
        for number, pk in examples_of(run.dataset_version, run.splits).values_list("row_number", "pk")
    }
    digest, lines = hashlib.sha256(), 0
    batch: list[Output] = []
    seen: set[tuple[str, str, int]] = set()
    try:
        with path.open("rb") as file:
            for lines, line in enumerate(file, start=1):
                digest.update(line)
                written = WrittenOutput.from_json(line, where=f"line {lines}")
                if written.candidate not in candidates or written.example not in examples:
                    what = (
                        f"line {lines} answers {written.example} by {written.candidate}, which the run does"
                        " not have"
                    )
                    raise _garbage(path, what)
                seen.add((written.candidate, written.example, written.sample))
                batch.append(_output(run, written, candidates[written.candidate], examples[written.example]))
                if len(batch) >= BATCH:
                    _insert(batch)
                    work.progress(lines, expected, "Storing the answers")
            _insert(batch)
    except RecordError as error:
        raise _garbage(path, str(error)) from error
    except OSError as error:
        raise _garbage(path, f"it cannot be read ({error.strerror})") from error
    if len(seen) != expected or lines != expected:
        raise _garbage(path, f"it has {lines:,} answers, {len(seen):,} of them different, not {expected:,}")
    if digest.hexdigest() != answers.outputs_sha256:
        raise _garbage(path, "it is not the file in result.json")
    return lines


def _output(run: Run, written: WrittenOutput, candidate_id: int, example_id: int) -> Output:
    return Output(
        run=run,
        example_id=example_id,
        candidate_id=candidate_id,
        sample_index=written.sample,
        # PostgreSQL text cannot contain NUL, but a model may produce it.
        text=written.text.replace("\x00", "�"),
        reasoning=written.reasoning.replace("\x00", "�"),
        finish_reason=written.finish_reason,
        # An endpoint that does not report tokens leaves 0 for the prompt, which real prompts never have.
        prompt_tokens=written.prompt_tokens or None,
        completion_tokens=written.completion_tokens if written.prompt_tokens else None,
        seconds=written.seconds,
    )


def _insert(batch: list[Output]) -> None:
    Output.objects.bulk_create(batch, ignore_conflicts=True)
    batch.clear()


def record_device(run: Run, device: Device, engine: Engine | None = None) -> None:
    """Set the program's device and, for a generation, its engine; a training's engine is TRL."""
    detail = f"{device.dtype}, {counted(device.threads, 'thread')}" if device.kind == "cpu" else device.dtype
    run.device = f"{device.name[:50]} ({detail})"[:80]
    run.engine = engine.name if engine else "trl"
    run.engine_reason = engine.reason if engine else device.reason


def _shortened(report: dict[str, Any]) -> dict[str, Any]:
    """The report with its lists of ids limited in length."""
    for name in ("truncated_ids", "dropped_rows"):
        report["rows"][name] = report["rows"][name][:_KEPT_IDS]
    return report


def _garbage(path: Path, what: str) -> GarbageError:
    return GarbageError(
        f"The program wrote {path.name} in a form that cannot be used: {what}. Nothing was stored; start the"
        f" run again, and look into program.log in {path.parent} if it happens again."
    )
