"""Starts a run's program: beside this worker or on a node of a cluster."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings

from evalapp.core.artifacts import store_errors_explained
from evalapp.env_machines import RaySettings
from evalapp.jobs.executor import end_previous_program, run_program
from evalapp.jobs.ray_executor import end_previous_job, run_on_cluster
from evalapp.jobs.work import Work
from evalapp.runs.models import Run
from evalapp.runs.programs.inputs import write_inputs
from evalapp.runs.programs.saving import SavedRunFollower, Saving, restore, saved_run
from run_directory.protocol import ExitCode
from run_directory.saver import RunSaver
from run_directory.saves import Save
from training.spec import is_shareable


class RunFolder(NamedTuple):
    """A run directory that this attempt owns, and the save that it was restored from."""

    folder: Path
    attempt: int
    saved: Save | None

    @property
    def save(self) -> int:
        """Number of this machine's saves; those of a cluster's node have the next number."""
        return 2 * self.attempt


def begin_attempt(work: Work, folder: Path, attempt: int) -> RunFolder:
    """Take sole ownership of a run directory in the newest attempt's state, from whichever machine."""
    end_previous_program(work)
    if settings.RAY is not None:
        end_previous_job(work)
    place = RunFolder(folder, attempt, None)
    saved = restore(work, folder, place.save)
    work.enter("Writing the run directory")
    return place._replace(saved=saved)


def launch_program(
    work: Work, run: Run, program: str, place: RunFolder, *, console: Path, on_tick: Callable[[], None]
) -> int:
    """Run a program on its directory to the end; returns its exit status like ``executor.run_program``.

    Afterwards everything the program wrote is in the directory on this machine, and in the store if there is
    one.
    """
    if settings.RAY is None:
        return _launch_here(work, run, program, place, console=console, on_tick=on_tick)
    return _launch_on_cluster(work, run, program, place, console=console, on_tick=on_tick, ray=settings.RAY)


def _launch_here(
    work: Work, run: Run, program: str, place: RunFolder, *, console: Path, on_tick: Callable[[], None]
) -> int:
    saving = Saving(work, place.folder, place.save, place.saved)

    def tick() -> None:
        on_tick()
        saving.tick()

    with saving:
        status = run_program(
            work,
            [settings.MODEL_PYTHON, "-m", program, place.folder, "--parent-pipe", "0"],
            folder=place.folder,
            console=console,
            is_shareable=_is_shareable(run.spec, program),
            on_tick=tick,
        )
        saving.has_succeeded = status == ExitCode.SUCCEEDED
    return status


def _launch_on_cluster(
    work: Work,
    run: Run,
    program: str,
    place: RunFolder,
    *,
    console: Path,
    on_tick: Callable[[], None],
    ray: RaySettings,
) -> int:
    words = [ray.python, "-m", "run_directory.remote_program", program]
    saved = saved_run(place.folder)
    if saved is None:
        words += ["--folder", str(place.folder)]
    else:
        write_inputs(run, place.folder)
        with store_errors_explained():
            RunSaver(saved, place.save, place.saved).save()
        words += ["--store", saved.store.url, "--key", place.folder.name, "--save", str(place.save + 1)]
    following = SavedRunFollower(work, saved, place.save + 1)

    def tick() -> None:
        following.tick()
        on_tick()

    gpus, processes = _gpus_and_processes(run.spec, program, ray)
    if processes > 1:
        words += ["--processes", str(processes)]
    status = run_on_cluster(work, words, console=console, gpus=gpus, on_tick=tick)
    following.finish()
    return status


def _gpus_and_processes(spec: dict[str, Any], program: str, ray: RaySettings) -> tuple[float, int]:
    """GPUs that a program requests from the cluster, and its number of processes, each with its own GPU."""
    if spec.get("device") == "cpu":
        return 0, 1
    if _is_shareable(spec, program):
        return ray.gpus, max(1, int(ray.gpus))
    return min(ray.gpus, 1), 1


def _is_shareable(spec: dict[str, Any], program: str) -> bool:
    """Whether several processes, each with its own GPU, can share the work."""
    return (
        program == "training"
        and spec.get("device") != "cpu"
        and is_shareable(spec.get("method"), spec.get("objective"))
    )
