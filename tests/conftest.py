from pathlib import Path

import pytest

pytest_plugins = ["tests.cast", "tests.emptying"]


@pytest.fixture(autouse=True)
def _plain_static_files(settings: object) -> None:
    """Pages name static files without the hashes that only `collectstatic` writes."""
    Path(settings.STATIC_ROOT).mkdir(exist_ok=True)  # type: ignore[attr-defined]
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
