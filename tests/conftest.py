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

# Thresholds: new objects before a collection, and collections before one of each older generation.
RARELY = (20_000, 20, 20)


# A slow test on a busy machine is not an error.
hypothesis_settings.register_profile("any_speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("any_speed")


# For connections to the test database on a busy machine.
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
    """Exclude the collected tests from garbage collection, which would repeatedly scan them, and collect
    rarely: at the usual frequency, scanning imported objects takes a tenth of the time.
    """
    gc.freeze()
    gc.set_threshold(*RARELY)
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _plain_static_files() -> Iterator[None]:
    """Pages refer to static files without the hashes that only `collectstatic` writes."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}):
        yield


@pytest.fixture(scope="session", autouse=True)
def _shared_rows_are_checked_once() -> Iterator[None]:
    """Check constraints of a file's fixtures once, before the first test. Otherwise they are checked after
    each test, because rolling back a test's changes also forgets the check.
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
