"""A large generation shared by several workers: one leads, others help, and each shard has one worker at a
time.

The run's own job leads: it requests helpers (jobs for any free worker), answers shards like them, and stores
all answers at the end. It never waits for workers that may not exist: alone, it answers every shard.
"""

from typing import Any

from django.db import transaction

from evalapp.jobs.models import Job, JobState
from evalapp.jobs.services import create_job
from evalapp.jobs.work import JobCancelled, Work
from evalapp.runs.execution.relay import Relay
from evalapp.runs.execution.run_execution import (
    FolderLocked,
    execute_run,
    generate,
    missing_report_error,
    run_of,
)
from evalapp.runs.generation.shard_merge import merge_shards
from evalapp.runs.generation.shards import (
    finish_shard,
    helpers_of,
    is_finished,
    make_shards,
    note_done,
    progress_of,
    shards_of_run,
    take_shard,
)
from evalapp.runs.models import Run, RunShard
from evalapp.runs.programs.directory import prepare_shard, shard_folder
from evalapp.runs.programs.ingest import store_generation
from evalapp.runs.programs.launching import begin_attempt
from inference.spec import GenerationResult
from run_directory.protocol import Event

HELP_TASK = "evalapp.runs.tasks.carry_out_help"
_POLL_SECONDS = 1.0
_LOCKED_SECONDS = 5.0
_ACTIVE_STATES = frozenset({JobState.QUEUED, JobState.STARTING, JobState.RUNNING})
"""States of the leading job in which helpers continue; a lost leader is queued again."""
_ANSWERING_STAGE = "Generating the answers, shard by shard"


def answer_all(work: Work) -> dict[str, Any]:
    """Generate the answers of every candidate to every row: alone, or with helpers if the rows are split."""
    run = run_of(work.job)
    return _answer_with_helpers(work, run) if shards_of_run(run) > 1 else generate(work)


def answer_free_shards(work: Work) -> dict[str, Any]:
    """Answer shards of the run in ``params`` until none is free; returns their number."""
    leader = Job.objects.get(run=work.job.params["run"])
    require_wanted(leader)
    run = run_of(leader)
    require_wanted(leader)
    answered = 0
    while shard := take_shard(run, work):
        _answer_shard(work, run, shard, HelperRelay(work, run, shard, leader))
        answered += 1
    return {"shards": answered}


def require_wanted(leader: Job) -> None:
    """Raises JobCancelled when the leading job was stopped or has ended."""
    leader.refresh_from_db(fields=["state"])
    if leader.state not in _ACTIVE_STATES:
        raise JobCancelled


class ShardRelay(Relay):
    """Counts a shard's answers, reports the progress over all shards, and requests helpers once."""

    def __init__(self, work: Work, run: Run, shard: RunShard) -> None:
        super().__init__(work, run, shard_folder(run, shard.number))
        self._shard = shard
        self._has_asked = False

    def say(self, event: Event, stage: str) -> None:
        note_done(self._shard, event.step or 0)
        report_progress(self._work, self._run)
        # The first answers determine the engine, which all shards must use.
        if not self._has_asked:
            self._has_asked = True
            _ask_for_helpers(self._work, self._run)


class HelperRelay(Relay):
    """Counts a shard's answers, and stops its program when the run is stopped."""

    def __init__(self, work: Work, run: Run, shard: RunShard, leader: Job) -> None:
        super().__init__(work, run, shard_folder(run, shard.number))
        self._shard = shard
        self._leader = leader

    def tick(self) -> None:
        require_wanted(self._leader)
        super().tick()

    def say(self, event: Event, stage: str) -> None:
        note_done(self._shard, event.step or 0)
        self._work.report(event.step or 0, event.total, f"Answering {self._shard}")


def report_progress(work: Work, run: Run) -> None:
    done, outputs = progress_of(run)
    work.report(done, outputs, _ANSWERING_STAGE)


def _answer_with_helpers(work: Work, run: Run) -> dict[str, Any]:
    make_shards(run, rows=int(run.spec["rows"]), candidates=run.candidates.count())
    work.log(f"The rows are split into {run.shards.count()} shards; each free worker takes one.")
    while not is_finished(run):
        shard = take_shard(run, work)
        if shard is not None:
            _answer_shard(work, run, shard, ShardRelay(work, run, shard))
            continue
        report_progress(work, run)
        # Other workers have the rest; a lost worker's shard becomes free when its job's lease ends.
        work.rest(_POLL_SECONDS)
    work.enter("Merging the shards")
    return store_generation(work, run, merge_shards(run))


def _answer_shard(work: Work, run: Run, shard: RunShard, relay: Relay) -> None:
    folder = shard_folder(run, shard.number)
    while True:
        place = begin_attempt(work, folder, shard.takes)
        prepare_shard(run, shard.number, run.shards.count())
        try:
            result = execute_run(work, run, "inference", GenerationResult, place, relay=relay)
        except FolderLocked:
            # The program of a killed worker on this machine ends within half a minute.
            work.rest(_LOCKED_SECONDS)
        else:
            break
    if result.report is None:
        raise missing_report_error(folder)
    finish_shard(shard, result.report, work)


def _ask_for_helpers(work: Work, run: Run) -> None:
    """Create a helper job for each free shard."""
    unfinished = run.shards.filter(finished_at=None).count()
    with transaction.atomic():
        for _ in range(unfinished - 1 - helpers_of(run, HELP_TASK)):
            create_job(
                project=run.project,
                task=HELP_TASK,
                title=f"Help with {run.name}",
                by=run.created_by,
                params={"run": run.pk},
                queue="models",
            )
        work.fence()
