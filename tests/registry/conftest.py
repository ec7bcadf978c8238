from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from tests.registry.handmade import make_base_folder


@pytest.fixture
def model_folders(tmp_path: Path, settings) -> Path:
    """The one folder that models are taken from; artifacts have a folder of their own."""
    folder = tmp_path / "models"
    folder.mkdir()
    settings.MODEL_FOLDERS = (folder,)
    settings.BUNDLED_MODEL_FOLDER = tmp_path / "bundled"
    settings.HUB_FOLDER = tmp_path / "hub"
    settings.ARTIFACTS_FOLDER = tmp_path / "artifacts"
    return folder


@pytest.fixture
def base(project: Project, engineer: User, model_folders: Path) -> ModelVersion:
    folder = make_base_folder(model_folders / "small")
    return register_base(project=project, name="Small", folder=folder, by=engineer)
