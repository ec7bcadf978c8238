from collections.abc import Iterator

import pytest

from evalapp.env import Environment
from tests.installations import Installation, temporary_installation


@pytest.fixture
def installation() -> Iterator[Installation]:
    with temporary_installation() as made:
        yield made


@pytest.fixture
def home(installation: Installation) -> Environment:
    return installation.environment
