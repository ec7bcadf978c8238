import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run_directory.tiny import make_base
from tests.training.runs import make_spec, train
from training.spec import TrainingReport


@pytest.fixture(scope="session", autouse=True)
def _as_before_at_the_end() -> Iterator[None]:
    yield
    # Triton's bindings report at the exit whatever garbage collection must not free.
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _libraries_are_no_garbage(_as_before_at_the_end: None) -> None:
    """Exclude the libraries imported so far from garbage collection. A trainer collects before it starts;
    scanning them took half of these tests' time.
    """
    gc.freeze()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="session")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainingReport]:
    """A finished run and its report: what others are compared with."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    return folder, train(folder, make_spec(base))
