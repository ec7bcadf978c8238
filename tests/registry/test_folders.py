import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError, NotHereError
from evalapp.registry import folders
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter_folder, register_base
from tests.form_addresses import model_form
from tests.registry.handmade import make_adapter_folder, make_base_folder

ClientFor = Callable[[User | None], Client]


@pytest.fixture
def register(project: Project, engineer: User) -> Callable[[Path], ModelVersion]:
    return lambda folder: register_base(project=project, name="Brought", folder=folder, by=engineer)


def refusal(register: Callable[[Path], ModelVersion], folder: Path) -> str:
    with pytest.raises(InvalidError) as caught:
        register(folder)
    assert list(caught.value.fields) == ["folder"]
    caught.value.message.encode()
    return caught.value.message


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "generation_config.json"])
def test_a_link_out_of_the_allowed_folders_is_refused(
    model_folders: Path, tmp_path: Path, register: Callable[[Path], ModelVersion], name: str
) -> None:
    folder = make_base_folder(model_folders / "brought")
    outside = make_base_folder(tmp_path / "elsewhere")
    (outside / "generation_config.json").write_text("{}")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(outside / name)

    message = refusal(register, folder)
    assert f"'{folder / name}' is a link to '{outside / name}'" in message
    assert "EVALAPP_MODEL_FOLDERS" in message


def test_an_adapter_with_a_link_out_of_the_allowed_folders_is_refused(
    base: ModelVersion, project: Project, engineer: User, model_folders: Path, tmp_path: Path
) -> None:
    folder = make_adapter_folder(model_folders / "adapter")
    outside = (folder / "adapter_config.json").rename(tmp_path / "secret.json")
    (folder / "adapter_config.json").symlink_to(outside)
    with pytest.raises(InvalidError, match="is a link to"):
        register_adapter_folder(project=project, base=base, label="v1", folder=folder, by=engineer)


def test_a_hub_cache_whose_files_are_links_to_blobs_is_taken(
    model_folders: Path, register: Callable[[Path], ModelVersion]
) -> None:
    cache = model_folders / "models--maker--small"
    snapshot = make_base_folder(cache / "snapshots" / "0123abcd")
    (cache / "blobs").mkdir()
    for file in list(snapshot.iterdir()):
        file.rename(cache / "blobs" / f"blob-{file.name}")
        file.symlink_to(Path("..") / ".." / "blobs" / f"blob-{file.name}")

    assert [each.path for each in folders.bases_on_disk()] == [snapshot]
    assert register(snapshot).path == str(snapshot)


def test_a_snapshot_whose_blobs_are_outside_says_which_folder_to_name(
    model_folders: Path, settings, register: Callable[[Path], ModelVersion]
) -> None:
    cache = model_folders / "models--maker--small"
    snapshot = make_base_folder(cache / "snapshots" / "0123abcd")
    (cache / "blobs").mkdir()
    (snapshot / "config.json").rename(cache / "blobs" / "config")
    (snapshot / "config.json").symlink_to(Path("..") / ".." / "blobs" / "config")
    settings.MODEL_FOLDERS = (snapshot,)
    assert "add the folder of both" in refusal(register, snapshot)


def test_links_in_a_circle_are_refused_and_listed_nowhere(
    model_folders: Path, register: Callable[[Path], ModelVersion]
) -> None:
    (model_folders / "circle").symlink_to(model_folders / "circle")
    (model_folders / "up").symlink_to(model_folders)
    make_base_folder(model_folders / "small")
    assert [each.label for each in folders.bases_on_disk()] == ["small"]
    assert "does not exist" in refusal(register, model_folders / "circle")


def test_a_folder_outside_is_not_offered_by_way_of_a_link(model_folders: Path, tmp_path: Path) -> None:
    (model_folders / "link").symlink_to(make_base_folder(tmp_path / "elsewhere"))
    assert folders.bases_on_disk() == []


@pytest.mark.parametrize("name", ["config.json", "pipe"])
def test_a_pipe_in_a_folder_is_not_waited_for(
    model_folders: Path, register: Callable[[Path], ModelVersion], name: str
) -> None:
    folder = make_base_folder(model_folders / "brought")
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    assert "is neither a file nor a folder" in refusal(register, folder)


def test_a_folder_of_many_models_is_not_walked_to_its_end(
    model_folders: Path, register: Callable[[Path], ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_MOST_ENTRIES", 3)
    folder = make_base_folder(model_folders / "brought")
    assert "Choose the folder of one model" in refusal(register, folder)


def test_a_name_that_is_no_utf_8_is_left_out_of_every_list(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor
) -> None:
    odd = Path(os.fsdecode(os.fsencode(model_folders) + b"/caf\xe9"))
    make_base_folder(odd)
    make_base_folder(odd / "below")
    make_base_folder(model_folders / "small")
    client = client_for(engineer)

    for source in ("base", "adapter"):
        assert client.get(model_form(project, source)).status_code == 200
    assert [each.label for each in folders.bases_on_disk()] == ["small"]


def test_a_link_to_a_name_that_is_no_utf_8_is_told_so(
    model_folders: Path, register: Callable[[Path], ModelVersion]
) -> None:
    odd = Path(os.fsdecode(os.fsencode(model_folders) + b"/caf\xe9"))
    make_base_folder(odd)
    (model_folders / "coffee").symlink_to(odd)
    assert "is not UTF-8" in refusal(register, model_folders / "coffee")


def test_a_file_whose_name_is_no_utf_8_can_be_named_in_a_refusal(
    model_folders: Path, register: Callable[[Path], ModelVersion]
) -> None:
    folder = make_base_folder(model_folders / "brought")
    (folder / "model.safetensors").rename(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.bin"))
    assert "a pickle ('caf\\udce9.bin')" in refusal(register, folder)


def test_a_path_longer_than_is_kept_is_told_so(
    model_folders: Path, register: Callable[[Path], ModelVersion]
) -> None:
    folder = make_base_folder(model_folders / "/".join(["x" * 200] * 3))
    assert "more than 500 characters" in refusal(register, folder)
    assert folders.bases_on_disk() == []


def test_a_folder_that_may_not_be_looked_into_hides_no_other(
    model_folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_base_folder(model_folders / "shut")
    make_base_folder(model_folders / "small")
    is_file = Path.is_file

    def guarded(path: Path) -> bool:
        if path.parent.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", guarded)
    assert [each.label for each in folders.bases_on_disk()] == ["small"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat_template.jinja", b"caf\xe9"),
        ("config.json", json.dumps({"model_type": "\ud800", "n_positions": 8}).encode()),
        ("config.json", json.dumps({"model_type": "a\0", "n_positions": 8}).encode()),
        ("config.json", b'{"model_type": "llama", "n_positions": 1e999}'),
        ("config.json", b'{"model_type": "llama", "n_positions": -1}'),
        (
            "model.safetensors",
            b"\x3c\0\0\0\0\0\0\0" + b'{"\\ud800":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}',
        ),
    ],
)
def test_what_no_column_can_hold_is_refused_beside_the_folder(
    project: Project,
    engineer: User,
    model_folders: Path,
    client_for: ClientFor,
    name: str,
    content: bytes,
) -> None:
    folder = make_base_folder(model_folders / "brought")
    (folder / name).write_bytes(content)
    answer = client_for(engineer).post(
        model_form(project, "base"), {"folder": str(folder), "name": "Brought"}
    )
    assert answer.status_code == 400
    assert name in answer.content.decode()
    assert not ModelVersion.objects.exists()


def test_only_a_folder_of_the_same_model_stands_in_for_one_that_is_not_here(
    model_folders: Path, register: Callable[[Path], ModelVersion], tmp_path: Path, settings: Any
) -> None:
    """The weights alone are not the model: with another template it would have learned, silently, something
    else.
    """
    settings.ARTIFACT_STORE = f"file://{tmp_path}/store"
    version = register(make_base_folder(model_folders / "brought"))
    (model_folders / "brought").rename(tmp_path / "away")
    other = make_base_folder(model_folders / "other")
    (other / "chat_template.jinja").write_text("{{ messages }}!")
    (other / "config.json").write_text(json.dumps({"model_type": "mistral", "max_position_embeddings": 512}))
    with pytest.raises(NotHereError) as caught:
        folders.folder_of(version)
    assert f"{other} has the same weights, but another config.json and another chat template." in str(
        caught.value
    )

    # Of a base that was registered before these were kept, there is nothing else to compare.
    version.config = {"model_type": "llama"}
    assert folders.folder_of(version) == other
    version.config = {}
    same = make_base_folder(model_folders / "same under another name")
    version.refresh_from_db()
    assert folders.folder_of(version) == same
