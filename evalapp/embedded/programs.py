"""The programs that `manage.py up` runs besides the servers: web server, two workers and scheduler."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from evalapp.embedded.gpus import gpus_for_runs
from evalapp.embedded.processes import Program, StopStep
from evalapp.env import REPOSITORY, Environment

WEB, DEFAULT_WORKER, MODEL_WORKER, BEAT = "web", "worker-default", "worker-models", "beat"
QUEUES = ("default", "models")
SUPERVISOR_VARIABLE = "EVALAPP_SUPERVISOR"
"""Environment variable: the pid of the supervisor, which a worker must not outlive."""

# Jobs save their progress at SIGTERM; a model program first finishes its step (`executor.SAVING_SECONDS`).
# A job that takes longer is killed: its lease expires and the next start resumes it.
_STOP_WORKER = (StopStep(signal.SIGTERM, 10), StopStep(signal.SIGQUIT, 5))
_STOP_MODEL_WORKER = (StopStep(signal.SIGTERM, 40), StopStep(signal.SIGQUIT, 5))
_CELERY = (sys.executable, "-m", "celery", "--app", "evalapp.celery")
# Otherwise numerical libraries start a thread per core in every process for small sums, and these threads
# spin while they wait for each other. Not for the models' worker, whose programs need every core.
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


def web() -> Program:
    return Program(
        name=WEB,
        command=(
            *(sys.executable, "-m", "gunicorn"),
            *("--config", "python:evalapp.embedded.web_server", "evalapp.wsgi:application"),
        ),
        stop=(StopStep(signal.SIGTERM, 12), StopStep(signal.SIGQUIT, 3)),
        variables=_ONE_THREAD,
        folder=REPOSITORY,
    )


def default_worker() -> Program:
    """The worker for imports, scoring and exports: three short jobs at a time, at most two of them waiting
    for another server.
    """
    return _worker(
        DEFAULT_WORKER, queue="default", concurrency=3, niceness=5, stop=_STOP_WORKER, variables=_ONE_THREAD
    )


def model_worker(environment: Environment, machine: str = "evalapp") -> Program:
    """The worker for training and generation: one job at a time per GPU, or on the CPU, at lower priority
    than the pages.

    ``machine`` distinguishes workers.
    """
    return _worker(
        MODEL_WORKER,
        queue="models",
        concurrency=max(1, len(gpus_for_runs(environment))),
        niceness=10,
        stop=_STOP_MODEL_WORKER,
        machine=machine,
    )


def beat(environment: Environment) -> Program:
    """The scheduler of periodic tasks; it carries out short ones itself (`celery.DUTIES`)."""
    return Program(
        name=BEAT,
        command=(
            *(*_CELERY, "beat", "--loglevel", "WARNING", "--pidfile="),
            *("--schedule", environment.home / "beat-schedule.json"),
        ),
        stop=(StopStep(signal.SIGTERM, 5),),
        variables=_ONE_THREAD,
        folder=REPOSITORY,
    )


def management_command(name: str, *arguments: str | Path, niceness: int = 0) -> Program:
    """A `manage.py` command that runs once."""
    return Program(
        name=name,
        command=(sys.executable, REPOSITORY / "manage.py", name, *arguments),
        stop=(StopStep(signal.SIGTERM, 5),),
        niceness=niceness,
        folder=REPOSITORY,
    )


def bundled_model(environment: Environment) -> Program:
    """A program that downloads and converts the bundled small model."""
    return Program(
        name="bundled-model",
        command=(
            *(sys.executable, "-m", "installer.bundled_model"),
            *("--python", environment.model_python, environment.bundled_model_folder),
        ),
        stop=(StopStep(signal.SIGTERM, 5),),
        niceness=10,
        folder=REPOSITORY,
    )


def _worker(
    name: str,
    *,
    queue: str,
    concurrency: int,
    niceness: int,
    stop: tuple[StopStep, ...],
    machine: str = "evalapp",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    return Program(
        name=name,
        command=(
            # Without the banner: printing it to a full disk would end the worker.
            *(*_CELERY, "--quiet", "worker", "--queues", queue, "--hostname", f"{queue}@{machine}"),
            *("--concurrency", str(concurrency), "--prefetch-multiplier", "1"),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ),
        stop=stop,
        variables={**variables, SUPERVISOR_VARIABLE: str(os.getpid())},
        # At SIGTERM workers wait for their task, which cannot finish without a supervisor and a database.
        orphan_signal=signal.SIGQUIT,
        niceness=niceness,
        folder=REPOSITORY,
    )
