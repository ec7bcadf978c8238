"""Runs that ran out of memory: detection, numbers and the retry with half the batch size."""

import signal
from collections.abc import Mapping
from typing import Any

from evalapp.accounts.models import User
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.jobs.work import Work
from evalapp.runs.models import TRAINING_KINDS, Run, RunKind
from evalapp.runs.services import start_generation, start_training
from run_directory.memory import (
    OUT_OF_MEMORY,
    MemoryShortage,
    levers,
    machine_memory_bytes,
    memory_kills,
    resident_peak_bytes,
)
from run_directory.records import RecordError


class MemoryWatch:
    """Records a program's memory, because the kernel kills silently when memory runs out. Call ``tick`` while
    it runs.

    ``facts`` is what the program reports about itself meanwhile, such as its batch size and longest row.
    """

    def __init__(self, work: Work, run: Run, facts: Mapping[str, Any]) -> None:
        self._work = work
        self._run = run
        self._facts = facts
        self._kills = memory_kills()
        self._peak: int | None = None

    def tick(self) -> None:
        process = self._work.job.process_id
        held = resident_peak_bytes(process) if process else None
        self._peak = max(self._peak or 0, held) if held else self._peak

    def raise_if_killed_for_memory(self, status: int) -> None:
        """Raises InvalidError with the numbers when the kernel killed the program for lack of memory.

        This is no lost attempt: a retry would end the same way.
        """
        kills = memory_kills()
        if status != -signal.SIGKILL or kills is None or self._kills is None or kills <= self._kills:
            return
        known = {**self._run.spec, **self._facts}
        learns = self._run.kind in TRAINING_KINDS
        shortage = MemoryShortage(
            device="this machine",
            had_bytes=machine_memory_bytes(),
            held_bytes=self._peak,
            asked_bytes=None,
            batch_size=known.get("batch_size"),
            accumulation_steps=known.get("accumulation_steps"),
            length=known.get("max_length"),
        )
        self._work.log(
            "The kernel ended the program because memory ran out.",
            level="warning",
            data={"name": OUT_OF_MEMORY, **shortage.to_dict()},
        )
        numbers = shortage.numbers[:1].upper() + shortage.numbers[1:]
        raise InvalidError(f"{numbers}. {levers('training' if learns else 'inference')}.")


def shortage_of(run: Run) -> MemoryShortage | None:
    """The memory shortage of a run's latest attempt; None if memory sufficed."""
    facts = run.job.events.filter(attempt=run.job.attempt, data__name=OUT_OF_MEMORY).order_by("-pk").first()
    if facts is None or not run.job.is_over:
        return None
    try:
        return MemoryShortage.from_dict({key: value for key, value in facts.data.items() if key != "name"})
    except RecordError:
        return None


def half_batch(run: Run) -> dict[str, int] | None:
    """Settings with at most half the batch size; a training keeps its effective batch size.

    None if the run did not run out of memory or nothing can be halved.
    """
    shortage = shortage_of(run)
    if shortage is None or shortage.batch_size is None:
        return None
    if run.kind == RunKind.GENERATION:
        return {"batch_size": shortage.batch_size // 2} if shortage.batch_size > 1 else None
    effective = shortage.batch_size * (shortage.accumulation_steps or 1)
    limit = run.objective.limits.get("batch_size") if run.objective else None
    fewest = int(limit.least) if limit else 1
    for rows in range(shortage.batch_size // 2, fewest - 1, -1):
        if effective % rows == 0:
            return {"batch_size": rows, "accumulation_steps": effective // rows}
    return None


def start_with_half_batch(*, run: Run, by: User | None) -> Run:
    """Queue a new run with the same settings and half the batch size.

    It does not continue from the checkpoint: dropout is drawn per batch, so the losses would match neither
    run. Raises ConflictError when the run did not run out of memory, and the errors of starting a run.
    """
    smaller = half_batch(run)
    if smaller is None:
        raise ConflictError(
            "Only a run that ran out of memory with a batch size above 1 can be retried with half"
            " the batch size."
        )
    name = f"{run.name[:100]} (batch {smaller['batch_size']})"
    if run.kind == RunKind.GENERATION:
        return start_generation(
            project=run.project,
            dataset_version=run.dataset_version,
            splits=run.splits,
            candidates=[entry.model_version for entry in run.candidates.order_by("pk")],
            sampling={**_sampling_argument(run), **smaller},
            name=name,
            by=by,
        )
    assert run.base is not None
    return start_training(
        project=run.project,
        dataset_version=run.dataset_version,
        base=run.base,
        continued_from=run.continued_from,
        hyperparameters={**run.hyperparameters, **smaller},
        name=name,
        by=by,
    )


def _sampling_argument(run: Run) -> dict[str, Any]:
    """The ``sampling`` argument that ``start_generation`` was called with."""
    around = {name: run.spec[name] for name in ("engine", "dtype", "device", "threads") if name in run.spec}
    return {**run.spec["sampling"], **around, "samples": run.job.params.get("samples", 1)}
