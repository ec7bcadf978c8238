"""One attempt of a training, dry run or generation: run directory, program, outcome, storage of the
result.
"""

import hashlib
import signal
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from django.conf import settings

from evalapp.core.errors import InvalidError
from evalapp.jobs.executor import run_program
from evalapp.jobs.models import Job
from evalapp.jobs.work import AttemptLost, JobCancelled, Work
from evalapp.runs.contamination.contamination_guard import (
    ContaminatedError,
    compared_with_evaluation,
    leaks_of,
    refuse_contamination,
)
from evalapp.runs.execution.relay import ProgramRelay, Relay
from evalapp.runs.execution.shortage import MemoryWatch
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for, prepare_generation, prepare_training
from evalapp.runs.programs.events import GarbageError, set_aside_garbage
from evalapp.runs.programs.ingest import store_dry_run, store_generation, store_training
from evalapp.runs.programs.inputs import require_bases
from evalapp.runs.programs.launching import RunFolder, begin_attempt, launch_program
from evalapp.runs.programs.model_programs import why_not_runnable
from hub.spec import HubResult, PushResult
from inference.spec import GenerationResult
from run_directory.protocol import EVENTS_FILE, RESULT_FILE, SPEC_FILE, ExitCode
from run_directory.records import RecordError, require_storable
from run_directory.words import as_sentence
from training.dry_run_report import DryRunResult
from training.merge_spec import MergeResult
from training.spec import TrainingResult

CONSOLE_FILE = "console.log"
"""Output of a program before it opens its own log, such as a missing library or a wrong interpreter."""
_LAST_OUTPUT_LENGTH = 600
REASON_ALLOWED = (
    "The training continues, because passages that many texts share do not prove memorisation. Check these"
    " rows if they should have nothing in common."
)


class Launch(Protocol):
    """Starts a program and follows it to its end, like ``executor.run_program``."""

    def __call__(self, *, console: Path, on_tick: Callable[[], None]) -> int: ...


class FolderLocked(AttemptLost):
    """The program of an earlier attempt still holds the run directory."""


Result = TypeVar("Result", TrainingResult, DryRunResult, GenerationResult, MergeResult, HubResult, PushResult)


def train(work: Work) -> dict[str, Any]:
    """Run the training and register its model."""
    run = run_of(work.job)
    work.enter("Comparing training rows with the evaluation")
    _require_uncontaminated(work, run)
    place = begin_attempt(work, folder_for(run), work.job.attempt)
    _save_spec(run, prepare_training(run).to_dict())
    result = execute_run(work, run, "training", TrainingResult, place)
    if result.report is None:
        raise missing_report_error(place.folder)
    work.enter("Registering the model")
    return store_training(work, run, result.report)


def dry_run(work: Work) -> dict[str, Any]:
    """Run the dry run of a training and store its report."""
    run = run_of(work.job)
    work.enter("Comparing training rows with the evaluation")
    leaks = compared_with_evaluation(run.dataset_version)
    place = begin_attempt(work, folder_for(run), work.job.attempt)
    _save_spec(run, prepare_training(run).to_dict())
    result = execute_run(work, run, "training.dry_run", DryRunResult, place)
    if result.report is None:
        raise missing_report_error(place.folder)
    return store_dry_run(work, run, result.report, leaks)


def generate(work: Work) -> dict[str, Any]:
    """Generate the answers of every candidate to every row, and store them."""
    run = run_of(work.job)
    place = begin_attempt(work, folder_for(run), work.job.attempt)
    _save_spec(run, prepare_generation(run).to_dict())
    result = execute_run(work, run, "inference", GenerationResult, place)
    if result.report is None:
        raise missing_report_error(place.folder)
    return store_generation(work, run, result.report)


def run_of(job: Job) -> Run:
    """The job's run with all related objects that its work reads.

    Raises InvalidError when no model program can run, and NotHereError when a base is not on this machine.
    """
    run = (
        Run.objects.select_related(
            "project", "job", "dataset_version__dataset", "base__model", "continued_from"
        )
        .select_related("created_by", "produced")
        .get(job=job)
    )
    if problem := why_not_runnable():
        raise InvalidError(problem)
    # Checked first, so that another machine need not repeat any fetching or comparing.
    require_bases(run)
    return run


def _require_uncontaminated(work: Work, run: Run) -> None:
    """Raises ContaminatedError; stores the affected rows with the run, so that an owner can decide on
    them.
    """
    try:
        allowed = refuse_contamination(run.dataset_version)
    except ContaminatedError as error:
        run.result = {"leaks": leaks_of(run.dataset_version, error.report)}
        run.save(update_fields=["result"])
        raise
    run.result = {}
    if allowed.decision is not None:
        run.result = {"leaks": leaks_of(run.dataset_version, allowed.report)}
        for sentence in allowed.report.refusal_sentences():
            why = f"The training continues by an owner's decision: “{allowed.decision.reason}”"
            work.log(f"{sentence} {why}", level="warning")
    for sentence in allowed.report.weaker_sentences():
        work.log(f"{sentence} {REASON_ALLOWED}", level="warning")
    run.contamination_decision = allowed.decision
    run.save(update_fields=["result", "contamination_decision"])


def _save_spec(run: Run, spec: dict[str, Any]) -> None:
    run.spec = spec
    run.save(update_fields=["spec"])


def execute_run(
    work: Work,
    run: Run,
    program: str,
    result_type: type[Result],
    place: RunFolder,
    *,
    relay: Relay | None = None,
) -> Result:
    """Run a run's program on its directory, here or on a cluster; see ``execute_program``."""
    relay = relay or Relay(work, run, place.folder)
    launch = partial(launch_program, work, run, program, place)
    watch = MemoryWatch(work, run, relay.facts)
    return execute_program(work, relay, program, result_type, memory=watch, launch=launch)


def execute_program(
    work: Work,
    relay: ProgramRelay,
    program: str,
    result_type: type[Result],
    *,
    variables: Mapping[str, str] | None = None,
    memory: MemoryWatch | None = None,
    launch: Launch | None = None,
    needs_device: bool = True,
) -> Result:
    """Run a model program in the relay's folder, which has its specification; returns the result if it
    succeeded, otherwise raises the exception for the outcome.

    ``memory`` watches a run's memory; ``launch`` starts the program elsewhere. ``needs_device`` is false for
    programs that compute nothing.
    """
    folder = relay.folder
    if aside := set_aside_garbage(folder / EVENTS_FILE):
        work.log(
            f"{EVENTS_FILE} of an earlier attempt cannot be read, so it is set aside as {aside.name}.",
            level="warning",
        )
    console = folder / CONSOLE_FILE
    said_before = console.stat().st_size if console.exists() else 0

    def tick() -> None:
        if memory is not None:
            memory.tick()
        relay.tick()

    if launch is not None:
        status = launch(console=console, on_tick=tick)
    else:
        command: list[str | Path] = [settings.MODEL_PYTHON, "-m", program, folder, "--parent-pipe", "0"]
        status = run_program(
            work,
            command,
            folder=folder,
            console=console,
            variables=variables,
            needs_device=needs_device,
            on_tick=tick,
        )
    if status == ExitCode.LOCKED:
        raise FolderLocked(f"Another program works in {folder}")
    result = _read_result(folder, status, result_type)
    if result is None:
        if memory is not None:
            memory.raise_if_killed_for_memory(status)
        raise _error_without_result(status, folder, _last_output(console, said_before))
    _log_environment(work, result)
    if result.outcome == "succeeded":
        return result
    if result.outcome == "failed":
        raise InvalidError(as_sentence(result.message))
    if result.outcome == "cancelled" and work.is_cancelled:
        raise JobCancelled
    raise AttemptLost(result.message.rstrip("."))


def _read_result(folder: Path, status: int, result_type: type[Result]) -> Result | None:
    """Read this attempt's result.json; None if there is none, or only an earlier attempt's.

    Raises GarbageError for one that is unreadable or belongs to another spec.
    """
    try:
        text = (folder / RESULT_FILE).read_bytes()
    except OSError:
        return None
    try:
        result = result_type.from_json(text, where=RESULT_FILE)
        require_storable(result.to_dict(), RESULT_FILE)
    except RecordError as error:
        raise GarbageError(
            f"The program wrote a result that cannot be read: {error}. Nothing was stored; start it again."
        ) from error
    if result.exit_code != status:
        return None
    if result.outcome == "succeeded":
        spec = hashlib.sha256((folder / SPEC_FILE).read_bytes()).hexdigest()
        if result.spec_sha256 != spec:
            raise GarbageError(
                f"{RESULT_FILE} belongs to another {SPEC_FILE} than this run's. Nothing was stored."
            )
    return result


def _error_without_result(status: int, folder: Path, last_output: str) -> Exception:
    if status < 0:
        name = signal.Signals(-status).name
        why = ", often because the machine ran out of memory" if -status == signal.SIGKILL else ""
        return AttemptLost(f"The program was ended by {name}{why}")
    ending = f" Its last output: {last_output}" if last_output else ""
    return GarbageError(
        f"The program ended with status {status} and left no result; nothing was stored. "
        f"program.log in {folder} may say more.{ending}"
    )


def missing_report_error(folder: Path) -> GarbageError:
    """The error to raise for a successful result without a report."""
    return GarbageError(
        f"The program ended without a report ({RESULT_FILE} in {folder}). Nothing was stored; start it again."
    )


def _last_output(console: Path, start: int) -> str:
    try:
        with console.open("rb") as file:
            file.seek(start)
            text = file.read().decode(errors="replace").replace("\x00", "�").strip()
    except OSError:
        return ""
    return text.splitlines()[-1][-_LAST_OUTPUT_LENGTH:] if text else ""


def _log_environment(work: Work, result: Result) -> None:
    # Device and packages do not matter for transfers.
    if result.report is not None and not isinstance(result, HubResult | PushResult):
        data = {"packages": result.report.packages, "device": result.report.device.to_dict()}
        work.log(f"Ran on {result.report.device.name}.", data=data)
