import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import TestCase, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from tests.cached_values import forget_cached_values, keep_apart
from tests.quick_passwords import take_no_time

pytest_plugins = ["tests.cast", "tests.emptying"]

# New objects before a search for garbage, searches before one among older objects, and before one among all.
RARELY = (20_000, 20, 20)


# A busy machine is slow, and nothing is wrong with that.
hypothesis_settings.register_profile("any_speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any_speed")


# Of a connection to a database that is there, on a machine that is busy with other things.
PATIENCE_SECONDS = 120


def pytest_configure() -> None:
    keep_apart()
    take_no_time()
    options = settings.DATABASES["default"]["OPTIONS"]
    options["connect_timeout"] = PATIENCE_SECONDS
    options["pool"] |= {"timeout": PATIENCE_SECONDS, "reconnect_timeout": PATIENCE_SECONDS}


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """What the collection made stays until the end: looking through it again and again takes long. So does
    looking through what tests import: a tenth of the time where searches are as frequent as usual.
    """
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _plain_static_files() -> Iterator[None]:
    """Pages name static files without the hashes that only `collectstatic` writes."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_rows_are_checked_once() -> Iterator[None]:
    """The database checks what a file's fixtures made before the first test; else it would after each one,
    because what it has checked is forgotten with the test's own changes.
    """
    enter: Any = vars(TestCase)["_enter_atomics"].__func__

    def checked_before(of: type[TestCase]) -> object:
        if connection.in_atomic_block:
            connection.check_constraints()
        return enter(of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TestCase, "_enter_atomics", classmethod(checked_before))
        yield


@pytest.fixture(autouse=True)
def _no_cached_values() -> None:
    forget_cached_values()
