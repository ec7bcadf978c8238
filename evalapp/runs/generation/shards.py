"""Shards of a large generation, with their workers and states."""

from typing import NamedTuple

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.db.models.functions import Now

from evalapp.core.errors import InvalidError
from evalapp.jobs.models import ACTIVE_STATES, FINAL_STATES, Job
from evalapp.jobs.work import LeaseLost, Work
from evalapp.runs.models import Run, RunShard
from inference.spec import GenerationReport

MOST_SHARDS = 64


class Progress(NamedTuple):
    done: int
    outputs: int


def checked_shards(wanted: object, *, has_base: bool) -> int:
    """The validated number of shards. Raises InvalidError."""
    if type(wanted) is not int or not 1 <= wanted <= MOST_SHARDS:
        raise InvalidError(f"Split the rows into 1 to {MOST_SHARDS} shards.", field="shards")
    if wanted > 1 and not has_base:
        raise InvalidError(
            "API models are asked by one worker, several requests at once. Leave the shards at 1.",
            field="shards",
        )
    return wanted


def shards_of_run(run: Run) -> int:
    """The requested number of shards of a run."""
    return int(run.job.params.get("shards", 1))


def make_shards(run: Run, *, rows: int, candidates: int) -> None:
    """Create the run's shards, each with at least one row; idempotent."""
    count = min(shards_of_run(run), rows)
    RunShard.objects.bulk_create(
        (
            RunShard(run=run, number=number, outputs=len(range(number, rows, count)) * candidates)
            for number in range(count)
        ),
        ignore_conflicts=True,
    )


@transaction.atomic
def take_shard(run: Run, work: Work) -> RunShard | None:
    """Assign a free shard to this attempt; None if there is none at present."""
    others = Job.objects.exclude(pk=work.job.pk).filter(
        pk=OuterRef("holder"), state__in=ACTIVE_STATES, attempt=OuterRef("holder_attempt")
    )
    free = RunShard.objects.filter(~Exists(others), run=run, finished_at=None)
    shard = free.select_for_update(skip_locked=True).order_by("number").first()
    if shard is None:
        return None
    shard.holder, shard.holder_attempt = work.job, work.job.attempt
    shard.takes += 1
    shard.save(update_fields=["holder", "holder_attempt", "takes"])
    return shard


def note_done(shard: RunShard, done: int) -> None:
    """Record the number of finished answers, if the shard is still the caller's."""
    _rows_of_attempt(shard).update(done=min(done, shard.outputs))


@transaction.atomic
def finish_shard(shard: RunShard, report: GenerationReport, work: Work) -> None:
    """Mark the shard as finished. Raises LeaseLost if it was taken over meanwhile."""
    if not _rows_of_attempt(shard).update(report=report.to_dict(), done=shard.outputs, finished_at=Now()):
        raise LeaseLost
    work.fence()


def progress_of(run: Run) -> Progress:
    """Finished and planned answers over all shards."""
    found = run.shards.aggregate(done=Sum("done"), outputs=Sum("outputs"))
    return Progress(found["done"] or 0, found["outputs"] or 0)


def is_finished(run: Run) -> bool:
    return not run.shards.filter(finished_at=None).exists()


def helpers_of(run: Run, task: str) -> int:
    """Number of unfinished helper jobs of the run."""
    return Job.objects.filter(task=task, params__run=run.pk).exclude(state__in=FINAL_STATES).count()


def _rows_of_attempt(shard: RunShard) -> QuerySet[RunShard]:
    return RunShard.objects.filter(pk=shard.pk, takes=shard.takes, finished_at=None)
