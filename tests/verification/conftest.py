import subprocess
import sys
from pathlib import Path

import pytest

from evalapp.env import read_environment


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled small model as a base folder: the one of this installation, else fetched and converted."""
    bundled = read_environment({}).bundled_model_folder
    if not bundled.exists():
        bundled = tmp_path_factory.mktemp("models") / bundled.name
        subprocess.run([sys.executable, "-m", "installer.bundled_model", str(bundled)], check=True)
    return bundled
