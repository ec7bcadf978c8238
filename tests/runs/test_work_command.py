"""`manage.py work` refuses, in sentences, what would take a run and lose it."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from evalapp.core import installation
from evalapp.management.commands import work as command
from tests.cached_values import forget_cached_values
from tests.runs.conftest import Behave


@pytest.fixture(autouse=True)
def machine(behave: Behave, tmp_path: Path, settings) -> None:
    settings.HOME = tmp_path / "home"
    installation.announce()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    words: list[str] = []
    monkeypatch.setattr(command.os, "execv", lambda _, wanted: words.extend(wanted))
    monkeypatch.setattr(command.os, "nice", lambda _: None)
    monkeypatch.setattr(command.os, "chdir", lambda _: None)
    return words


def refusal() -> str:
    with pytest.raises(CommandError) as refused:
        call_command("work")
    return str(refused.value)


@pytest.mark.django_db
def test_a_machine_that_agrees_becomes_a_worker_of_the_models_queue(
    started: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("work")
    assert started[started.index("--queues") + 1] == "models"
    assert started[started.index("--hostname") + 1] != "models@evalapp"
    assert "Store: none; " in capsys.readouterr().out


@pytest.mark.django_db
def test_without_pages_anywhere_it_says_to_start_them_first() -> None:
    forget_cached_values()
    assert refusal().startswith("No evalapp has been started with this DATABASE_URL and REDIS_URL")


@pytest.mark.django_db
def test_another_release_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_source", lambda: "another")
    assert refusal().startswith("This machine has another release than the one with the pages")


@pytest.mark.django_db
def test_another_home_without_a_store_is_refused(tmp_path: Path, settings) -> None:
    settings.HOME = tmp_path / "elsewhere"
    assert "there is no store between them: set EVALAPP_ARTIFACTS on both" in refusal()


@pytest.mark.django_db
def test_another_store_is_refused(tmp_path: Path, settings) -> None:
    settings.ARTIFACT_STORE = f"file://{tmp_path}/store"
    assert refusal().startswith(
        f"EVALAPP_ARTIFACTS is file://{tmp_path}/store here and not set on the machine"
    )


@pytest.mark.django_db
def test_a_store_that_cannot_be_reached_is_refused(tmp_path: Path, settings) -> None:
    (tmp_path / "blocked").write_text("no folder")
    settings.ARTIFACT_STORE = f"file://{tmp_path}/blocked/store"
    installation.announce()
    assert refusal().endswith("Correct EVALAPP_ARTIFACTS, AWS_ENDPOINT_URL or its keys.")


@pytest.mark.django_db
def test_another_schema_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.preparation, "is_current", lambda: False)
    assert refusal().startswith("The database has the schema of another release")


def test_embedded_servers_cannot_be_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    from evalapp.env import read_environment

    monkeypatch.setattr(command, "environment", lambda: read_environment({"EVALAPP_HOME": "/srv/evalapp"}))
    assert refusal().startswith("Set DATABASE_URL and REDIS_URL to the PostgreSQL and the Redis server")
