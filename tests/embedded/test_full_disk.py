"""A full disk ends nothing: pages stay readable whatever dies meanwhile, it is seen, and a backup elsewhere
works.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest

from evalapp.embedded import logs, reserve, state
from evalapp.embedded.addresses import health
from evalapp.embedded.logs import open_log, rotate
from evalapp.embedded.supervisor import Supervisor
from evalapp.env import Environment
from tests.installations import Installation, Running, eventually

SIZE = "320m"
FULL = OSError(28, "No space left on device")


@pytest.fixture
def disk() -> Iterator[Path]:
    """A small file system of its own."""
    folder = Path(tempfile.mkdtemp(prefix="evalapp-disk-", dir="/tmp"))
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=False)
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root may mount the small file system that this fills")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)
    folder.rmdir()


def fill(disk: Path) -> None:
    """To the last byte, beside what was put there before."""
    with contextlib.suppress(OSError), (disk / "filler").open("ab", buffering=0) as file:
        while True:
            file.write(b"\0" * 2**16)


def children(running: Running) -> dict[int, psutil.Process]:
    return {child.pid: child for child in psutil.Process(running.process.pid).children()}


def told(running: Running) -> dict[str, object]:
    answer = health(running.home)
    return dict(json.loads(answer[1])) if answer and answer[0] == 200 else {}


@pytest.mark.verification
def test_pages_stay_readable_whatever_dies_while_the_disk_is_full(disk: Path, tmp_path: Path):
    running = Running(Installation(disk / "home"), "--without-model-worker")
    try:
        parts = running.home.postgres_folder
        kept = [parts / f"reserve-{number}" for number in range(1, reserve.PARTS + 1)]
        eventually(lambda: all(part.exists() for part in kept), 60, "room is kept")
        before = children(running)
        fill(disk)
        disk_told = {"writes": False, "free_bytes": 0}
        eventually(
            lambda: told(running).get("disk") == disk_told, 60, "the health check tells of the full disk"
        )

        for pid in before:
            os.kill(pid, signal.SIGKILL)
        eventually(
            lambda: len(after := children(running)) == len(before) and not after.keys() & before.keys(),
            120,
            "all have started again",
        )
        eventually(lambda: told(running).get("healthy"), 120, "the web answers again")
        with urlopen(f"{running.home.bind.url}/accounts/login/") as page:
            assert page.status == 200
        fill(disk)
        code, output = running.installation.run("status")
        assert code == 0
        assert (
            "accepts no writes (" in output
            and "No space left on device). Free some space. Pages can still be read." in output
        )
        assert "disk: 0 MB free" in output
        code, output = running.installation.run("backup", str(tmp_path / "backup.tar"))
        assert code == 0, output

        (disk / "filler").unlink()
        eventually(lambda: all(part.exists() for part in kept), 120, "room is kept again")
        eventually(
            lambda: {entry["pid"] for entry in running.services().values()} == children(running).keys(),
            120,
            "the state tells what runs",
        )
        with psycopg.connect(running.home.database_url) as connection:
            connection.execute("CREATE TABLE stored AS SELECT 1")
    finally:
        _, output = running.stop()
    assert "is full: PostgreSQL starts with reserved space" in output
    assert "Traceback" not in output


def test_a_state_that_cannot_be_written_ends_nothing(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
):
    def refuse(environment: Environment, services: object) -> None:
        raise FULL

    lines: list[str] = []
    supervisor = Supervisor(
        installation.environment, prepare=lambda: None, afterwards=lambda: (), report=lines.append
    )
    monkeypatch.setattr(state, "write", refuse)
    supervisor._write_state()
    assert lines == ["The state of the processes cannot be written (No space left on device): free space."]


def test_a_log_that_cannot_be_moved_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(source: Path, target: Path) -> None:
        target.write_bytes(b"half of it")
        raise FULL

    (tmp_path / "web.log").write_text("newest")
    (tmp_path / "web.log.1").write_text("older")
    (tmp_path / "worker.log").write_text("small")
    before = {path.name: path.read_text() for path in tmp_path.iterdir()}
    monkeypatch.setattr(shutil, "copy2", refuse)
    for _ in range(3):
        assert rotate(tmp_path, limit=5) == []
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == before


def test_a_program_runs_without_a_log_where_there_is_no_room_for_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    opened = os.open

    def refuse(path: object, *arguments: int) -> int:
        if path == tmp_path / "web.log":
            raise FULL
        return opened(path, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(logs.os, "open", refuse)
    with open_log(tmp_path, "web") as log:
        log.write(b"lost")
    assert not (tmp_path / "web.log").exists()


def test_room_is_kept_only_where_others_have_enough(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
):
    home = installation.environment
    home.postgres_folder.mkdir(parents=True)
    monkeypatch.setattr(reserve, "free_bytes", lambda folder: reserve.PARTS * reserve.PART_BYTES)
    reserve.fill(home)
    assert list(home.postgres_folder.iterdir()) == []
    assert not reserve.give(home)
