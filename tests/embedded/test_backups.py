import os
from pathlib import Path

import pytest

from evalapp.embedded import backups
from evalapp.embedded.backups import back_up, check_target
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import Environment, EnvironmentProblem, read_environment


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """A home of its own beside the database of the test run."""
    made = read_environment(
        {"EVALAPP_HOME": str(tmp_path / "home"), "DATABASE_URL": os.environ["DATABASE_URL"]}
    )
    made.secret_key()
    return made


def test_a_new_file_in_a_folder_of_ours_may_be_written(environment: Environment, tmp_path: Path):
    check_target(environment, tmp_path / "new.tar", replace=False)


def test_a_file_that_is_there_is_replaced_only_where_that_is_wanted(environment: Environment, tmp_path: Path):
    (tmp_path / "old.tar").write_text("old")
    check_target(environment, tmp_path / "old.tar", replace=True)
    with pytest.raises(ServiceProblem, match="exists already: choose another name, or add --force"):
        check_target(environment, tmp_path / "old.tar", replace=False)


@pytest.mark.parametrize("replace", [True, False])
def test_what_is_no_regular_file_is_never_replaced(environment: Environment, tmp_path: Path, replace: bool):
    (tmp_path / "file").write_text("content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "dangling").symlink_to(tmp_path / "absent")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for target in [Path("/dev/null"), *(tmp_path / name for name in ("link", "dangling", "folder", "pipe"))]:
        with pytest.raises(ServiceProblem, match=f"{target} is not a regular file, so it was not replaced"):
            check_target(environment, target, replace=replace)


def test_a_folder_that_is_not_there_is_told(environment: Environment, tmp_path: Path):
    with pytest.raises(ServiceProblem, match="is not a folder: create it first"):
        check_target(environment, tmp_path / "absent" / "new.tar", replace=False)


def test_a_folder_that_cannot_be_written_is_told(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Root may write everywhere, so the kernel's answer for others is given here.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(
        ServiceProblem, match=f"{tmp_path} cannot be written by this user: choose another place"
    ):
        check_target(environment, tmp_path / "new.tar", replace=False)


def test_a_backup_is_not_put_among_what_is_backed_up(environment: Environment):
    folder = environment.home / "files" / "backups"
    folder.mkdir(parents=True)
    with pytest.raises(ServiceProblem, match="is itself part of what is backed up"):
        check_target(environment, folder / "new.tar", replace=False)


def test_a_full_disk_is_told_and_leaves_the_earlier_backup(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "backup.tar").write_text("earlier")
    before = sorted(tmp_path.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ServiceProblem) as caught:
        back_up(environment, tmp_path / "backup.tar")
    assert str(caught.value) == (
        f"The backup could not be written to {tmp_path} (No space left on device):"
        " fix that or choose another place. No backup was made."
    )
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "backup.tar").read_text() == "earlier"


def test_a_database_that_is_away_is_told(tmp_path: Path, environment: Environment):
    away = read_environment(
        {"EVALAPP_HOME": str(environment.home), "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    )
    with pytest.raises(
        ServiceProblem,
        match=r"^The database does not answer \(connection failed: .*\): start it or correct DATABASE_URL\.$",
    ):
        backups.back_up(away, tmp_path / "backup.tar")


def test_a_key_that_could_not_be_used_is_told_before_a_backup_is_made_with_it(
    environment: Environment, tmp_path: Path
):
    environment.secret_key_file.write_text("short")
    with pytest.raises(EnvironmentProblem, match="is shorter than 32 characters"):
        back_up(environment, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()
