import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from evalapp.accounts.models import Project, User
from evalapp.core.errors import InvalidError
from evalapp.registry import adapters
from evalapp.registry.adapters import AdapterFolder
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter, register_adapter_folder
from run_directory.adapters import check_adapter
from run_directory.bases import check_base
from tests.form_addresses import model_form
from tests.registry.handmade import make_adapter_folder, write_safetensors


def test_a_file_that_is_replaced_after_its_check_is_not_kept(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_adapter_folder(tmp_path / "adapter")
    tensors = AdapterFolder.tensors

    def replaced(self: AdapterFolder) -> object:
        found = tensors(self)
        write_safetensors(source / "adapter_model.safetensors", {"other": (3, 3)})
        return found

    monkeypatch.setattr(AdapterFolder, "tensors", replaced)
    with pytest.raises(InvalidError, match="not part of a plain LoRA"):
        register_adapter(project=project, base=base, label="v1", folder=source, by=engineer)
    assert not list((tmp_path / "artifacts" / "adapters").iterdir())


def test_a_file_that_grows_while_it_is_copied_is_refused(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_adapter_folder(tmp_path / "adapter")
    tensors = AdapterFolder.tensors

    def grown(self: AdapterFolder) -> object:
        found = tensors(self)
        os.truncate(source / "adapter_model.safetensors", 2**40)
        return found

    monkeypatch.setattr(AdapterFolder, "tensors", grown)
    with pytest.raises(InvalidError, match="too many for an adapter"):
        register_adapter(project=project, base=base, label="v1", folder=source, by=engineer)
    assert not list((tmp_path / "artifacts" / "adapters").iterdir())


def test_what_is_kept_is_what_was_checked(
    base: ModelVersion, project: Project, engineer: User, model_folders: Path
) -> None:
    source = make_adapter_folder(model_folders / "adapter")
    (source / "optimizer.pt").write_bytes(b"never opened")
    version = register_adapter_folder(project=project, base=base, label="v1", folder=source, by=engineer)
    kept = folder_of(version)
    assert sorted(path.name for path in kept.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert check_adapter(kept, check_base(base.path)).sha256 == version.content_hash


def test_a_pickle_in_a_folder_is_refused_by_its_name(
    base: ModelVersion, project: Project, engineer: User, model_folders: Path
) -> None:
    source = make_adapter_folder(model_folders / "adapter")
    (source / "adapter_model.safetensors").rename(source / "ADAPTER_MODEL.PT")
    with pytest.raises(InvalidError, match=r"a pickle \('ADAPTER_MODEL.PT'\)"):
        register_adapter_folder(project=project, base=base, label="v1", folder=source, by=engineer)


def test_weights_that_are_no_numbers_are_refused_and_nothing_is_kept(
    base: ModelVersion, project: Project, engineer: User, model_folders: Path, tmp_path: Path
) -> None:
    source = make_adapter_folder(model_folders / "adapter", fill=0xFF)
    with pytest.raises(InvalidError, match=r"lora_A\.weight' has infinite or NaN values"):
        register_adapter_folder(project=project, base=base, label="v1", folder=source, by=engineer)
    assert not list((tmp_path / "artifacts" / "adapters").iterdir())


def test_a_full_disk_is_told_to_the_person_and_keeps_nothing(
    base: ModelVersion,
    project: Project,
    engineer: User,
    client_for: Callable[[User | None], Client],
    model_folders: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = make_adapter_folder(model_folders / "adapter")

    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(adapters, "sync_tree", full)
    form = {"base": base.pk, "label": "v1", "folder": str(source)}
    answer = client_for(engineer).post(model_form(project, "adapter"), form)
    assert answer.status_code == 507
    assert "free space in EVALAPP_HOME" in answer.text
    assert not list((tmp_path / "artifacts" / "adapters").iterdir())
    assert not ModelVersion.objects.filter(label="v1").exists()


def test_two_who_register_one_adapter_at_once_share_one_copy(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_adapter_folder(tmp_path / "adapter")
    rename = Path.rename

    def overtaken(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", rename)
        register_adapter(project=project, base=base, label="first", folder=source, by=engineer)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", overtaken)
    second = register_adapter(project=project, base=base, label="second", folder=source, by=engineer)
    assert second.path == ModelVersion.objects.get(label="first").path
    assert [path.name for path in (tmp_path / "artifacts" / "adapters").iterdir()] == [Path(second.path).name]
