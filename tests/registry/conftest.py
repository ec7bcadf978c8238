from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_base
from tests.registry.handmade import make_base_folder


def make_model_folders(parent: Path) -> dict[str, object]:
    """The settings of a folder that models are taken from, and of a folder of its own for artifacts."""
    folder = parent / "models"
    folder.mkdir()
    return {
        "MODEL_FOLDERS": (folder,),
        "BUNDLED_MODEL_FOLDER": parent / "bundled",
        "HUB_FOLDER": parent / "hub",
        "ARTIFACTS_FOLDER": parent / "artifacts",
    }


@pytest.fixture
def model_folders(tmp_path: Path, settings) -> Path:
    """The one folder that models are taken from; artifacts have a folder of their own."""
    for name, value in make_model_folders(tmp_path).items():
        setattr(settings, name, value)
    return settings.MODEL_FOLDERS[0]


@pytest.fixture
def base(project: Project, engineer: User, model_folders: Path) -> ModelVersion:
    folder = make_base_folder(model_folders / "small")
    return register_base(project=project, name="Small", folder=folder, by=engineer)
