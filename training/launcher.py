"""Trains with several processes on this machine, one per GPU, started and monitored by torchrun's agent.

This process is the agent. While the first training process lives, it writes nothing and forwards stop
requests to that process alone. If another process fails, it reports why the run ended.
"""

import hashlib
import json
import os
import signal
import sys
import threading
import uuid
from pathlib import Path
from typing import Any, NamedTuple

from run_directory.files import write_whole
from run_directory.program import Events
from run_directory.protocol import EVENTS_FILE, RESULT_FILE, SPEC_FILE, ExitCode, Outcome
from run_directory.ranks import first_process
from run_directory.records import RecordError, parse_json
from training.spec import TrainingResult

_LEAVING_SECONDS = 15
"""How long the other processes may take to exit once one has ended."""
_TELLING_SECONDS = 0.5


class Failure(NamedTuple):
    """How a process ended; ``status`` is negative for a signal."""

    rank: int
    status: int
    reason: str
    """The process's own message, if it had time to write one."""


def train_together(folder: Path, processes: int, parent_pipe: int | None) -> int:
    """Run the training program in ``processes`` processes on a run directory; returns the overall exit
    code.
    """
    command = ["-m", "training", str(folder)]
    if parent_pipe is not None:
        # torchrun's processes inherit no other descriptor.
        os.dup2(parent_pipe, 0)
        command += ["--parent-pipe", "0"]
    wish = _SignalForwarder(folder)
    wish.listen()
    failures = _run(command, processes)
    wish.is_over.set()
    return exit_code_of(folder, processes, failures, was_asked=wish.was_asked)


def _run(command: list[str], processes: int) -> list[Failure]:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        # The machine's own host name may not resolve.
        local_addr="127.0.0.1",
        max_restarts=0,
        # Stop requests go to the first process alone, so the agent must not handle SIGTERM and SIGINT.
        signals_to_handle="SIGQUIT",
        shutdown_timeout=_LEAVING_SECONDS,
    )
    try:
        elastic_launch(config, sys.executable)(*command)
    except ChildFailedError as error:
        found = sorted(error.failures.items(), key=lambda item: item[1].timestamp)
        return [Failure(rank, failure.exitcode, _reason(failure)) for rank, failure in found]
    return []


def _reason(failure: Any) -> str:
    # A message that is not a dict was made up by torchrun.
    return str(failure.message["message"]) if isinstance(failure.message, dict) else ""


class _SignalForwarder:
    """Forwards SIGTERM and SIGINT to the first process, repeatedly until it ends, since it may not be
    listening yet.
    """

    def __init__(self, folder: Path) -> None:
        self.was_asked = False
        self.is_over = threading.Event()
        self._folder = folder
        self._asked = threading.Event()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)
        threading.Thread(target=self._hand_on, daemon=True).start()

    def _ask(self, *_: object) -> None:
        self.was_asked = True
        self._asked.set()

    def _hand_on(self) -> None:
        self._asked.wait()
        while not self.is_over.wait(_TELLING_SECONDS):
            process_id = first_process(self._folder, parent=os.getpid())
            if process_id is not None:
                os.kill(process_id, signal.SIGTERM)


def exit_code_of(folder: Path, processes: int, failures: list[Failure], *, was_asked: bool) -> int:
    """The exit code of processes that trained together; writes the result if the first one could not."""
    result = _result_in(folder)
    own = next((failure for failure in failures if failure.rank == 0), None)
    others = [failure for failure in failures if failure.rank != 0]
    if result is not None:
        decided, outcome = int(result["exit_code"]), result["outcome"]
        if not failures or outcome == "succeeded":
            return decided
        is_own_decision = outcome == "failed" or (own is not None and not others)
        if is_own_decision or outcome == "abandoned" or (outcome == "cancelled" and was_asked):
            return decided
    if not failures or (own is not None and own.status == ExitCode.LOCKED):
        return own.status if own is not None else ExitCode.CRASHED
    # The other processes report a lost peer or a stop request; this one is the cause. After a refusal,
    # torchrun ends those that have not read the run yet by a signal.
    refused = [failure for failure in failures if failure.status == ExitCode.FAILED]
    killed = [failure for failure in failures if failure.status < 0]
    first = (refused or killed or others or failures)[0]
    is_refused = first.status == ExitCode.FAILED
    return _write_end(folder, "failed" if is_refused else "crashed", _sentence(first, processes))


def _result_in(folder: Path) -> dict[str, Any] | None:
    try:
        found = parse_json((folder / RESULT_FILE).read_bytes(), where=RESULT_FILE)
    except (OSError, RecordError):
        return None
    return found if isinstance(found, dict) else None


def _sentence(failure: Failure, processes: int) -> str:
    which = f"Process {failure.rank + 1} of the {processes} that train together"
    if failure.status < 0:
        why = ", often because the machine ran out of memory" if failure.status == -signal.SIGKILL else ""
        how = f"was ended by {signal.Signals(-failure.status).name}{why}"
    elif failure.reason:
        return failure.reason if failure.status == ExitCode.FAILED else f"{which} failed: {failure.reason}"
    else:
        how = f"ended with status {failure.status}"
    return f"{which} {how}, so the others were stopped; the next start continues from the last checkpoint"


def _write_end(folder: Path, outcome: Outcome, message: str) -> int:
    code = ExitCode.FAILED if outcome == "failed" else ExitCode.CRASHED
    sha256 = hashlib.sha256((folder / SPEC_FILE).read_bytes()).hexdigest()
    result = TrainingResult(outcome=outcome, exit_code=int(code), message=message, spec_sha256=sha256)
    write_whole(folder / RESULT_FILE, json.dumps(result.to_dict()).encode())
    Events(folder / EVENTS_FILE, 1).write("finished", message, outcome=outcome, exit_code=int(code))
    return code
