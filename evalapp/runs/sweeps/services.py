"""Write operations of sweeps: trainings that differ in a few settings, queued and cancelled together."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.datasets.models import DatasetVersion, VersionState
from evalapp.jobs.models import FINAL_STATES, JobState
from evalapp.jobs.services import request_cancel
from evalapp.registry.models import ModelVersion
from evalapp.runs.contamination.contamination_guard import is_quick, refuse_contamination
from evalapp.runs.models import Run, RunKind, Sweep
from evalapp.runs.run_limits import require_room
from evalapp.runs.services import (
    TRAINING_TASK,
    checked_training,
    create_run,
    fields_of_training,
    queue_run,
)
from evalapp.runs.training.axes import VERSION, Combination, applied, combinations_of, in_words, ordered
from training.spec import TrainingSpec

MOST_LETTERS = 60
"""Maximum length of a sweep's name, which leaves room for the differing settings in its trainings' names."""
_LONGEST_NAME = 120


def _checked_sweep_name(name: str) -> str:
    name = checked_name(name, of="the sweep")
    if len(name) > MOST_LETTERS:
        raise InvalidError(
            f"The name of a sweep has {MOST_LETTERS} letters at most; those of its trainings begin with it.",
            field="name",
        )
    return name


def start_sweep(
    *,
    project: Project,
    dataset_version: DatasetVersion,
    base: ModelVersion,
    name: str,
    hyperparameters: dict[str, Any],
    axes: Mapping[str, Sequence[Any]],
    by: User | None,
    continued_from: ModelVersion | None = None,
) -> Sweep:
    """Queue a training for every combination of the values in ``axes``: all of them, or none.

    ``axes`` maps names of `evalapp.runs.training.axes.AXES` to values, with dataset versions by number;
    ``hyperparameters`` are the shared settings, as for ``start_training``. All trainings on a version are
    validated on the same rows, whatever their seeds. Raises the errors of ``start_training``; an InvalidError
    names the combination.
    """
    name = _checked_sweep_name(name)
    combinations = combinations_of(axes)
    versions = _versions(dataset_version, axes.get(VERSION, ()))
    common = {**hyperparameters, "validation_seed": _validation_seed(hyperparameters)}
    trainings: list[tuple[Combination, DatasetVersion, TrainingSpec]] = []
    for combination in combinations:
        version = versions.get(combination.get(VERSION), dataset_version)
        with _errors_prefixed(combination):
            chosen = applied(common, combination)
            spec = checked_training(project, version, base, continued_from, chosen)
        trainings.append((combination, version, spec))
    for version in versions.values() or [dataset_version]:
        if is_quick(version):
            refuse_contamination(version)
    with transaction.atomic():
        require_room(project, runs=len(trainings))
        sweep = Sweep.objects.create(
            project=project,
            name=name,
            dataset_version=dataset_version,
            base=base,
            axes=ordered(axes),
            created_by=by,
        )
        is_simulated = False
        for combination, version, spec in trainings:
            own = f"{name}: {in_words(combination)}"[:_LONGEST_NAME]
            run = create_run(
                queue_run(project, TRAINING_TASK, f"Training of {own}", by),
                by=by,
                kind=RunKind.TRAINING,
                name=own,
                sweep=sweep,
                **fields_of_training(version, base, continued_from, spec),
            )
            is_simulated = is_simulated or run.is_simulated
        sweep.is_simulated = is_simulated
        sweep.save(update_fields=["is_simulated"])
        data = {"axes": sweep.axes, "runs": len(trainings), "dataset_version": dataset_version.pk}
        record("sweep.started", by=by, obj=sweep, project=project, data=data)
    return sweep


@contextmanager
def _errors_prefixed(combination: Combination) -> Iterator[None]:
    """Prefix an InvalidError with its combination."""
    try:
        yield
    except InvalidError as error:
        words = in_words(combination)
        raise InvalidError(f"{words[:1].upper()}{words[1:]}: {error.message}", fields=error.fields) from error


@transaction.atomic
def cancel_sweep(*, sweep: Sweep, by: User | None) -> int:
    """Cancel every training of the sweep that has not ended; returns their number.

    Raises ConflictError when all have ended.
    """
    cancelled = 0
    # Cancel waiting ones first, or one of them would start when the running one ends.
    going = Run.objects.filter(sweep=sweep).exclude(job__state__in=[*FINAL_STATES, JobState.CANCELLING])
    for run in sorted(going.select_related("job__project"), key=lambda each: each.job.is_active):
        try:
            request_cancel(job=run.job, by=by)
        except ConflictError:
            # It ended meanwhile.
            continue
        cancelled += 1
    if not cancelled:
        raise ConflictError(
            "All trainings of this sweep have ended or are stopping, so there is nothing to cancel."
        )
    record("sweep.cancel_requested", by=by, obj=sweep, project=sweep.project, data={"runs": cancelled})
    return cancelled


def _versions(dataset_version: DatasetVersion, numbers: Sequence[int]) -> dict[int | None, DatasetVersion]:
    """Ready versions of the same dataset by number. Raises InvalidError for a missing one."""
    ready = DatasetVersion.objects.filter(dataset=dataset_version.dataset_id, state=VersionState.READY)
    found: dict[int | None, DatasetVersion] = {
        each.number: each for each in ready.filter(number__in=numbers).select_related("dataset")
    }
    if missing := [number for number in numbers if number not in found]:
        raise InvalidError(f"{dataset_version.dataset} has no version {missing[0]}.", field="axes")
    return found


def _validation_seed(hyperparameters: Mapping[str, Any]) -> Any:
    given = hyperparameters.get("validation_seed")
    return hyperparameters.get("seed", TrainingSpec.seed) if given is None else given
