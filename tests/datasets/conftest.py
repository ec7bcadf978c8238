from pathlib import Path

import pytest

from evalapp.accounts.models import Project, User
from evalapp.datasets.models import Dataset
from evalapp.datasets.services import create_dataset


@pytest.fixture
def dataset(project: Project, engineer: User) -> Dataset:
    return create_dataset(project=project, name="Summaries", by=engineer)


@pytest.fixture
def uploads(settings: object, tmp_path: Path) -> Path:
    """The folder that uploads are kept in."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)  # type: ignore[attr-defined]
    return tmp_path
