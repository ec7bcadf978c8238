"""The real programs, on a tiny random model, through the same tasks as the fake one."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.services import create_dataset, create_version
from evalapp.jobs.models import JobState
from evalapp.registry.folders import folder_of
from evalapp.registry.services import register_base, register_prompt
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for
from evalapp.runs.services import start_dry_run, start_generation, start_training, start_training_of
from evalapp.runs.sweeps.results import sweep_table
from evalapp.runs.sweeps.services import start_sweep
from evalapp.runs.tasks import carry_out_dry_run, carry_out_generation, carry_out_training
from tests.run_directory.tiny import make_base
from tests.runs.conftest import rows_of


@pytest.mark.verification
def test_a_tiny_model_is_trained_and_then_answers_beside_its_base_and_a_prompt(
    project: Project, engineer: User, version: DatasetVersion, model_folders: Path, tmp_path: Path, settings
) -> None:
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    folder = make_base(model_folders / "tiny")
    base = register_base(project=project, name="Tiny", folder=folder, by=engineer)
    prompt = register_prompt(
        project=project,
        base=base,
        label="Prompted",
        system_prompt="Be brief.",
        prompt_template="",
        by=engineer,
    )
    training = start_training(
        project=project,
        dataset_version=version,
        base=base,
        name="v1",
        hyperparameters={"max_steps": 2, "batch_size": 2, "lora": {"rank": 4}, "validation_share": 0.0},
        by=engineer,
    )
    carry_out_training(training.job_id)
    training = Run.objects.select_related("job", "produced").get(pk=training.pk)
    assert (training.job.error, training.job.state) == ("", JobState.SUCCEEDED)
    assert training.produced is not None
    assert list(training.points.values_list("step", flat=True).order_by("step")) == [1, 2]
    assert (
        training.rows["in"]
        == training.rows["used"] + training.rows["truncated"] + training.rows["dropped"]
        == 6
    )
    config = json.loads((folder_of(training.produced) / "adapter_config.json").read_text())
    assert config["r"] == training.produced.config["rank"] == 4
    assert training.device

    generation = start_generation(
        project=project,
        dataset_version=version,
        splits=["test"],
        candidates=[base, prompt, training.produced],
        sampling={"max_tokens": 4, "engine": "transformers"},
        name="Answers",
        by=engineer,
    )
    carry_out_generation(generation.job_id)
    generation = Run.objects.select_related("job").get(pk=generation.pk)
    assert (generation.job.error, generation.job.state) == ("", JobState.SUCCEEDED)
    assert generation.engine == "transformers"
    assert generation.outputs.filter(example__split="test").count() == 9


def test_a_dry_run_is_made_with_the_tiny_model_and_then_started(
    project: Project, engineer: User, version: DatasetVersion, model_folders: Path, tmp_path: Path, settings,
    client_for: Callable[[User], Client],
) -> None:  # fmt: skip
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    base = register_base(project=project, name="Tiny", folder=make_base(model_folders / "tiny"), by=engineer)
    dry_run = start_dry_run(
        project=project,
        dataset_version=version,
        base=base,
        name="v1",
        hyperparameters={"max_steps": 2, "batch_size": 2, "validation_share": 0.0},
        by=engineer,
    )
    carry_out_dry_run(dry_run.job_id)
    dry_run = Run.objects.select_related("job", "project", "dataset_version__dataset", "base").get(
        pk=dry_run.pk
    )
    assert (dry_run.job.error, dry_run.job.state) == ("", JobState.SUCCEEDED)
    assert dry_run.produced is None
    assert (dry_run.rows["in"], dry_run.rows["used"]) == (6, 6)
    assert [path.name for path in folder_for(dry_run).glob("*") if path.is_dir()] == ["inputs"]

    page = client_for(engineer).get(reverse("run_detail", args=[project.slug, dry_run.pk])).content.decode()
    for shown in ("Trained on:", "Input, not trained on:", "&lt;|im_end|&gt;", "Start training"):
        assert shown in page, shown

    training = start_training_of(dry_run=dry_run, by=engineer)
    assert training.spec == {**dry_run.spec, "data_sha256": None}


@pytest.mark.verification
def test_a_sweep_over_shares_is_trained_with_the_tiny_model_and_shown(
    project: Project, engineer: User, model_folders: Path, tmp_path: Path, settings,
    client_for: Callable[[User], Client],
) -> None:  # fmt: skip
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    base = register_base(project=project, name="Tiny", folder=make_base(model_folders / "tiny"), by=engineer)
    rows = [*rows_of("train", 8), *rows_of("validation", 3)]
    version = create_version(
        dataset=create_dataset(project=project, name="Shares", by=engineer), rows=rows, by=engineer
    )
    sweep = start_sweep(
        project=project,
        dataset_version=version,
        base=base,
        name="Sizes",
        hyperparameters={
            "max_steps": 2,
            "batch_size": 2,
            "evaluations": 2,
            "sample_prompts": 2,
            "sample_tokens": 4,
        },
        axes={"data_share": [0.5, 1.0]},
        by=engineer,
    )
    for run in sweep.runs.order_by("pk"):
        carry_out_training(run.job_id)

    half, whole = sweep.runs.select_related("job", "drawn_rows").order_by("pk")
    assert (half.job.error, whole.job.error) == ("", "")
    assert (half.rows["train"], half.not_drawn, whole.rows["train"]) == (4, 4, 8)
    assert half.rows["validation"] == whole.rows["validation"] == 3
    assert half.rows["in"] == half.rows["used"] + half.rows["truncated"] + half.rows["dropped"] == 11
    assert len(half.drawn_rows.rows) == 4
    for run in (half, whole):
        answers = list(run.sample_answers.order_by("step", "position").values_list("step", "row"))
        assert [step for step, _ in answers] == [1, 1, 2, 2]
        assert {row for _, row in answers} <= {"row-9", "row-10", "row-11"}
        last = run.points.get(step=2).values
        assert last["tokens"] == run.result["tokens"]
        assert 0 < last["peak_memory_bytes"] < last["memory_limit_bytes"]
    assert [row.examples for row in sweep_table(sweep).rows] == [4, 8]

    client = client_for(engineer)
    page = client.get(reverse("sweep_detail", args=[project.slug, sweep.pk])).content.decode()
    assert "from 4 to 8 the validation loss" in page
    own = client.get(reverse("run_detail", args=[project.slug, half.pk])).content.decode()
    for shown in ("Sample outputs", "Memory", "Gradient norm", "not sampled"):
        assert shown in own, shown
