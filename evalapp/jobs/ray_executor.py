"""The Ray executor: a program on a cluster's node, followed and stopped through Ray's Jobs API.

It ends as the local one does. The cluster keeps a job whose worker has died; the next attempt stops it first.
"""

import secrets
import shlex
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from django.conf import settings

from evalapp.core.installation import this_installation
from evalapp.env_machines import RaySettings
from evalapp.jobs.executor import SAVING_SECONDS
from evalapp.jobs.ray_cluster import ClusterError, RayCluster, RayJob
from evalapp.jobs.work import AttemptLost, LeaseLost, Work

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 60.0
"""How long a cluster may be silent before the attempt counts as lost."""
ENDING_SECONDS = 30.0
_SHOWN = 300


def run_on_cluster(
    work: Work,
    command: Sequence[str],
    *,
    console: Path,
    gpus: float,
    on_tick: Callable[[], None],
) -> int:
    """Run ``command`` on the cluster to its end and return its exit status, as ``executor.run_program`` does.

    A job that finds no room is submitted again for as long as it takes. What a job that failed has said is
    appended to ``console``. Raises ClusterError when the job cannot be submitted, AttemptLost when it breaks
    off.
    """
    cluster = RayCluster(_ray().url)
    while True:
        ended = _submit_and_follow(work, cluster, shlex.join(command), gpus, on_tick)
        if not ended.has_waited_too_long:
            break
        work.log("The Ray cluster had no free resources; submitted again.")
    on_tick()
    return _status(work, cluster, ended, console)


def _submit_and_follow(
    work: Work, cluster: RayCluster, command: str, gpus: float, on_tick: Callable[[], None]
) -> RayJob:
    name = f"{_name_prefix(work)}{work.job.attempt}-{secrets.token_hex(4)}"
    stop_seconds = int(max(settings.JOB_STOP_SECONDS, SAVING_SECONDS))
    variables = {
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
        "VLLM_NO_USAGE_STATS": "1",
        "RAY_JOB_STOP_WAIT_TIME_S": str(stop_seconds),
    }
    cluster.submit(name, command, variables=variables, gpus=gpus, rest=work.rest)
    work.log(f"Submitted to the Ray cluster at {_ray().url} as {name}, with {gpus:g} GPUs.")
    try:
        return _follow(work, cluster, name, stop_seconds, on_tick)
    except BaseException:
        # Whatever it is: the cluster's node is not left busy with what nobody follows.
        _try_step(lambda: cluster.stop(name))
        raise


def end_previous_job(work: Work) -> None:
    """Stop what an earlier attempt of this job left on the cluster.

    Raises AttemptLost when it does not stop, ClusterError.
    """
    cluster = RayCluster(_ray().url)
    deadline = time.monotonic() + ENDING_SECONDS + settings.JOB_STOP_SECONDS
    while running := [job for job in cluster.jobs(_name_prefix(work)) if not job.has_ended]:
        for job in running:
            cluster.stop(job.name)
        if all(job.is_waiting for job in running):
            return
        if time.monotonic() > deadline:
            raise AttemptLost(f"The Ray job {running[0].name} of the previous attempt does not stop")
        work.rest(POLL_SECONDS)


def _follow(
    work: Work, cluster: RayCluster, name: str, stop_seconds: int, on_tick: Callable[[], None]
) -> RayJob:
    heard, give_up_at, was_pending = time.monotonic(), None, True
    while True:
        time.sleep(POLL_SECONDS)
        try:
            job = cluster.job(name)
        except ClusterError as error:
            if time.monotonic() - heard > PATIENCE_SECONDS:
                raise AttemptLost(error.message.rstrip(".")) from error
            continue
        heard = time.monotonic()
        if job is None:
            raise AttemptLost(
                f"The Ray cluster does not know the job {name} any more, perhaps because it was restarted"
            )
        if work.is_lost:
            raise LeaseLost
        if job.has_ended:
            return job
        if was_pending and job.is_waiting:
            work.enter("Waiting for the Ray cluster")
        was_pending = was_pending and job.is_waiting
        if work.should_stop and give_up_at is None:
            work.log("Asked the program to save its work and stop.")
            cluster.stop(name)
            if job.is_waiting:
                return job._replace(status="STOPPED")
            give_up_at = time.monotonic() + stop_seconds + ENDING_SECONDS
        if give_up_at is not None and time.monotonic() > give_up_at:
            raise AttemptLost(f"The Ray job {name} does not stop")
        on_tick()


def _status(work: Work, cluster: RayCluster, job: RayJob, console: Path) -> int:
    if work.is_lost:
        raise LeaseLost
    status = job.exit_code if job.exit_code is not None else -signal.SIGKILL
    if job.status == "STOPPED":
        status = -signal.SIGTERM
    if status != 0:
        work.raise_if_cancelled()
        if job.status == "FAILED" and job.exit_code is None:
            raise AttemptLost(
                f"The Ray cluster ended the job {job.name}:"
                f" {' '.join(job.message.split())[:_SHOWN].rstrip('.')}"
            )
        output = "\n".join(text for text in (cluster.log(job.name), job.message) if text)
        with console.open("a", encoding="utf-8") as file:
            file.write(output + "\n")
    # A shell's way to tell of a signal.
    return 128 - status if 128 < status < 128 + signal.NSIG else status


def _ray() -> RaySettings:
    assert settings.RAY is not None
    return settings.RAY


def _name_prefix(work: Work) -> str:
    """How the names of this job's submissions begin: a cluster may serve several installations."""
    return f"evalapp-{this_installation()[:8]}-{work.job.pk}-"


def _try_step(step: Callable[[], None]) -> None:
    try:
        step()
    except ClusterError:
        return
