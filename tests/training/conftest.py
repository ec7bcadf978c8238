from pathlib import Path

import pytest

from tests.run_directory.tiny import make_base
from tests.training.runs import make_spec, train
from training.spec import TrainingReport


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingReport]:
    """A finished run and its report: what others are compared with."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, train(folder, make_spec(base))
