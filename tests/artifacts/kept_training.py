"""A training by the fake program, carried out once for a file; each test finds its rows and folders as made.

Unpack `FIXTURES` into their names, as those of tests/kept_cast.py; not in a file whose tests commit.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.test import override_settings

from evalapp.datasets.models import DatasetVersion
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from evalapp.runs.models import Run
from tests.artifacts.conftest import trained_by
from tests.kept_cast import Cast, again
from tests.registry.conftest import make_model_folders
from tests.registry.handmade import make_base_folder
from tests.runs.conftest import Behave, make_fake_program, make_questions, start_small_training, tell


class Trained(NamedTuple):
    home: Path
    as_made: Path
    settings: dict[str, Any]
    version: DatasetVersion
    base: ModelVersion
    training: Run
    adapter: ModelVersion


@pytest.fixture(scope="module")
def trained(cast: Cast, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    home = tmp_path_factory.mktemp("trained")
    settings: dict[str, Any] = {**make_model_folders(home), **make_fake_program(home)}
    with override_settings(**settings):
        folder = make_base_folder(home / "models" / "small")
        base = register_base(project=cast.project, name="Small", folder=folder, by=cast.engineer)
        version = make_questions(cast.project, cast.engineer)
        training = start_small_training(cast.project, cast.engineer, version, base)
        adapter = trained_by(training)
    as_made = home.with_name(f"{home.name}-as-made")
    home.rename(as_made)
    return Trained(home, as_made, settings, version, base, training, adapter)


@pytest.fixture
def model_folders(trained: Trained, settings: Any) -> Path:
    """The one folder that models are taken from; that and all others hold what the training left there."""
    shutil.rmtree(trained.home, ignore_errors=True)
    shutil.copytree(trained.as_made, trained.home, symlinks=True)
    for name, value in trained.settings.items():
        setattr(settings, name, value)
    return trained.home / "models"


@pytest.fixture
def behave(model_folders: Path, trained: Trained) -> Behave:
    """Call with what the fake program shall do (see fake_program.py)."""
    return partial(tell, trained.settings["RUNS_FOLDER"])


@pytest.fixture
def version(trained: Trained, db: None) -> DatasetVersion:
    return again(trained.version)


@pytest.fixture
def base(trained: Trained, model_folders: Path, db: None) -> ModelVersion:
    return again(trained.base)


@pytest.fixture
def training(trained: Trained, model_folders: Path, db: None) -> Run:
    return again(trained.training)


@pytest.fixture
def adapter(trained: Trained, model_folders: Path, db: None) -> ModelVersion:
    return again(trained.adapter)


FIXTURES = (trained, model_folders, behave, version, base, training, adapter)
