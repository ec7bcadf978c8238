import hashlib
import io
import json
import os
import shutil
import tarfile
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalapp.embedded.archive import unpack_backup, write_backup
from evalapp.embedded.manifest import UnusableBackupError
from evalapp.embedded.problems import ServiceProblem

KEY = "k" * 86
# A name that is no text in UTF-8; people's file systems hold such.
ODD_NAME = os.fsdecode(b"files/odd\xff name\n.bin")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    (folder / "files" / "deep").mkdir(parents=True)
    (folder / "files" / "deep" / "données.txt").write_text("content")
    (folder / ODD_NAME).write_bytes(b"odd")
    (folder / "secret-key").write_text(KEY)
    (folder / "logs").mkdir()
    (folder / "logs" / "web.log").write_text("not kept")
    return folder


@pytest.fixture
def backup(tmp_path: Path, home: Path) -> Path:
    target = tmp_path / "backup.tar"
    write(target, home)
    return target


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def write(target: Path, home: Path) -> None:
    dump = target.parent / "dump"
    dump.write_bytes(b"PGDMP" * 1000)
    write_backup(target, dump=dump, home=home, secret_key=home / "secret-key", migration="0002_x")


class Forged:
    """A backup whose members and manifest a test chooses, right in everything it leaves alone."""

    def __init__(self) -> None:
        self.members = {"database.dump": b"PGDMP", "home/files/a": b"a", "home/secret-key": KEY.encode()}
        self.unlisted: list[tarfile.TarInfo] = []
        self.manifest: object = {
            "format": 1,
            "made_at": "2026-11-25T10:00:00+00:00",
            "migration": "0001_initial",
            "members": {},
        }
        self.manifest_text: bytes | None = None

    def write(self, target: Path) -> Path:
        for name, content in self.members.items():
            if isinstance(self.manifest, dict) and isinstance(self.manifest.get("members"), dict):
                listed = [len(content), hashlib.sha256(content).hexdigest()]
                self.manifest["members"].setdefault(name, listed)
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in self.members.items():
                add(tar, tarfile.TarInfo(name), content)
            for entry in self.unlisted:
                tar.addfile(entry, io.BytesIO(b"x" * entry.size))
            text = json.dumps(self.manifest).encode() if self.manifest_text is None else self.manifest_text
            add(tar, tarfile.TarInfo("manifest.json"), text)
        return target


def add(tar: tarfile.TarFile, entry: tarfile.TarInfo, content: bytes) -> None:
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def other(name: str, kind: bytes, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, link
    return entry


def assert_refused(source: Path, out: Path, message: str) -> None:
    before = sorted(out.parent.rglob("*"))
    with pytest.raises(UnusableBackupError, match=message):
        unpack_backup(source, out)
    assert sorted(out.parent.rglob("*")) == before, "nothing is written"


def test_what_went_in_comes_out(backup: Path, out: Path):
    manifest = unpack_backup(backup, out)
    assert sorted(manifest.members) == sorted(
        ["database.dump", "home/files/deep/données.txt", f"home/{ODD_NAME}", "home/secret-key"]
    )
    assert manifest.migration == "0002_x"
    assert (out / "home/files/deep/données.txt").read_text() == "content"
    assert (out / "home" / ODD_NAME).read_bytes() == b"odd"
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o600}


def test_files_that_share_their_bytes_come_out_whole(home: Path, tmp_path: Path, out: Path):
    (home / "files" / "same.txt").hardlink_to(home / "files" / "deep" / "données.txt")
    write(tmp_path / "backup.tar", home)
    unpack_backup(tmp_path / "backup.tar", out)
    assert (out / "home/files/same.txt").read_text() == "content"
    assert (out / "home/files/deep/données.txt").read_text() == "content"


def test_a_failure_while_writing_leaves_no_file(tmp_path: Path, home: Path):
    with pytest.raises(FileNotFoundError):
        write_backup(
            tmp_path / "backup.tar",
            dump=tmp_path / "missing",
            home=home,
            secret_key=home / "secret-key",
            migration="",
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


@pytest.mark.parametrize("keep", [0, 100, 512, 700, 5000, 8000])
def test_a_file_that_was_cut_off_is_refused(backup: Path, out: Path, keep: int):
    backup.write_bytes(backup.read_bytes()[:keep])
    assert_refused(backup, out, r"cut off|is not a backup that `manage\.py backup` wrote")


def test_a_changed_byte_is_found(backup: Path, out: Path):
    content = backup.read_bytes()
    backup.write_bytes(content.replace(b"PGDMPPGDMP", b"PGDMPpGDMP", 1))
    with pytest.raises(UnusableBackupError, match=r"damaged: 'database\.dump' differs"):
        unpack_backup(backup, out)


@settings(max_examples=100)
@given(data=st.data())
def test_whatever_is_damaged_is_told_or_harmless(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(Forged().write(folder / "backup.tar").read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        # Its headers and contents; the rest is padding.
        content[data.draw(st.integers(0, 4500))] = data.draw(st.integers(0, 255))
    (folder / "backup.tar").write_bytes(content)
    (folder / "out").mkdir()
    try:
        unpack_backup(folder / "backup.tar", folder / "out")
    except UnusableBackupError:
        return
    assert (folder / "out/home/files/a").read_bytes() == b"a"
    assert (folder / "out/home/secret-key").read_text() == KEY


@pytest.mark.parametrize(
    "name",
    [
        "../outside",
        "/tmp/outside-evalapp",
        "home/files/../../../outside",
        "home/files/./x",
        "home/files//x",
        "home/postgres/pgpass",
        "home/files",
        "home/secret-key/inside",
        "elsewhere",
    ],
)
def test_a_name_without_a_place_is_refused(tmp_path: Path, out: Path, name: str):
    forged = Forged()
    forged.members[name] = b"x"
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "is not part of an installation")
    assert not (tmp_path / "outside").exists()
    assert not Path("/tmp/outside-evalapp").exists()


@pytest.mark.parametrize(
    "entry",
    [
        other("home/files/link", tarfile.SYMTYPE, "/etc/passwd"),
        other("home/files/link", tarfile.LNKTYPE, "home/secret-key"),
        other("home/files/device", tarfile.CHRTYPE),
        other("home/files/device", tarfile.BLKTYPE),
        other("home/files/pipe", tarfile.FIFOTYPE),
        other("home/files", tarfile.DIRTYPE),
        other("home/secret-key", tarfile.DIRTYPE),
    ],
    ids=lambda entry: f"{entry.name}-{entry.type.decode()}",
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, out: Path, entry: tarfile.TarInfo):
    forged = Forged()
    forged.members.pop(entry.name, None)
    forged.unlisted.append(entry)
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "which is not a regular file")


def test_a_member_that_the_manifest_does_not_name_is_refused(tmp_path: Path, out: Path):
    forged = Forged()
    forged.unlisted.append(tarfile.TarInfo("home/files/extra"))
    assert_refused(
        forged.write(tmp_path / "forged.tar"), out, "'home/files/extra', which is not in its manifest"
    )


def test_a_member_that_is_there_twice_is_refused(tmp_path: Path, out: Path):
    forged = Forged()
    forged.unlisted.append(tarfile.TarInfo("home/files/a"))
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "has 'home/files/a' twice")


def test_a_file_that_is_also_a_folder_is_refused(tmp_path: Path, out: Path):
    forged = Forged()
    forged.members["home/files/a/b"] = b"b"
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "'home/files/a' as a file and as a folder")


@pytest.mark.parametrize("name", ["database.dump", "home/secret-key"])
def test_without_database_or_key_it_is_refused(tmp_path: Path, out: Path, name: str):
    forged = Forged()
    del forged.members[name]
    assert_refused(forged.write(tmp_path / "forged.tar"), out, f"it lacks '{name}'")


@pytest.mark.parametrize("key", [b"", b"\n" * 100, b"short", b"\xff" * 86])
def test_a_key_that_could_not_be_used_is_refused(tmp_path: Path, out: Path, key: bytes):
    forged = Forged()
    forged.members["home/secret-key"] = key
    with pytest.raises(UnusableBackupError, match="the secret key in it is shorter than 32 characters"):
        unpack_backup(forged.write(tmp_path / "forged.tar"), out)


def test_a_member_of_another_size_is_refused_before_anything_is_written(tmp_path: Path, out: Path):
    forged = Forged()
    forged.manifest = {**forged.manifest, "members": {"home/files/a": [2, "0" * 64]}}
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "damaged: 'home/files/a' differs")


def test_a_size_below_zero_does_not_lead_in_circles(tmp_path: Path, out: Path):
    forged = Forged()
    entry = tarfile.TarInfo("home/files/b")
    entry.pax_headers = {"size": "-1024"}
    forged.unlisted.append(entry)
    # Before Python 3.13 such a member is read as one of no kind, since then as the end of the file.
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "a regular file|the manifest, .* is missing")


def test_a_broken_manifest_is_told(tmp_path: Path, out: Path):
    forged = Forged()
    forged.manifest_text = b"{}"
    assert_refused(forged.write(tmp_path / "forged.tar"), out, "its manifest is damaged: “format”")


@pytest.mark.parametrize(("mark", "name"), [("gz", "gzip"), ("bz2", "bzip2"), ("xz", "xz")])
def test_a_compressed_file_is_told(tmp_path: Path, out: Path, mark: str, name: str):
    source = tmp_path / f"backup.tar.{mark}"
    with tarfile.open(source, f"w:{mark}") as tar:
        add(tar, tarfile.TarInfo("database.dump"), b"x")
    assert_refused(source, out, rf"it is compressed \({name}\)\. Unpack it first\.")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"it cannot be read \(No such file or directory\)"),
        (Path.mkdir, "it is not a regular file"),
        (os.mkfifo, "it is not a regular file"),
        (lambda path: path.write_text("hello"), r"it is not a backup that `manage\.py backup` wrote"),
        (lambda path: path.write_bytes(bytes(10_240)), "it was cut off: the manifest"),
    ],
    ids=["absent", "folder", "pipe", "text", "zeros"],
)
def test_what_is_not_there_or_no_backup_is_told(
    tmp_path: Path, out: Path, make: Callable[[Path], None], message: str
):
    make(tmp_path / "source")
    assert_refused(tmp_path / "source", out, message)


def test_too_little_room_is_told_before_anything_is_written(
    backup: Path, out: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=1000))
    with pytest.raises(
        ServiceProblem, match=r"needs 0\.0 MB to unpack, and the disk .* has 0\.0 MB: free space"
    ):
        unpack_backup(backup, out)
    assert list(out.iterdir()) == []
