import io
import tarfile
from pathlib import Path

import pytest

from evalapp.embedded.archive import UnusableBackupError, unpack_backup, write_backup


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "files" / "deep").mkdir(parents=True)
    (folder / "files" / "deep" / "données.txt").write_text("content")
    (folder / "secret-key").write_text("key")
    (folder / "logs").mkdir()
    (folder / "logs" / "web.log").write_text("not kept")
    return folder


@pytest.fixture
def backup(tmp_path: Path, home: Path) -> Path:
    dump = tmp_path / "dump"
    dump.write_bytes(b"PGDMP" * 1000)
    target = tmp_path / "backup.tar"
    write_backup(target, dump=dump, home=home, folders=("files", "secret-key", "absent"), migration="0002_x")
    return target


def test_what_went_in_comes_out(backup: Path, tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    manifest = unpack_backup(backup, out)
    assert sorted(manifest.members) == ["database.dump", "home/files/deep/données.txt", "home/secret-key"]
    assert manifest.migration == "0002_x"
    assert (out / "home/files/deep/données.txt").read_text() == "content"


def test_a_failure_while_writing_leaves_no_file(tmp_path: Path, home: Path):
    target = tmp_path / "backup.tar"
    with pytest.raises(FileNotFoundError):
        write_backup(target, dump=tmp_path / "missing", home=home, folders=(), migration="")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


@pytest.mark.parametrize("keep", [0, 100, 5000, 8000])
def test_a_file_that_was_cut_off_is_refused(backup: Path, tmp_path: Path, keep: int):
    content = backup.read_bytes()
    backup.write_bytes(content[:keep])
    (tmp_path / "out").mkdir()
    with pytest.raises(UnusableBackupError):
        unpack_backup(backup, tmp_path / "out")


def test_a_changed_byte_is_found(backup: Path, tmp_path: Path):
    content = backup.read_bytes()
    backup.write_bytes(content.replace(b"PGDMPPGDMP", b"PGDMPpGDMP", 1))
    (tmp_path / "out").mkdir()
    with pytest.raises(UnusableBackupError, match=r"damaged: database\.dump differs"):
        unpack_backup(backup, tmp_path / "out")


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside-evalapp"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str):
    evil = tmp_path / "evil.tar"
    with tarfile.open(evil, "w") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = 1
        tar.addfile(entry, io.BytesIO(b"x"))
    (tmp_path / "out").mkdir()
    with pytest.raises(UnusableBackupError):
        unpack_backup(evil, tmp_path / "out")
    assert not (tmp_path / "outside").exists()
    assert not Path("/tmp/outside-evalapp").exists()


def test_what_is_not_there_or_no_backup_is_named(tmp_path: Path):
    with pytest.raises(UnusableBackupError, match="does not exist"):
        unpack_backup(tmp_path / "absent", tmp_path)
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UnusableBackupError, match="is no backup of evalapp"):
        unpack_backup(tmp_path / "text", tmp_path)
