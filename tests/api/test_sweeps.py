"""Several trainings at once, and what a training said on its way, by programs."""

from collections.abc import Callable
from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run, Sweep
from evalapp.runs.tasks import carry_out_training
from tests.api.conftest import Program, problem_in
from tests.runs.conftest import Behave, base, behave, model_folders, version

__all__ = ["base", "behave", "model_folders", "version"]
ProgramFor = Callable[[User | None], Program]


def body(version: DatasetVersion, base: ModelVersion, **changes: Any) -> dict[str, Any]:
    axes = {"data_share": [0.4, 1.0], "seed": [42]}
    return {"dataset_version": version.pk, "base": base.pk, "name": "Sizes", "axes": axes, **changes}


def test_a_sweep_is_started_read_and_cancelled(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    program_for: ProgramFor,
) -> None:  # fmt: skip
    program = program_for(engineer)
    sweeps = f"projects/{project.slug}/sweeps/"
    answer = program.post(sweeps, body(version, base))
    assert answer.status_code == 202
    made = answer.json()
    assert (made["trainings"], made["over"], made["axes"]) == (2, 0, {"data_share": [0.4, 1.0], "seed": [42]})
    first, second = Run.objects.order_by("pk")
    carry_out_training(first.job_id)

    own = f"{sweeps}{made['id']}/"
    told = program.post(f"{own}cancel/").json()
    assert [run["state"] for run in told["runs"]] == ["succeeded", "cancelled"]
    problem_in(program.post(f"{own}cancel/"), 409)
    assert program.get(own).json() == told
    assert told["runs"][0]["combination"] == {"data_share": 0.4, "seed": 42}
    assert (told["runs"][0]["examples"], told["runs"][0]["produced"]) == (
        2,
        Run.objects.get(pk=first.pk).produced_id,
    )
    assert program.get(sweeps).json()["results"][0]["over"] == 2
    origin = program.get(f"projects/{project.slug}/models/{told['runs'][0]['produced']}/").json()
    assert (origin["training"], origin["sweep"], origin["contamination_decisions"]) == (
        first.pk,
        made["id"],
        [],
    )
    assert program.get(f"projects/{project.slug}/runs/{second.pk}/").json()["sweep"] == made["id"]


def test_the_curve_and_its_answer(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    program_for: ProgramFor,
) -> None:  # fmt: skip
    program = program_for(engineer)
    made = program.post(f"projects/{project.slug}/sweeps/", body(version, base)).json()
    for run in Run.objects.order_by("pk"):
        carry_out_training(run.job_id)
    curve = program.get(f"projects/{project.slug}/sweeps/{made['id']}/curve/").json()
    assert [each["key"] for each in curve["measures"]] == ["validation_loss", "training_loss"]
    [course] = curve["curves"]
    assert [(point["share"], point["examples"], point["trainings"]) for point in course["points"]] == [
        (0.4, 2.0, 1), (1.0, 5.0, 1),
    ]  # fmt: skip
    assert course["gains"][0]["per_doubling"] == pytest.approx(0.2)
    assert course["gains"][0]["standard_error"] is None
    assert curve["answer"][0].startswith("More examples may still help")
    refused = program.get(f"projects/{project.slug}/sweeps/{made['id']}/curve/?by=beauty")
    assert "has no measure 'beauty'" in problem_in(refused, 400)["message"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"axes": {"seed": [1]}}, "axes"),
        ({"axes": {"rows": [1, 2]}}, "axes"),
        ({"axes": {"seed": {"a": 1}}}, "axes"),
        ({"axes": {"data_share": [0.5, "much"]}}, "axes"),
        ({"axes": [1]}, "axes"),
        ({"name": "x" * 61}, "name"),
        ({"hyperparameters": {"base_folder": "/etc"}}, "hyperparameters"),
    ],
)
def test_what_is_no_sweep_is_refused(
    changes: dict[str, Any], field: str, project: Project, engineer: User, version: DatasetVersion,
    base: ModelVersion, behave: Behave, program_for: ProgramFor,
) -> None:  # fmt: skip
    answer = program_for(engineer).post(f"projects/{project.slug}/sweeps/", body(version, base, **changes))
    problem = problem_in(answer, 400)
    assert field in problem["fields"]
    assert not Sweep.objects.exists()


def test_samples_and_drawn_rows_of_a_training(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    program_for: ProgramFor,
) -> None:  # fmt: skip
    program = program_for(engineer)
    program.post(f"projects/{project.slug}/sweeps/", body(version, base))
    for run in Run.objects.order_by("pk"):
        carry_out_training(run.job_id)
    drawn, whole = Run.objects.order_by("pk")
    [sample] = program.get(f"projects/{project.slug}/runs/{drawn.pk}/samples/").json()["results"]
    assert (sample["step"], sample["row"], sample["row_number"], sample["is_whole"]) == (4, "row-1", 1, False)
    rows = f"projects/{project.slug}/runs/{{}}/drawn-rows/"
    assert program.get(rows.format(drawn.pk)).json() == {"rows": ["row-1", "row-3"]}
    problem_in(program.get(rows.format(whole.pk)), 404)
