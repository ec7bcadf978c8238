from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def uploads(settings: object, tmp_path: Path) -> Path:
    """The folder that uploads are kept in."""
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)  # type: ignore[attr-defined]
    return tmp_path
