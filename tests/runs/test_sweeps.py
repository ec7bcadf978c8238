"""Several trainings at once: queued, cancelled and compared as one."""

from collections.abc import Callable
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job, JobState
from evalapp.registry.models import ModelVersion
from evalapp.runs import run_limits
from evalapp.runs.models import Run, Sweep
from evalapp.runs.sweeps.results import sweep_table
from evalapp.runs.sweeps.services import cancel_sweep, start_sweep
from evalapp.runs.tasks import carry_out_training
from tests.runs.conftest import Behave

StartSweep = Callable[..., Sweep]


@pytest.fixture
def start(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> StartSweep:
    def started(axes: dict[str, list[Any]], **changes: Any) -> Sweep:
        fields: dict[str, Any] = {
            "project": project, "dataset_version": version, "base": base, "name": "Sizes",
            "hyperparameters": {"epochs": 1, "lora": {"rank": 2}}, "by": engineer,
        }  # fmt: skip
        return start_sweep(axes=axes, **(fields | changes))

    return started


def carry_out(sweep: Sweep) -> None:
    for run in sweep.runs.order_by("pk"):
        carry_out_training(run.job_id)


def test_every_combination_is_a_training_of_its_own_validated_on_the_same_rows(start: StartSweep) -> None:
    sweep = start({"data_share": [0.5, 1.0], "seed": [42, 43]})
    runs = list(sweep.runs.order_by("pk"))
    assert [run.name for run in runs] == [
        "Sizes: 50% of the data, seed 42",
        "Sizes: 50% of the data, seed 43",
        "Sizes: 100% of the data, seed 42",
        "Sizes: 100% of the data, seed 43",
    ]
    assert [(run.spec["data_share"], run.spec["seed"], run.spec["validation_seed"]) for run in runs] == [
        (0.5, 42, 42), (0.5, 43, 42), (1.0, 42, 42), (1.0, 43, 42),
    ]  # fmt: skip
    assert {run.spec["lora"]["rank"] for run in runs} == {2}
    assert AuditEvent.objects.get(action="sweep.started").data["runs"] == 4

    carry_out(sweep)

    made = [run.produced for run in sweep.runs.select_related("produced").order_by("pk")]
    assert [version.label for version in made if version] == [run.name for run in runs]
    for run in sweep.runs.all():
        rows = run.rows
        assert rows["in"] == rows["used"] + rows["truncated"] + rows["dropped"] == 6
    half = Run.objects.get(pk=runs[0].pk)
    assert (half.rows["train"], half.not_drawn, half.useless_rows) == (2, 3, 1)
    assert half.drawn_rows.rows == ["row-1", "row-3"]
    assert not hasattr(Run.objects.get(pk=runs[2].pk), "drawn_rows")


def test_the_table_has_what_differs_and_what_came_of_it(start: StartSweep, django_assert_num_queries) -> None:
    sweep = start({"learning_rate": [2e-4, 2e-3], "seed": [42, 43]})
    table = sweep_table(sweep)
    assert (table.done, table.unfinished, table.best) == (0, 4, None)
    carry_out(sweep)
    sweep = Sweep.objects.select_related("project").get()
    table = sweep_table(sweep)
    assert table.columns == ["Learning rate", "Seed"]
    assert [row.values for row in table.rows] == [
        ["0.0002", "42"], ["0.0002", "43"], ["0.002", "42"], ["0.002", "43"],
    ]  # fmt: skip
    assert [row.validation_loss for row in table.rows] == pytest.approx([0.6, 0.61, 1.6, 1.61])
    assert {(row.training_loss, row.tokens, row.examples) for row in table.rows} == {(0.5, 100, 5)}
    assert [row.is_best for row in table.rows] == [True, False, False, False]
    assert [(row.words, row.trainings, row.is_best) for row in table.over_seeds] == [
        ("learning rate 0.0002", 2, True),
        ("learning rate 0.002", 2, False),
    ]
    assert table.over_seeds[0].deviation == pytest.approx(0.01 / 2**0.5)
    with django_assert_num_queries(4):
        sweep_table(sweep)


def test_losses_of_different_kinds_are_not_ranked(start: StartSweep) -> None:
    sweep = start({"max_length": [64, 128]})
    carry_out(sweep)
    table = sweep_table(sweep)
    assert table.best is None
    assert (
        "losses are not comparable between trainings that differ in “Longest row in tokens”"
        in table.why_no_best
    )


def test_all_or_none_are_started(start: StartSweep, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidError, match=r"Epochs -1: .*epochs -1 is not above 0"):
        start({"epochs": [1.0, -1.0]})
    with pytest.raises(InvalidError, match="60 letters at most"):
        start({"seed": [1, 2]}, name="x" * 61)
    monkeypatch.setattr(run_limits, "MOST_UNFINISHED_RUNS", 3)
    start({"seed": [1, 2]})
    with pytest.raises(
        ConflictError, match=r"2 runs of this project are queued .* this adds 2 more; the limit is 3"
    ):
        start({"seed": [1, 2]})
    assert (Sweep.objects.count(), Run.objects.count(), Job.objects.count()) == (1, 2, 2)


def test_cancelled_as_one_but_for_those_that_are_over(start: StartSweep, engineer: User) -> None:
    sweep = start({"seed": [1, 2, 3]})
    first = sweep.runs.order_by("pk")[0]
    carry_out_training(first.job_id)

    assert cancel_sweep(sweep=sweep, by=engineer) == 2

    states = [run.job.state for run in sweep.runs.select_related("job").order_by("pk")]
    assert states == [JobState.SUCCEEDED, JobState.CANCELLED, JobState.CANCELLED]
    assert AuditEvent.objects.get(action="sweep.cancel_requested").data == {"runs": 2}
    with pytest.raises(ConflictError, match="nothing to cancel"):
        cancel_sweep(sweep=sweep, by=engineer)


def test_another_projects_version_is_refused(
    start: StartSweep, other_project: Project, stranger: User
) -> None:
    with pytest.raises(InvalidError, match="of this project"):
        start({"seed": [1, 2]}, project=other_project, by=stranger)
