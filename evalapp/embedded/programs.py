"""What `manage.py up` runs beside the servers: the web, two workers, and the scheduler."""

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
"""Tells a worker the process that it must not outlive."""

# Jobs save what they have at SIGTERM, and a model program first ends its step (`executor.SAVING_SECONDS`).
# What takes longer is ended; its lease runs out and the next start takes it up again.
_STOP_WORKER = (StopStep(signal.SIGTERM, 10), StopStep(signal.SIGQUIT, 5))
_STOP_MODEL_WORKER = (StopStep(signal.SIGTERM, 40), StopStep(signal.SIGQUIT, 5))
_CELERY = (sys.executable, "-m", "celery", "--app", "evalapp.celery")
# Numerical libraries would start a thread per core in every process for sums of a few numbers, and threads
# spin while they wait for each other. Not for the models' worker: the programs it starts need every core.
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
    """Imports, scoring, exports: short jobs, three at a time, of which two at most wait for somebody else's
    server.
    """
    return _worker(
        DEFAULT_WORKER, queue="default", concurrency=3, niceness=5, stop=_STOP_WORKER, variables=_ONE_THREAD
    )


def model_worker(environment: Environment, machine: str = "evalapp") -> Program:
    """Training and generation: one at a time on each GPU, or on the CPU, and never ahead of the pages.
    ``machine`` tells workers apart.
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
    """The scheduler: notifies the demonstration, and finds lost jobs and lapsed places itself."""
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
    """One `manage.py` command, to its end."""
    return Program(
        name=name,
        command=(sys.executable, REPOSITORY / "manage.py", name, *arguments),
        stop=(StopStep(signal.SIGTERM, 5),),
        niceness=niceness,
        folder=REPOSITORY,
    )


def bundled_model(environment: Environment) -> Program:
    """Fetch and convert the small model that comes with the product, once."""
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
            # Its banner is printed, and a full disk would end the worker over it.
            *(*_CELERY, "--quiet", "worker", "--queues", queue, "--hostname", f"{queue}@{machine}"),
            *("--concurrency", str(concurrency), "--prefetch-multiplier", "1"),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ),
        stop=stop,
        variables={**variables, SUPERVISOR_VARIABLE: str(os.getpid())},
        # Workers wait for their task at SIGTERM; without a supervisor and a database that is vain.
        orphan_signal=signal.SIGQUIT,
        niceness=niceness,
        folder=REPOSITORY,
    )
