import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.rows import ExampleRow
from evalapp.datasets.services import create_dataset, create_version
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.services import start_generation, start_training
from tests.registry.conftest import base, model_folders

__all__ = ["base", "model_folders"]

Behave = Callable[..., None]


def rows_of(split: str, count: int, *, start: int = 0) -> list[ExampleRow]:
    return [
        ExampleRow(
            split=split,
            messages=[{"role": "user", "content": f"{split} question {number}"}],
            references=[f"{split} answer {number}"],
        )
        for number in range(start, start + count)
    ]


def make_questions(project: Project, engineer: User) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    rows = [*rows_of("train", 6), *rows_of("test", 3), *rows_of("feedback", 2)]
    return create_version(dataset=dataset, rows=rows, by=engineer)


@pytest.fixture
def version(project: Project, engineer: User) -> DatasetVersion:
    return make_questions(project, engineer)


def make_fake_program(parent: Path) -> dict[str, Path]:
    """The settings of the fake program, which succeeds unless it is told otherwise."""
    runs, python = parent / "runs", parent / "python"
    runs.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.runs.fake_program "$@"\n')
    python.chmod(0o755)
    tell(runs)
    return {"RUNS_FOLDER": runs, "MODEL_PYTHON": python}


def tell(runs: Path, do: str = "succeed", **behaviour: object) -> None:
    (runs / "behaviour.json").write_text(json.dumps({"do": do, **behaviour}))


@pytest.fixture
def behave(tmp_path: Path, settings, model_folders: Path) -> Behave:
    """Put the fake program in place; call with what it shall do (see fake_program.py)."""
    for name, value in make_fake_program(tmp_path).items():
        setattr(settings, name, value)
    return partial(tell, settings.RUNS_FOLDER)


def start_small_training(project: Project, by: User, version: DatasetVersion, base: ModelVersion) -> Run:
    return start_training(
        project=project,
        dataset_version=version,
        base=base,
        name="v1",
        hyperparameters={"epochs": 1, "lora": {"rank": 2}},
        by=by,
    )


@pytest.fixture
def training(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> Run:
    return start_small_training(project, engineer, version, base)


@pytest.fixture
def generation(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> Run:
    return start_generation(
        project=project,
        dataset_version=version,
        splits=["test"],
        candidates=[base],
        sampling={"max_tokens": 8},
        name="Test answers",
        by=engineer,
    )
