import json
import sys
from collections.abc import Callable
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


@pytest.fixture
def version(project: Project, engineer: User) -> DatasetVersion:
    dataset = create_dataset(project=project, name="Questions", by=engineer)
    rows = [*rows_of("train", 6), *rows_of("test", 3), *rows_of("feedback", 2)]
    return create_version(dataset=dataset, rows=rows, by=engineer)


@pytest.fixture
def behave(tmp_path: Path, settings, model_folders: Path) -> Behave:
    """Put the fake program in place; call with what it shall do (see fake_program.py)."""
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.RUNS_FOLDER.mkdir()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.runs.fake_program "$@"\n')
    python.chmod(0o755)
    settings.MODEL_PYTHON = python

    def tell(do: str = "succeed", **behaviour: object) -> None:
        (settings.RUNS_FOLDER / "behaviour.json").write_text(json.dumps({"do": do, **behaviour}))

    tell()
    return tell


@pytest.fixture
def training(
    project: Project, engineer: User, version: DatasetVersion, base: ModelVersion, behave: Behave
) -> Run:
    return start_training(
        project=project,
        dataset_version=version,
        base=base,
        name="v1",
        hyperparameters={"epochs": 1, "lora": {"rank": 2}},
        by=engineer,
    )


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
