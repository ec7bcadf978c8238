"""Restores into a home and a database of their own, on the server of the test run."""

import dataclasses
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from bench.databases import temporary_database
from evalapp.embedded import restores
from evalapp.embedded.archive import write_backup
from evalapp.embedded.backups import back_up
from evalapp.embedded.problems import ServiceProblem
from evalapp.env import REPOSITORY, Environment, read_environment
from tests.installations import eventually

WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
    " WHERE NOT granted AND datname = current_database()"
)
OLD, NEW = "before", "in the backup"


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An installation that holds OLD in its database and in its files."""
    with temporary_database(os.environ["DATABASE_URL"]) as url:
        made = read_environment({"EVALAPP_HOME": str(tmp_path / "home"), "DATABASE_URL": url})
        made.secret_key()
        fill(made, OLD)
        yield made


@pytest.fixture
def backup(environment: Environment, tmp_path: Path) -> Path:
    """A backup that holds NEW; the installation holds OLD, and a folder that the backup has not."""
    fill(environment, NEW)
    back_up(environment, tmp_path / "backup.tar")
    fill(environment, OLD)
    (environment.home / "artifacts").mkdir()
    (environment.home / "artifacts" / "kept").write_text("only before")
    environment.secret_key_file.write_text("o" * 86)
    return tmp_path / "backup.tar"


def fill(environment: Environment, word: str) -> None:
    with psycopg.connect(environment.database_url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("TRUNCATE words")
        connection.execute("INSERT INTO words VALUES (%s)", [word])
    for folder in (environment.home / "files", environment.home / "runs"):
        (folder / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "deep" / "word.txt").write_text(word)


def contents(environment: Environment) -> dict[str, str]:
    """What is in the database and in the home, by place."""
    with psycopg.connect(environment.database_url) as connection:
        words = connection.execute("SELECT word FROM words").fetchall()
    files = {
        str(path.relative_to(environment.home)): path.read_text()
        for path in environment.home.rglob("*")
        if path.is_file()
    }
    return {"database": str(words), **files}


def killed_at(environment: Environment, backup: Path, step: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.embedded.killed_restore", str(backup), str(step)],
        cwd=REPOSITORY,
        env={**os.environ, "EVALAPP_HOME": str(environment.home), "DATABASE_URL": environment.database_url},
        capture_output=True,
        text=True,
        check=False,
    )


def forge(source: Path, target: Path, dump: bytes) -> Path:
    """The same backup with other bytes for the database, rightly listed."""
    folder = target.parent / "forged"
    with tarfile.open(source) as tar:
        tar.extractall(folder, filter="data")
    (folder / "database.dump").write_bytes(dump)
    write_backup(
        target,
        dump=folder / "database.dump",
        home=folder / "home",
        secret_key=folder / "home" / "secret-key",
        migration="",
    )
    return target


def test_a_restore_brings_back_all_and_leaves_nothing_else(environment: Environment, backup: Path):
    restores.restore(environment, backup)
    assert contents(environment) == {
        "database": f"[('{NEW}',)]",
        "files/deep/word.txt": NEW,
        "runs/deep/word.txt": NEW,
        "secret-key": contents(environment)["secret-key"],
    }
    assert contents(environment)["secret-key"] != "o" * 86
    assert environment.secret_key()


def test_a_restored_installation_can_be_backed_up_and_restored_again(
    environment: Environment, backup: Path, tmp_path: Path
):
    restores.restore(environment, backup)
    first = contents(environment)
    back_up(environment, tmp_path / "second.tar")
    fill(environment, OLD)
    restores.restore(environment, tmp_path / "second.tar")
    assert contents(environment) == first


def test_wherever_it_is_killed_it_is_whole_or_not_at_all(environment: Environment, backup: Path):
    before = contents(environment)
    outcomes = []
    for step in range(1, 100):
        done = killed_at(environment, backup, step)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        outcome = restores.settle(environment)
        found = contents(environment)
        outcomes.append(outcome)
        if found == before:
            assert outcome in {restores.UNDONE, ""}
        else:
            after = found
            assert outcome in {restores.FINISHED, ""}
            assert after["database"] == f"[('{NEW}',)]"
            assert {name for name in after if name != "database"} == {
                "files/deep/word.txt",
                "runs/deep/word.txt",
                "secret-key",
            }
            assert {after["files/deep/word.txt"], after["runs/deep/word.txt"]} == {NEW}
            _put_back(environment, before)
    else:
        pytest.fail("it never came to its end")
    assert {restores.UNDONE, restores.FINISHED} <= set(outcomes)
    assert restores.settle(environment) == ""


def _put_back(environment: Environment, before: dict[str, str]) -> None:
    fill(environment, OLD)
    for name, content in before.items():
        if name != "database":
            (environment.home / name).parent.mkdir(exist_ok=True)
            (environment.home / name).write_text(content)


@pytest.mark.verification
def test_killed_while_settling_it_is_settled_by_the_next(environment: Environment, backup: Path):
    # The first rename of a folder of the home: the database is the backup's, the files are half in place.
    step = next(
        step
        for step in range(1, 100)
        if killed_at(environment, backup, step).returncode == -signal.SIGKILL
        and (environment.home / ".restore" / "aside" / "files").exists()
    )
    assert step
    assert restores.is_under_way(environment)
    environment.secret_key()  # a command that starts now may make a key anew
    assert restores.settle(environment) == restores.FINISHED
    assert contents(environment)["files/deep/word.txt"] == NEW
    assert contents(environment)["secret-key"] != "o" * 86


def test_killed_within_the_transaction_neither_database_nor_files_change(
    environment: Environment, backup: Path
):
    before = contents(environment)
    with (
        ThreadPoolExecutor() as pool,
        psycopg.connect(environment.database_url) as reader,
        psycopg.connect(environment.database_url, autocommit=True) as watching,
    ):
        reader.execute("SELECT word FROM words")  # the table cannot be dropped while this lasts
        child = subprocess.Popen(
            [sys.executable, "-c", WITHOUT_LOOKING_FOR_OTHERS, str(backup)],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "EVALAPP_HOME": str(environment.home),
                "DATABASE_URL": environment.database_url,
            },
        )
        eventually(lambda: watching.execute(WAITING).fetchone() == (1,), 30, "the restore waits")
        child.kill()
        child.wait()
        # The server does not know yet, so nobody may decide yet.
        settling = pool.submit(restores.settle, environment)
        eventually(lambda: watching.execute(WAITING).fetchone() == (2,), 30, "settling waits for it")
        reader.rollback()
        assert settling.result(30) == restores.UNDONE
    assert contents(environment) == before


WITHOUT_LOOKING_FOR_OTHERS = """
import sys
from pathlib import Path
from evalapp.embedded import restores
from evalapp.env import read_environment
restores._check_nobody_is_connected = lambda environment: None
restores.restore(read_environment(), Path(sys.argv[1]))
"""


def test_a_commit_that_is_still_under_way_is_waited_for(environment: Environment, backup: Path):
    restores._prepare(environment, backup)
    token = (environment.home / ".restore" / "token").read_text()
    with (
        ThreadPoolExecutor() as pool,
        psycopg.connect(environment.database_url) as connection,
        psycopg.connect(environment.database_url, autocommit=True) as watching,
    ):
        # What the killed restore's transaction had done so far.
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [restores._LOCK])
        connection.execute(f"COMMENT ON SCHEMA public IS 'evalapp restore {token}'")
        settling = pool.submit(restores.settle, environment)
        eventually(
            lambda: settling.done() or watching.execute(WAITING).fetchone() == (1,), 30, "settling waits"
        )
        connection.commit()
        assert settling.result(30) == restores.FINISHED


def test_a_backup_among_the_files_it_would_replace_is_refused(environment: Environment, backup: Path):
    inside = environment.home / "files" / "backup.tar"
    backup.rename(inside)
    with pytest.raises(ServiceProblem, match=f"{inside} is in a folder that is about to be replaced"):
        restores.restore(environment, inside)
    assert inside.exists()


def test_while_the_database_is_away_an_interrupted_restore_stays_as_it_is(
    environment: Environment, backup: Path
):
    (environment.home / ".restore").mkdir()
    (environment.home / ".restore" / "token").write_text("0" * 64)
    away = dataclasses.replace(environment, database_url="postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(
        ServiceProblem, match="the database, which alone knows how far it came, does not answer"
    ):
        restores.settle(away)
    assert restores.is_under_way(environment)
    assert restores.settle(environment) == restores.UNDONE


@pytest.mark.parametrize(
    ("dump", "message"),
    [
        (b"no dump", r"its database cannot be read\. pg_restore says: "),
        (b"", r"its database cannot be read\. pg_restore says: "),
    ],
)
def test_a_database_that_cannot_be_read_changes_nothing(
    environment: Environment, backup: Path, tmp_path: Path, dump: bytes, message: str
):
    before = contents(environment)
    with pytest.raises(ServiceProblem, match=message) as caught:
        restores.restore(environment, forge(backup, tmp_path / "forged.tar", dump))
    assert "Nothing was changed." in str(caught.value)
    assert contents(environment) == before


def test_a_database_that_the_server_refuses_changes_nothing(
    environment: Environment, backup: Path, monkeypatch: pytest.MonkeyPatch
):
    before = contents(environment)
    real = restores._replace_database

    def with_an_error(wanted: Environment, script: Path) -> None:
        script.write_text(script.read_text() + "\nSELECT no_such_column;\n")
        real(wanted, script)

    monkeypatch.setattr(restores, "_replace_database", with_an_error)
    with pytest.raises(ServiceProblem, match="The database refused the backup, and is as it was before"):
        restores.restore(environment, backup)
    assert contents(environment) == before


def test_a_damaged_backup_is_named_and_changes_nothing(environment: Environment, backup: Path):
    before = contents(environment)
    backup.write_bytes(backup.read_bytes()[:3000])
    with pytest.raises(ServiceProblem, match=f"^{backup} cannot be restored: it .*Nothing was changed.$"):
        restores.restore(environment, backup)
    assert contents(environment) == before


def test_a_backup_of_a_newer_release_is_refused(environment: Environment, backup: Path, tmp_path: Path):
    before = contents(environment)
    write_backup(
        tmp_path / "newer.tar",
        dump=backup,
        home=environment.home,
        secret_key=environment.secret_key_file,
        migration="9999_tomorrow",
    )
    with pytest.raises(
        ServiceProblem, match="the migration 9999_tomorrow, which this release does not have: a newer release"
    ):
        restores.restore(environment, tmp_path / "newer.tar")
    assert contents(environment) == before


def test_while_others_use_the_database_it_is_refused(
    environment: Environment, backup: Path, monkeypatch: pytest.MonkeyPatch
):
    before = contents(environment)
    monkeypatch.setattr(restores, "_OTHER_CONNECTIONS_SECONDS", 0)
    with (
        psycopg.connect(environment.database_url),
        pytest.raises(ServiceProblem, match="Other programs are connected to the database: stop evalapp"),
    ):
        restores.restore(environment, backup)
    assert contents(environment) == before


def test_a_folder_on_another_disk_is_told_before_anything_is_touched(
    environment: Environment, backup: Path, tmp_path: Path
):
    runs = environment.home / "runs"
    runs.rename(tmp_path / "elsewhere")
    runs.symlink_to(tmp_path / "elsewhere")
    before = contents(environment)
    with pytest.raises(ServiceProblem, match=f"{runs} is a link, which a restore cannot"):
        restores.restore(environment, backup)
    assert contents(environment) == before


def test_a_key_that_is_kept_elsewhere_is_backed_up_and_never_replaced(
    environment: Environment, backup: Path, tmp_path: Path
):
    (tmp_path / "key").write_text("e" * 86)
    (tmp_path / "key").chmod(0o600)
    elsewhere = dataclasses.replace(environment, secret_key_file=tmp_path / "key")
    back_up(elsewhere, tmp_path / "elsewhere.tar")
    with tarfile.open(tmp_path / "elsewhere.tar") as tar:
        key = tar.extractfile("home/secret-key")
        assert key is not None
        assert key.read() == b"e" * 86
    restores.restore(elsewhere, backup)
    assert elsewhere.secret_key() == "e" * 86
    assert environment.secret_key() == "o" * 86


def test_a_home_that_cannot_hold_it_is_told(
    environment: Environment, backup: Path, monkeypatch: pytest.MonkeyPatch
):
    before = contents(environment)

    def full(source: Path, folder: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restores, "unpack_backup", full)
    with pytest.raises(
        ServiceProblem, match=r"could not be unpacked in .*/home \(No space left on device\): fix that"
    ):
        restores.restore(environment, backup)
    assert contents(environment) == before
