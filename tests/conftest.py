import pytest

pytest_plugins = ["tests.cast"]


@pytest.fixture(autouse=True)
def _plain_static_files(settings: object) -> None:
    """Pages name static files without the hashes that only `collectstatic` writes."""
    settings.STORAGES = {  # type: ignore[attr-defined]
        **settings.STORAGES,  # type: ignore[attr-defined]
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
