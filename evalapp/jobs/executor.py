"""The local executor: a program in its own process group, which ends with the worker.

The leash is a pipe: when the worker dies, however it dies, the pipe closes and the program saves and
ends. A cancel is SIGTERM, then SIGKILL of the whole group. What a killed worker left behind is ended
before the next attempt starts.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from django.conf import settings

from evalapp.jobs.devices import Device, held_device
from evalapp.jobs.lease import worker_name
from evalapp.jobs.processes import kill_group, process_state
from evalapp.jobs.stopping import worker_is_stopping
from evalapp.jobs.work import AttemptLost, NoDeviceFree, Work

POLL_SECONDS = 0.5
SAVING_SECONDS = 30.0
"""How long a program may take to save its work when the product is stopped: a step, and writing it."""
ENDING_SECONDS = 15.0
"""How long killed processes may take to leave; a group in an uninterruptible wait can take some."""
ORPHAN_SECONDS = 8.0
"""How long a program whose worker was killed may take to save its work: it knows at once, by its leash."""

_KEPT_VARIABLES = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LD_LIBRARY_PATH", "LD_PRELOAD"}
)
_KEPT_PREFIXES = (
    "CUDA_",
    "NVIDIA_",
    "HIP_",
    "ROCR_",
    "OMP_",
    "MKL_",
    "HF_",
    "VLLM_",
    "TORCH_",
    "PYTORCH_",
    "NCCL_",
)
# Only a download gets the hub's token, by ``variables``.
_SECRET_VARIABLES = frozenset({"HF_TOKEN", "HF_TOKEN_PATH"})


def run_program(
    work: Work,
    command: Sequence[str | Path],
    *,
    folder: Path,
    console: Path,
    variables: Mapping[str, str] | None = None,
    is_shareable: bool = False,
    needs_device: bool = True,
    on_tick: Callable[[], None] = lambda: None,
) -> int:
    """Run ``command`` to its end and return its exit status (negative: the signal that ended it).

    Standard input is the leash; both output streams are appended to ``console``. ``on_tick`` is called
    about twice a second and once after the end; when it raises, the program is killed and the error goes
    on. Where a device is several GPUs, a shareable program is told to start a process for each
    (``--processes``), and any other sees the first. Raises JobCancelled, JobPaused or WorkerStopping after a
    stop that was asked for, LeaseLost when another attempt took over, NoDeviceFree when every device here is
    in use and the program needs one.
    """
    end_previous_program(work)
    if not needs_device:
        return _run_on(
            None, work, command, folder=folder, console=console, variables=variables or {}, on_tick=on_tick
        )
    with held_device(seconds=ENDING_SECONDS) as device:
        if device is None:
            raise NoDeviceFree
        several = len(device.gpus) > 1
        return _run_on(
            device if is_shareable else device.with_one_gpu(),
            work,
            [*command, "--processes", str(len(device.gpus))] if several and is_shareable else command,
            folder=folder,
            console=console,
            variables=variables or {},
            on_tick=on_tick,
        )


def _run_on(
    device: Device | None,
    work: Work,
    command: Sequence[str | Path],
    *,
    folder: Path,
    console: Path,
    variables: Mapping[str, str],
    on_tick: Callable[[], None],
) -> int:
    with console.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=program_environment({**variables, **(device.variables if device else {})}),
            pass_fds=[device.lock] if device else [],
            start_new_session=True,
        )
    state = process_state(process.pid)
    started = state.started if state else time.time()
    try:
        work.record_process(process.pid, started, device.name if device else "")
        status = _wait_for_end(work, process, on_tick)
    finally:
        _kill(process, started)
    on_tick()
    if work.is_lost or status != 0:
        work.raise_if_cancelled()
    return status


def program_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The variables a program gets: what it needs to find its libraries, and no secret of the web's."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if (name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)) and name not in _SECRET_VARIABLES
    }
    return {
        **kept,
        # The programs are found in the source tree, whatever interpreter runs them.
        "PYTHONPATH": str(settings.BASE_DIR),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_NO_USAGE_STATS": "1",
        **variables,
    }


def end_previous_program(work: Work) -> None:
    """End what an earlier attempt of this job left running on this machine, once it had time to save.

    Raises AttemptLost when it does not go away, so that two programs never share a folder.
    """
    job = work.job
    if job.process_id is None or job.process_started is None:
        return
    if not kill_group(job.process_id, job.process_started, seconds=ENDING_SECONDS, patience=ORPHAN_SECONDS):
        raise AttemptLost(
            f"The program of the previous attempt (process {job.process_id} on {worker_name()}) does not stop"
        )


def _wait_for_end(work: Work, process: subprocess.Popen[bytes], on_tick: Callable[[], None]) -> int:
    kill_at: float | None = None
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(POLL_SECONDS)
        if work.is_lost:
            return -signal.SIGKILL
        if work.should_stop and kill_at is None:
            work.log("Asked the program to save its work and stop.")
            process.terminate()
            allowed = SAVING_SECONDS if worker_is_stopping() else settings.JOB_STOP_SECONDS
            kill_at = time.monotonic() + allowed
        if kill_at is not None and time.monotonic() > kill_at:
            work.log("The program did not stop in time and was killed.", level="warning")
            return -signal.SIGKILL
        on_tick()


def _kill(process: subprocess.Popen[bytes], started: float) -> None:
    """End the whole group, whatever state it is in, and close the leash."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    kill_group(process.pid, started, seconds=ENDING_SECONDS)
