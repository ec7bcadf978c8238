from collections.abc import Iterator

import pytest

from tests.installations import Running, temporary_installation


@pytest.fixture
def running() -> Iterator[Running]:
    """A fresh installation that serves, and is stopped."""
    with temporary_installation() as installation:
        started = Running(installation)
        yield started
        started.stop()
