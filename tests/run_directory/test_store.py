"""The store between machines, in a folder and on a real S3-compatible server: the same promises."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from run_directory.store import Store, StoreError, check_url
from run_directory.trees import fetch_tree, remove_tree, store_tree
from tests.store_server import StoreServer, running_store


@pytest.fixture(scope="session")
def server() -> Iterator[StoreServer]:
    with running_store() as server:
        yield server


@pytest.fixture(params=["file", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "file":
        return Store(f"file://{tmp_path / 'store'}")
    server: StoreServer = request.getfixturevalue("server")
    for name, value in server.variables.items():
        monkeypatch.setenv(name, value)
    bucket = f"evalapp-{uuid.uuid4().hex}"
    server.make_bucket(bucket)
    return Store(f"s3://{bucket}/some/prefix")


def adapter(folder: Path, weights: bytes = b"weights") -> Path:
    (folder / "nested").mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    (folder / "nested" / "weights").write_bytes(weights)
    return folder


def test_what_is_written_is_read_listed_and_removed(store: Store) -> None:
    assert store.read("runs/7/saves/1") is None
    store.write("runs/7/saves/1", b"one")
    store.write("runs/7/saves/1", b"uno")
    store.write("runs/7/saves/12", b"twelve")

    assert store.read("runs/7/saves/1") == b"uno"
    assert store.names("runs/7/saves") == ["1", "12"]
    store.remove("runs/7")
    assert store.names("runs/7/saves") == []
    store.remove("runs/7")
    store.check()


def test_a_folder_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    store_tree(store, adapter(tmp_path / "here"), "artifacts/adapters/a")
    store_tree(store, tmp_path / "here", "artifacts/adapters/a")

    target = tmp_path / "there" / "adapters" / "a"
    assert fetch_tree(store, "artifacts/adapters/a", target)

    assert (target / "nested" / "weights").read_bytes() == b"weights"
    assert sorted(path.name for path in target.parent.iterdir()) == ["a"]
    remove_tree(store, "artifacts/adapters/a")
    assert not fetch_tree(store, "artifacts/adapters/a", tmp_path / "again")


def test_a_folder_whose_storing_was_cut_off_is_not_there(store: Store, tmp_path: Path) -> None:
    store.write("artifacts/adapters/a/adapter_config.json", b"{}")
    assert not fetch_tree(store, "artifacts/adapters/a", tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_damaged_file_is_not_used_and_leaves_nothing(store: Store, tmp_path: Path) -> None:
    store_tree(store, adapter(tmp_path / "here"), "artifacts/adapters/a")
    store.write("artifacts/adapters/a/nested/weights", b"Weights")

    with pytest.raises(StoreError, match=r"nested/weights is not the file that was stored"):
        fetch_tree(store, "artifacts/adapters/a", tmp_path / "there" / "a")
    assert list((tmp_path / "there").iterdir()) == []


def test_a_name_never_leaves_the_store(store: Store) -> None:
    for name in ("../outside", "/etc/passwd", "runs/../../outside", ""):
        with pytest.raises(ValueError, match="names no object"):
            store.read(name)


def test_a_server_that_is_away_is_told_with_its_address_and_without_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
    with pytest.raises(StoreError, match=r"The store s3://bucket/prefix cannot be") as told:
        Store("s3://bucket/prefix").check()
    assert "the-key" not in str(told.value)
    assert "the-secret" not in str(told.value)


@pytest.mark.parametrize(
    "address",
    ["bucket", "https://s3.example.org/b", "s3://", "s3://key:secret@bucket/x", "file://host/x", "file:///"],
)
def test_addresses_that_name_no_store_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match=r"write (s3|file)://"):
        check_url(address)
