from collections.abc import Iterator

import pytest

from tests.e2e.conftest import browser_context_args, browser_type_launch_args
from tests.installations import Running, temporary_installation

__all__ = ["browser_context_args", "browser_type_launch_args"]


@pytest.fixture
def running() -> Iterator[Running]:
    """A fresh installation that serves, and is stopped."""
    with temporary_installation() as installation:
        started = Running(installation)
        yield started
        started.stop()
