from pathlib import Path

import pytest

from inference.spec import GenerationReport
from tests.inference.runs import generate, make_spec
from tests.run_directory.tiny import make_adapter, make_base


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(base, tmp_path_factory.mktemp("adapter") / "v1")


@pytest.fixture(scope="session")
def generated(
    base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, GenerationReport]:
    """A finished run and its report: what others are compared with."""
    folder = tmp_path_factory.mktemp("generated") / "run"
    return folder, generate(folder, make_spec(base, adapter))
