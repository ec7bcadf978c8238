"""Merges the answers and reports of all shards into those of one generation."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from django.utils import timezone

from evalapp.core.artifacts import store_errors_explained
from evalapp.runs.models import Run, RunShard
from evalapp.runs.programs.directory import folder_for, shard_folder
from evalapp.runs.programs.events import GarbageError
from evalapp.runs.programs.saving import saved_run
from inference.spec import CandidateReport, GenerationReport
from run_directory.files import sha256_of
from run_directory.protocol import OUTPUTS_FILE


def merge_shards(run: Run) -> GenerationReport:
    """Write the run's outputs.jsonl from its finished shards, fetching them from the store if needed; returns
    the merged report.

    Raises GarbageError when a shard's answers do not match its report or two shards do not belong together,
    and StoreUnavailableError.
    """
    shards = list(run.shards.order_by("number"))
    reports = [GenerationReport.from_dict(shard.report) for shard in shards]
    _require_same_settings(reports)
    folder = folder_for(run)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{OUTPUTS_FILE}.joined"
    with fresh.open("wb") as target:
        for shard, report in zip(shards, reports, strict=True):
            with _outputs(run, shard, report).open("rb") as source:
                shutil.copyfileobj(source, target)
        target.flush()
        os.fsync(target.fileno())
    fresh.replace(folder / OUTPUTS_FILE)
    return _report(run, reports, outputs_sha256=sha256_of(folder / OUTPUTS_FILE))


def _outputs(run: Run, shard: RunShard, report: GenerationReport) -> Path:
    folder = shard_folder(run, shard.number)
    path = folder / OUTPUTS_FILE
    if not _has_hash(path, report.outputs_sha256) and (saved := saved_run(folder)) is not None:
        with store_errors_explained():
            newest = saved.newest(before=2 * shard.takes + 2)
            if newest is not None:
                saved.fetch(newest, growing_only=True)
    if not _has_hash(path, report.outputs_sha256):
        raise GarbageError(
            f"The answers of {shard} are not in {folder}, or are not those of its report. Nothing"
            " was stored; start the run again."
        )
    return path


def _has_hash(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def _require_same_settings(reports: Sequence[GenerationReport]) -> None:
    found = {(report.engine.name, report.base_fingerprint, report.chat_template_sha256) for report in reports}
    if len(found) > 1:
        raise GarbageError(
            "The shards were generated with different engines or bases, so their answers cannot be merged."
            " Nothing was stored; start the run again on machines with the same ones."
        )


def _report(run: Run, reports: Sequence[GenerationReport], *, outputs_sha256: str) -> GenerationReport:
    first = reports[0]
    candidates = tuple(
        _candidate([report.candidates[position] for report in reports])
        for position in range(len(first.candidates))
    )
    tokens = sum(report.completion_tokens for report in reports)
    generating = sum(candidate.seconds for candidate in candidates)
    started = run.job.started_at or timezone.now()
    return replace(
        first,
        rows=sum(report.rows for report in reports),
        outputs=sum(report.outputs for report in reports),
        refused=sum(report.refused for report in reports),
        candidates=candidates,
        outputs_sha256=outputs_sha256,
        completion_tokens=tokens,
        tokens_per_second=tokens / generating if generating else 0.0,
        resumed_from=sum(report.resumed_from for report in reports),
        seconds=(timezone.now() - started).total_seconds(),
        peak_memory_bytes=max(report.peak_memory_bytes for report in reports),
    )


def _candidate(parts: Sequence[CandidateReport]) -> CandidateReport:
    return replace(
        parts[0],
        outputs=sum(part.outputs for part in parts),
        refused=sum(part.refused for part in parts),
        cut_at_length=sum(part.cut_at_length for part in parts),
        completion_tokens=sum(part.completion_tokens for part in parts),
        seconds=sum(part.seconds for part in parts),
    )
