"""Life cycle of a model program on a run directory: lock, events, stopping, and the result.

All programs run inside `run_in`, so a lock, a cancellation or a crash means the same in each.
"""

import argparse
import errno
import fcntl
import hashlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from run_directory.disk_space import give_back, is_disk_full, no_room, set_aside
from run_directory.files import append_whole, drop_torn_line, write_whole
from run_directory.memory import is_out_of_memory
from run_directory.model_files import UnusableModelError
from run_directory.protocol import (
    EVENTS_FILE,
    LOCK_FILE,
    LOG_FILE,
    RESULT_FILE,
    SPEC_FILE,
    Event,
    EventKind,
    ExitCode,
    Outcome,
)
from run_directory.records import Record, RecordError, parse_json

GRACE_SECONDS = 30
"""How long a program may take to save its work after its parent has ended."""

ORDERLY_SECONDS = 3.0
"""How long the work may take to notice a stop request, about one batch. Then the process is ended from
another thread.
"""

_EXIT_CODES: dict[Outcome, ExitCode] = {
    "succeeded": ExitCode.SUCCEEDED,
    "failed": ExitCode.FAILED,
    "cancelled": ExitCode.CANCELLED,
    "abandoned": ExitCode.ABANDONED,
    "crashed": ExitCode.CRASHED,
}


class Refusal(Exception):
    """The input cannot be used; the message says what, where and how to fix it."""


class Stopped(Exception):
    """The work was asked to stop and has been saved."""


class Interruption:
    """A stop request: by SIGTERM or SIGINT (cancelled) or by the parent's end (abandoned).

    Work that notices it in time ends by itself. A library step can take minutes, though, during which Python
    handles no signals, so a thread listens and ends the process after ORDERLY_SECONDS. All files are either
    complete or repaired at the next start, so only the current batch is lost.
    """

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self._save: Callable[[], None] | None = None
        self._leave: Callable[[Outcome, str], int] | None = None
        self._end = threading.Lock()

    def listen(self, parent_pipe: int | None, leave: Callable[[Outcome, str], int]) -> None:
        """Listen for signals, and watch the parent's pipe if there is one. ``leave`` records how the program
        ended.
        """
        self._leave = leave
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            # The wake-up pipe receives the signal number at once, whatever the main thread is doing.
            signal.signal(number, lambda *_: None)
        threading.Thread(target=self._listen, args=(reading,), daemon=True).start()
        if parent_pipe is not None:
            threading.Thread(target=self._watch, args=(parent_pipe,), daemon=True).start()

    def check(self) -> None:
        """Raise Stopped if a stop was requested. Call only where no work is half-done."""
        if self.outcome is not None:
            raise Stopped

    @contextmanager
    def saved_by(self, save: Callable[[], None]) -> Iterator[None]:
        """Within this context, ``save`` is called in another thread before the process is ended from
        there.
        """
        self._save = save
        try:
            yield
        finally:
            self._save = None

    def begin_to_end(self) -> None:
        """Claim the right to record the end; does not return if the listening thread is already ending the
        process.
        """
        self._end.acquire()

    def _listen(self, pipe: int) -> None:
        while numbers := os.read(pipe, 64):
            if {signal.SIGTERM, signal.SIGINT} & set(numbers):
                self._ask("cancelled")

    def _watch(self, pipe: int) -> None:
        while os.read(pipe, 4096):
            pass
        self._ask("abandoned")
        # The next attempt waits for the lock, so a hanging disk must not hold it forever.
        threading.Event().wait(GRACE_SECONDS)
        os._exit(ExitCode.ABANDONED)

    def _ask(self, outcome: Outcome) -> None:
        if self.outcome is None:
            self.outcome = outcome
            threading.Thread(target=self._end_beside, args=(outcome,), daemon=True).start()

    def _end_beside(self, outcome: Outcome) -> None:
        threading.Event().wait(ORDERLY_SECONDS)
        if self._leave is None or not self._end.acquire(blocking=False):
            return
        try:
            self._leave(outcome, self._saved(outcome))
        finally:
            # The main thread may be inside a library for minutes, or waiting for this thread.
            os._exit(_EXIT_CODES[outcome])

    def _saved(self, outcome: Outcome) -> str:
        """Save the work; returns the closing sentence."""
        why = "on request" if outcome == "cancelled" else "because its parent ended"
        try:
            if self._save is not None:
                self._save()
        except Exception as error:  # noqa: BLE001  # the process ends here, and the sentence must be true
            traceback.print_exception(error)
            return (
                f"Stopped {why}; its latest state could not be saved ({_first_line(error)}), so the next"
                " start continues from the last checkpoint, if there is one."
            )
        return f"Stopped {why}; the work so far is saved, and the next start continues from it."


class Events:
    """Appends to events.jsonl, and prints each message for a person who started the program by hand."""

    def __init__(self, path: Path, console: int) -> None:
        drop_torn_line(path)
        self.past = (
            [Event.from_json(line, where=path.name) for line in path.open("rb")] if path.exists() else []
        )
        """The events of earlier attempts."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._console = console

    def write(
        self,
        kind: EventKind,
        message: str,
        *,
        step: int | None = None,
        total: int | None = None,
        **fields: Any,
    ) -> None:
        """Append one event; for `fields` see Event and the programs' specs."""
        time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        event = Event(kind=kind, time=time, message=message, step=step, total=total, fields=fields)
        append_whole(self._file, event.to_json().encode() + b"\n")
        counted = f"{step}/{total}  " if total else ""
        try:
            os.write(self._console, f"{counted}{message}\n".encode())
        except OSError:
            # The terminal was closed; the file is the record.
            self._console = os.open(os.devnull, os.O_WRONLY)

    def seconds_of_earlier_attempts(self, program: str) -> float:
        """Wall time of the program's earlier attempts, each from its first event to its last. Skips other
        programs that ran in the folder, such as a dry run.
        """
        total, previous, is_own = 0.0, None, False
        for event in self.past:
            time = datetime.fromisoformat(event.time)
            if event.kind == "started":
                is_own = event.fields.get("program") == program
            elif previous is not None and is_own:
                total += (time - previous).total_seconds()
            previous = time
        return total

    def last_fields(self, kind: EventKind, **matching: object) -> dict[str, Any] | None:
        """Fields of the latest event of this kind from earlier attempts whose fields include `matching`."""
        for event in reversed(self.past):
            if event.kind == kind and all(
                event.fields.get(name) == value for name, value in matching.items()
            ):
                return event.fields
        return None


class RunDirectory:
    """The input of a program's work: the folder, the spec's bytes, the events and the stop request."""

    def __init__(self, folder: Path, spec: bytes, events: Events, interruption: Interruption) -> None:
        self.folder = folder
        self.spec = spec
        self.spec_sha256 = hashlib.sha256(spec).hexdigest()
        self.events = events
        self.interruption = interruption

    def place(self, named: str) -> Path:
        """Resolve a folder named by the spec: absolute, or relative to the run directory with links
        followed.
        """
        return Path(named) if Path(named).is_absolute() else (self.folder / named).resolve()


class Program(Protocol):
    """Interface of the individual programs."""

    @property
    def name(self) -> str:
        """Module name, as in `python -m name`."""

    @property
    def result_type(self) -> Callable[..., Record]:
        """The result record; takes outcome, exit_code, message, spec_sha256 and report as keyword
        arguments.
        """

    def work(self, directory: RunDirectory) -> tuple[str, Record | None]:
        """Do all the work; returns the closing sentence and the report.

        Raises Refusal or RecordError for unusable input, and Stopped after saving.
        """


def parse_arguments(
    name: str, arguments: list[str], *, more: Callable[[argparse.ArgumentParser], None] | None = None
) -> argparse.Namespace:
    """Parse `run_dir`, `parent_pipe` and the options that `more` adds; exits with status 2 for invalid
    arguments.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m {name}",
        description=(
            "Works in a run directory, and continues where an earlier start was stopped."
            " docs/run-directory.md describes spec.json, data.jsonl and the results."
        ),
        epilog=(
            "Exit status: 0 succeeded, 1 unexpected error, 2 wrong command line, 3 the input cannot be used"
            " (result.json says why), 4 stopped when asked, 5 another program works in the folder, 6 the"
            " parent has ended."
        ),
    )
    parser.add_argument(
        "run_dir",
        type=Path,
        metavar="RUN_DIR",
        help="folder with spec.json, and data.jsonl where rows are read",
    )
    parser.add_argument(
        "--parent-pipe",
        type=int,
        metavar="FD",
        help="readable file descriptor that the parent keeps open; when it closes, save and end",
    )
    if more is not None:
        more(parser)
    parsed = parser.parse_args(arguments)
    if not parsed.run_dir.is_dir():
        parser.error(f"{parsed.run_dir} is not a folder")
    if parsed.parent_pipe is not None:
        try:
            os.fstat(parsed.parent_pipe)
        except OSError:
            parser.error(
                f"--parent-pipe {parsed.parent_pipe} is not an open file descriptor; the parent must pass"
                " it on"
            )
    if why := _why_not_writable(parsed.run_dir):
        parser.error(
            f"{parsed.run_dir} is not writable ({why}), and results are written there; copy it to a writable"
            " folder"
        )
    return parsed


def _why_not_writable(folder: Path) -> str:
    try:
        with (folder / LOCK_FILE).open("a"):
            return ""
    except OSError as error:
        # For a full disk, the work itself reports what could not be written and what is complete.
        return "" if error.errno == errno.ENOSPC else error.strerror or "unknown why"


def run_program(program: Program, arguments: list[str]) -> int:
    """Run a program on a run directory; returns its exit code."""
    parsed = parse_arguments(program.name, arguments)
    return run_in(program, parsed.run_dir, parsed.parent_pipe)


def run_in(program: Program, run_dir: Path, parent_pipe: int | None) -> int:
    """Like `run_program`, after the command line has been parsed."""
    folder = run_dir.resolve()
    with _lock(folder) as locked:
        if not locked:
            sys.stderr.write(f"{folder} is locked: another program works in it. Nothing was changed.\n")
            return ExitCode.LOCKED
        console = redirect_output(folder / LOG_FILE)
        return _run_locked(program, folder, parent_pipe, console)


def _run_locked(program: Program, folder: Path, parent_pipe: int | None, console: int) -> int:
    spec_path = folder / SPEC_FILE
    spec = spec_path.read_bytes() if spec_path.is_file() else None
    spec_sha256 = hashlib.sha256(spec).hexdigest() if spec is not None else None
    if has_succeeded(folder, program.name, spec_sha256):
        os.write(console, b"Finished before; nothing to do.\n")
        return ExitCode.SUCCEEDED
    (folder / RESULT_FILE).unlink(missing_ok=True)
    set_aside(folder)
    ending = _Ending(program, folder, spec_sha256)
    interruption = Interruption()
    report: Record | None = None
    outcome: Outcome = "succeeded"
    try:
        ending.events = Events(folder / EVENTS_FILE, console)
        interruption.listen(parent_pipe, ending.write)
        message, report = _work(program, folder, spec, ending.events, interruption)
    except BaseException as error:  # noqa: BLE001  # last handler of the process: every end gets a sentence
        outcome, message = _explained(error, interruption, folder)
    interruption.begin_to_end()
    code = ending.write(outcome, message, report)
    if interruption.outcome is not None:
        # The parent waits for the process, and library destructors can take as long as a step.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


class _Ending:
    """Records how the program ended, in result.json and a last event."""

    def __init__(self, program: Program, folder: Path, spec_sha256: str | None) -> None:
        self.events: Events | None = None
        self._program = program
        self._folder = folder
        self._spec_sha256 = spec_sha256

    def write(self, outcome: Outcome, message: str, report: Record | None = None) -> int:
        """Write the result and the last event; returns the exit code."""
        # A library's message may contain characters that neither a file nor a database accepts.
        message = message.replace("\x00", "�").encode(errors="replace").decode()
        code = _EXIT_CODES[outcome]
        result = self._program.result_type(
            outcome=outcome,
            exit_code=int(code),
            message=message,
            spec_sha256=self._spec_sha256,
            report=report,
        )
        give_back(self._folder)
        write_whole(self._folder / RESULT_FILE, result.to_json().encode())
        if self.events is not None:
            self.events.write("finished", message, outcome=outcome, exit_code=int(code))
        return code


def _work(
    program: Program, folder: Path, spec: bytes | None, events: Events, interruption: Interruption
) -> tuple[str, Record | None]:
    if spec is None:
        raise Refusal(f"{SPEC_FILE}: the file is missing from the run directory")
    directory = RunDirectory(folder, spec, events, interruption)
    earlier = events.last_fields("started")
    events.write(
        "started",
        f"The {program.name} program has started.",
        program=program.name,
        attempt=1 + sum(event.kind == "started" for event in events.past),
        process_id=os.getpid(),
        spec_sha256=directory.spec_sha256,
    )
    if earlier is not None and earlier.get("spec_sha256") != directory.spec_sha256:
        raise Refusal(
            f"{SPEC_FILE} was changed after the first start; create a new run directory for a new spec"
        )
    return program.work(directory)


def _explained(error: BaseException, interruption: Interruption, folder: Path) -> tuple[Outcome, str]:
    if interruption.outcome is not None:
        # An engine may be killed by the same signal before the work notices the stop request.
        if not isinstance(error, Stopped):
            traceback.print_exception(error)
        why = "on request" if interruption.outcome == "cancelled" else "because its parent ended"
        return (
            interruption.outcome,
            f"Stopped {why}; the work so far is saved, and the next start continues from it.",
        )
    traceback.print_exception(error)
    if isinstance(error, Refusal | RecordError | UnusableModelError):
        return "failed", str(error)
    if is_disk_full(error, folder):
        return "failed", no_room(
            folder, what="what comes next", needed=None, kept="it continues from the complete part"
        )
    if is_out_of_memory(error):
        return (
            "failed",
            "Out of memory; use a smaller batch_size or max_length, or a smaller base model.",
        )
    if isinstance(error, OSError) and error.filename is not None:
        return "crashed", f"{error.strerror}: {error.filename}"
    return "crashed", f"Unexpected {type(error).__name__}: {_first_line(error)} ({LOG_FILE} has the details)"


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0][:300]


def has_succeeded(folder: Path, program: str, spec_sha256: str | None) -> bool:
    """Whether the program already succeeded with this spec, so that callers can safely restart it after a
    crash of their own.
    """
    try:
        result = (folder / RESULT_FILE).read_text()
    except OSError:
        return False
    return spec_sha256 is not None and _says_succeeded(result, program, spec_sha256)


def _says_succeeded(result: str, program: str, spec_sha256: str) -> bool:
    try:
        found = parse_json(result, where=RESULT_FILE)
    except RecordError:
        return False
    return (
        isinstance(found, dict)
        # A dry run and its training share one spec.
        and found.get("program") == program
        and found.get("outcome") == "succeeded"
        and found.get("spec_sha256") == spec_sha256
    )


@contextmanager
def _lock(folder: Path) -> Iterator[bool]:
    with (folder / LOCK_FILE).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield True


def redirect_output(log: Path) -> int:
    """Redirect standard output and error of this process and its children to the log; returns a descriptor of
    the old standard output.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    console = os.dup(1)
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    return console
