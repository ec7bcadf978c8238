from typing import Any

import pytest

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import Job
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter, register_base, register_imported
from evalapp.runs import run_limits
from evalapp.runs.contamination.contamination_guard import ContaminatedError
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for, prepare_training
from evalapp.runs.services import start_generation, start_training
from evalapp.runs.tasks import carry_out_generation
from tests.registry.handmade import make_adapter_folder, make_base_folder
from tests.runs.conftest import Behave, rows_of


def train(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, **fields: Any
) -> Run:
    given = {"hyperparameters": {}, "name": "v1", **fields}
    return start_training(project=project, dataset_version=version, base=base, by=engineer, **given)


def generate(
    project: Project, engineer: User, version: DatasetVersion, candidates: list[ModelVersion], **fields: Any
) -> Run:
    given = {"splits": ["test"], "sampling": {}, "name": "Answers", **fields}
    return start_generation(
        project=project, dataset_version=version, candidates=candidates, by=engineer, **given
    )


def test_a_start_is_one_job_on_the_models_queue_and_audited(training: Run) -> None:
    job = training.job
    assert (job.queue, job.task, job.state) == ("models", "evalapp.runs.tasks.carry_out_training", "queued")
    event = AuditEvent.objects.get(action="run.started")
    assert (event.object_id, event.data["kind"]) == (training.pk, "training")


@pytest.mark.parametrize(
    ("hyperparameters", "said"),
    [
        ({"learning_rat": 1e-4}, "unknown field 'learning_rat'"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"epochs": float("nan")}, "epochs"),
        ({"lora": {"rank": 0}}, "rank 0"),
        ({"batch_size": "8"}, "expected a whole number"),
    ],
)
def test_a_setting_that_the_program_would_refuse_is_refused_before_it_starts(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    hyperparameters: dict[str, Any], said: str,
) -> None:  # fmt: skip
    with pytest.raises(InvalidError, match=said):
        train(project, engineer, version, base, hyperparameters=hyperparameters)
    assert not Job.objects.exists()


def test_paths_cannot_be_put_into_the_specification(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    run = train(project, engineer, version, base, hyperparameters={"base_folder": "/etc"})
    assert run.spec["base_folder"] == "inputs/base", "each machine links it to where it has it"


def test_training_rows_that_evaluate_are_refused(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    leaked = [*rows_of("train", 3), *(row for row in _as_training(rows_of("test", 1)))]
    dataset = create_dataset(project=project, name="Leaky", by=engineer)
    leaky = create_version(dataset=dataset, rows=leaked, by=engineer)

    with pytest.raises(
        ContaminatedError, match=r"1 training row has the same prompt as an evaluation row: row 4"
    ):
        train(project, engineer, leaky, base)
    assert not Run.objects.exists()


def _as_training(rows):
    from dataclasses import replace

    return [replace(row, split="train") for row in rows]


def test_an_adapter_is_continued_on_its_own_base_only(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    model_folders, tmp_path,
) -> None:  # fmt: skip
    adapter = register_adapter(
        project=project, base=base, label="v0", folder=make_adapter_folder(tmp_path / "a"), by=engineer
    )
    run = train(project, engineer, version, base, continued_from=adapter)
    assert run.spec["continue_from"] == "inputs/continued-from"
    prepare_training(run)
    assert (folder_for(run) / "inputs" / "continued-from").resolve() == folder_of(adapter).resolve()

    other = register_base(
        project=project, name="Other", folder=make_base_folder(model_folders / "other", fill=3), by=engineer
    )
    with pytest.raises(InvalidError, match="another base"):
        train(project, engineer, version, other, continued_from=adapter)
    with pytest.raises(InvalidError, match="different bases"):
        generate(project, engineer, version, [adapter, other])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"splits": ["validation"]}, "no rows"),
        ({"splits": ["nowhere"]}, "no split"),
        ({"sampling": {"temperature": -1}}, "temperature"),
        ({"sampling": {"samples": 3}}, "temperature 0"),
        ({"sampling": {"samples": 100, "temperature": 1.0}}, "1 to 32"),
        ({"sampling": {"engine": "magic"}}, "engine"),
        ({"name": "  "}, "name"),
    ],
)
def test_a_generation_that_cannot_run_is_refused(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    fields: dict[str, Any], said: str,
) -> None:  # fmt: skip
    with pytest.raises(InvalidError, match=said):
        generate(project, engineer, version, [base], **fields)
    assert not Job.objects.exists()


def test_imported_answers_cannot_generate(
    project: Project, engineer: User, version: DatasetVersion, behave: Behave
) -> None:
    imported = register_imported(project=project, label="Elsewhere", by=engineer)
    with pytest.raises(InvalidError, match="imported"):
        generate(project, engineer, version, [imported])
    with pytest.raises(InvalidError, match="at least one"):
        generate(project, engineer, version, [])


def test_several_samples_are_several_answers(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> None:
    run = generate(
        project, engineer, version, [base], sampling={"samples": 2, "temperature": 0.7}, splits=["feedback"]
    )
    carry_out_generation(run.job_id)
    found = run.outputs.order_by("example__row_number", "sample_index")
    assert list(found.values_list("example__row_number", "sample_index")) == [
        (10, 0),
        (10, 1),
        (11, 0),
        (11, 1),
    ]


def test_a_project_cannot_pile_up_runs(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(run_limits, "MOST_UNFINISHED_RUNS", 2)
    for _ in range(2):
        generate(project, engineer, version, [base])
    with pytest.raises(ConflictError, match="2 runs"):
        generate(project, engineer, version, [base])


def test_without_model_libraries_a_start_says_how_to_get_them(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, tmp_path, settings
) -> None:
    python = tmp_path / "bare"
    python.write_text('#!/bin/sh\necho \'["torch", "peft"]\'\n')
    python.chmod(0o755)
    settings.MODEL_PYTHON = python
    with pytest.raises(ConflictError, match=r"torch, peft missing .* MODELS=1"):
        train(project, engineer, version, base)
    settings.MODEL_PYTHON = tmp_path / "absent"
    with pytest.raises(ConflictError, match="does not start"):
        train(project, engineer, version, base)


def test_a_simulated_version_marks_its_runs(
    project: Project, engineer: User, base: ModelVersion, behave: Behave
) -> None:
    dataset = create_dataset(project=project, name="Simulated", by=engineer)
    version = create_version(dataset=dataset, rows=rows_of("train", 2), by=engineer, is_simulated=True)
    assert train(project, engineer, version, base).is_simulated


def test_foreign_data_and_models_are_refused(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave,
    other_project: Project, stranger: User,
) -> None:  # fmt: skip
    with pytest.raises(InvalidError, match="of this project"):
        train(other_project, stranger, version, base)
    dataset = create_dataset(project=other_project, name="Own", by=stranger)
    own = create_version(dataset=dataset, rows=rows_of("test", 1), by=stranger)
    with pytest.raises(InvalidError):
        generate(other_project, stranger, own, [base])
