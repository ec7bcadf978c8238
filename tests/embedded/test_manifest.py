import json
from datetime import UTC, datetime

import pytest

from evalapp.embedded.manifest import Manifest, UnusableBackupError, read_manifest

RIGHT = Manifest(datetime(2026, 11, 25, tzinfo=UTC), "0002_x", {"database.dump": (3, "0" * 64)})


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(RIGHT.to_json()), **fields}).encode()


def test_what_was_written_is_read():
    assert read_manifest(RIGHT.to_json()) == RIGHT


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff", b"not json", b"[" * 200_000, b'{"format": ' + b"9" * 5000 + b"}"],
    ids=["empty", "no UTF-8", "words", "deep", "long number"],
)
def test_what_is_no_json_is_told(content: bytes):
    with pytest.raises(UnusableBackupError, match="its manifest is not readable JSON"):
        read_manifest(content)


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b"{}", "format"),
        (b"[]", "format"),
        (b"null", "format"),
        (changed(format="1"), "format"),
        (changed(format=True), "format"),
        (changed(format=0), "format"),
        (changed(format=float("nan")), "format"),
        (changed(made_at=None), "made_at"),
        (changed(made_at="yesterday"), "made_at"),
        (changed(migration="../../etc/passwd"), "migration"),
        (changed(migration="0001_\0"), "migration"),
        (changed(members=[]), "members"),
        (changed(members={"a": []}), "members"),
        (changed(members={"a": {}}), "members"),
        (changed(members={"a": 5}), "members"),
        (changed(members={"a": [float("inf"), "0" * 64]}), "members"),
        (changed(members={"a": [1.5, "0" * 64]}), "members"),
        (changed(members={"a": [-1, "0" * 64]}), "members"),
        (changed(members={"a": [True, "0" * 64]}), "members"),
        (changed(members={"a": [1, "zz"]}), "members"),
        (changed(members={"a": [1, None]}), "members"),
    ],
)
def test_a_field_of_the_wrong_kind_is_named(content: bytes, field: str):
    with pytest.raises(UnusableBackupError, match=f"its manifest is damaged: “{field}”"):
        read_manifest(content)


def test_a_later_format_is_told_whatever_else_it_holds():
    with pytest.raises(
        UnusableBackupError, match=r"a newer release wrote it\. Restore it with that release\."
    ):
        read_manifest(b'{"format": 2}')
