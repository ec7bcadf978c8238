"""All processes of a distributed training but the first. They write nothing.

The first process owns the lock, the events and the result, listens to the parent, and tells the others to
stop.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from run_directory.model_files import UnusableModelError
from run_directory.program import (
    Events,
    Interruption,
    Program,
    Refusal,
    RunDirectory,
    Stopped,
    has_succeeded,
    redirect_output,
)
from run_directory.protocol import LOG_FILE, SPEC_FILE, EventKind, ExitCode
from run_directory.ranks import first_process
from run_directory.records import RecordError

REASON_VARIABLE = "TORCHELASTIC_ERROR_FILE"
"""Environment variable with the path of the file in which torchrun looks for a failed process's reason."""
_FIRST_ENDS_SECONDS = 10.0
"""How long a failed follower waits for the first process, which usually fails for the same reason and reports
it in the run directory.
"""
_SEEN_SECONDS = 1.0
# The first process is a sibling, not a child: nothing announces its end, so it is polled.
_POLL_SECONDS = 0.1


class _Silence(Events):
    def __init__(self) -> None:
        self.past = []

    def write(
        self,
        kind: EventKind,
        message: str,
        *,
        step: int | None = None,
        total: int | None = None,
        **fields: Any,
    ) -> None:
        """Do nothing: the first process writes the events."""


def run_follower(program: Program, folder: Path) -> int:
    """Work with the first process on a run directory; returns the exit code. Writes only into the log."""
    spec_path = folder / SPEC_FILE
    spec = spec_path.read_bytes() if spec_path.is_file() else b""
    directory = RunDirectory(folder, spec, _Silence(), Interruption())
    if has_succeeded(folder, program.name, directory.spec_sha256):
        return ExitCode.SUCCEEDED
    redirect_output(folder / LOG_FILE)
    _stay_until_the_first_is_gone(folder)
    try:
        program.work(directory)
        code = ExitCode.SUCCEEDED
    except Stopped:
        # It stops together with the first process, which may still be saving; a failure here would cut that
        # off.
        code = ExitCode.SUCCEEDED
    except BaseException as error:  # noqa: BLE001  # last handler of the process: every end gets a reason
        traceback.print_exception(error)
        is_refused = isinstance(error, Refusal | RecordError | UnusableModelError)
        _tell_reason(str(error) if is_refused else f"Unexpected {type(error).__name__}: {error}")
        _wait_for_the_first(folder)
        code = ExitCode.FAILED if is_refused else ExitCode.CRASHED
    sys.stdout.flush()
    sys.stderr.flush()
    # Normal exit would wait in library destructors for processes that have ended.
    os._exit(code)


def _stay_until_the_first_is_gone(folder: Path) -> None:
    """Obey SIGTERM only after the first process has ended, which may need this one while it saves."""
    parent = os.getppid()
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)

    def listen() -> None:
        while not {signal.SIGTERM, signal.SIGINT} & set(os.read(reading, 64)):
            pass
        while first_process(folder, parent=parent) is not None:
            time.sleep(_POLL_SECONDS)
        os._exit(128 + signal.SIGTERM)

    threading.Thread(target=listen, daemon=True).start()


def _tell_reason(message: str) -> None:
    if path := os.environ.get(REASON_VARIABLE):
        reason = {"message": {"message": message, "extraInfo": {"timestamp": int(time.time())}}}
        Path(path).write_text(json.dumps(reason), encoding="utf-8")


def _wait_for_the_first(folder: Path) -> None:
    deadline = time.monotonic() + _FIRST_ENDS_SECONDS
    while time.monotonic() < deadline and first_process(folder, parent=os.getppid()) is not None:
        time.sleep(_POLL_SECONDS)
    # If the first process was killed, this process fails because of it: let observers see that end first.
    time.sleep(_SEEN_SECONDS)
