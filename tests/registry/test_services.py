import io
import json
import pickle
import stat
import zipfile
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction

from evalapp.accounts.models import Project, User
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.registry.folders import folder_of
from evalapp.registry.models import Model, ModelKind, ModelVersion
from evalapp.registry.services import (
    register_adapter,
    register_adapter_folder,
    register_adapter_upload,
    register_base,
    register_imported,
    register_prompt,
    set_alias,
)
from tests.registry.handmade import make_adapter_folder, make_base_folder


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    packed.seek(0)
    return packed


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


class Canary:
    """Unpickling this writes a file: proof that a pickle was opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def test_a_base_is_named_by_its_content(base: ModelVersion, project: Project) -> None:
    assert (base.number, base.kind, base.label) == (1, ModelKind.BASE, "Base")
    assert len(base.content_hash) == 64
    assert base.config["context"] == 512
    assert folder_of(base) == Path(base.path)
    event = AuditEvent.objects.get(action="model.registered")
    assert event.data == {"kind": "base", "content_hash": base.content_hash}


def test_a_base_outside_the_allowed_folders_is_refused(
    project: Project, engineer: User, model_folders: Path, tmp_path: Path
) -> None:
    outside = make_base_folder(tmp_path / "elsewhere")
    (model_folders / "link").symlink_to(outside)

    for folder in (outside, model_folders / ".." / "elsewhere", model_folders / "link"):
        with pytest.raises(InvalidError, match="EVALAPP_MODEL_FOLDERS"):
            register_base(project=project, name="Foreign", folder=folder, by=engineer)
    assert not Model.objects.exists()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("config.json", "has no config.json"),
        ("model.safetensors", "has no model.safetensors"),
        ("tokenizer.json", "has no tokenizer"),
        ("chat_template.jinja", "has no chat template"),
    ],
)
def test_an_incomplete_base_says_what_it_lacks(
    project: Project, engineer: User, model_folders: Path, missing: str, said: str
) -> None:
    folder = make_base_folder(model_folders / "broken")
    (folder / missing).unlink()

    with pytest.raises(InvalidError, match=said):
        register_base(project=project, name="Broken", folder=folder, by=engineer)


def test_a_pickled_base_is_refused_unopened(
    project: Project, engineer: User, model_folders: Path, tmp_path: Path
) -> None:
    folder = make_base_folder(model_folders / "pickled")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "opened")))

    with pytest.raises(InvalidError, match="pickle"):
        register_base(project=project, name="Pickled", folder=folder, by=engineer)
    assert not (tmp_path / "opened").exists()


def test_two_models_of_one_name_are_refused(base: ModelVersion, project: Project, engineer: User) -> None:
    with pytest.raises(ConflictError, match="Choose another name"):
        register_base(project=project, name="Small", folder=base.path, by=engineer)


def test_prompts_are_numbered_within_their_model(
    base: ModelVersion, project: Project, engineer: User
) -> None:
    prompt = register_prompt(
        project=project, base=base, label="Plain", system_prompt="Be brief.", prompt_template="", by=engineer
    )
    assert (prompt.model_id, prompt.number, prompt.base_id) == (base.model_id, 2, base.pk)


@pytest.mark.parametrize(
    ("system_prompt", "template", "said"),
    [
        ("", "", "needs a system prompt, a template or examples"),
        ("Be brief.", "No place", "exactly once"),
        ("", "{prompt} and {prompt}", "exactly once"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(
    base: ModelVersion, project: Project, engineer: User, system_prompt: str, template: str, said: str
) -> None:
    with pytest.raises(InvalidError, match=said):
        register_prompt(
            project=project,
            base=base,
            label="Bad",
            system_prompt=system_prompt,
            prompt_template=template,
            by=engineer,
        )


def test_an_adapter_is_copied_whole_and_survives_its_source(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    source = make_adapter_folder(tmp_path / "adapter")
    weights = (source / "adapter_model.safetensors").read_bytes()

    adapter = register_adapter(project=project, base=base, label="v1", folder=source, by=engineer)
    for path in source.iterdir():
        path.unlink()

    assert (folder_of(adapter) / "adapter_model.safetensors").read_bytes() == weights
    assert (adapter.config["rank"], adapter.config["alpha"]) == (2, 4)
    assert not Path(adapter.path).is_absolute()


def test_the_same_weights_with_other_settings_are_another_copy(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    first = register_adapter(
        project=project, base=base, label="a", folder=make_adapter_folder(tmp_path / "a"), by=engineer
    )
    second = register_adapter(
        project=project,
        base=base,
        label="b",
        folder=make_adapter_folder(tmp_path / "b", lora_alpha=64),
        by=engineer,
    )
    assert first.content_hash == second.content_hash
    assert json.loads((folder_of(first) / "adapter_config.json").read_text())["lora_alpha"] == 4
    assert json.loads((folder_of(second) / "adapter_config.json").read_text())["lora_alpha"] == 64


def test_an_adapter_of_another_base_is_refused_without_naming_our_folders(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    upload = zipped(files_of(make_adapter_folder(tmp_path / "wide", width=16)))

    with pytest.raises(InvalidError, match="trained on another base") as caught:
        register_adapter_upload(project=project, base=base, label="wide", upload=upload, by=engineer)
    assert "adapter-" not in caught.value.message.partition("adapter_model")[0]


def test_a_dora_adapter_is_refused(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    folder = make_adapter_folder(tmp_path / "dora", use_dora=True)
    with pytest.raises(InvalidError, match="DoRA"):
        register_adapter(project=project, base=base, label="dora", folder=folder, by=engineer)


def test_a_folder_on_the_server_must_be_an_allowed_one(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    folder = make_adapter_folder(tmp_path / "elsewhere")
    with pytest.raises(InvalidError, match="EVALAPP_MODEL_FOLDERS"):
        register_adapter_folder(project=project, base=base, label="v1", folder=folder, by=engineer)


def test_a_zip_of_the_folder_or_of_its_files_is_taken(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    files = files_of(make_adapter_folder(tmp_path / "adapter"))
    in_folder = {f"adapter/{name}": content for name, content in files.items()}

    for label, packed in (("flat", zipped(files)), ("folder", zipped(in_folder))):
        adapter = register_adapter_upload(project=project, base=base, label=label, upload=packed, by=engineer)
        assert files_of(folder_of(adapter)) == files


def bad_archives(tmp_path: Path) -> dict[str, tuple[io.BytesIO, str]]:
    good = files_of(make_adapter_folder(tmp_path / "good"))
    link = zipfile.ZipInfo("adapter_config.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    linked = io.BytesIO()
    with zipfile.ZipFile(linked, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    plain, odd = zipped(good).getvalue(), zipped({**good, "é.txt": b"x"}).getvalue()
    start = zipfile.ZipFile(io.BytesIO(plain)).infolist()[0].filename.encode()
    first = plain.index(start) + len(start)
    doubled = zipped(good)
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(doubled, "a") as archive:
        archive.writestr("adapter_config.json", good["adapter_config.json"])
    return {
        "damaged": (io.BytesIO(plain[:first] + b"\xff" * 20 + plain[first + 20 :]), "not a whole zip"),
        "misnamed": (io.BytesIO(odd.replace("é".encode(), b"\xff\xfe")), "not a whole zip"),
        "doubled": (io.BytesIO(doubled.getvalue()), "file twice"),
        "no zip": (io.BytesIO(b"not a zip"), "not a whole zip"),
        "empty": (io.BytesIO(b""), "not a whole zip"),
        "cut": (io.BytesIO(zipped(good).getvalue()[:-40]), "not a whole zip"),
        "climbing": (zipped({**good, "../evil": b"x"}), "outside its own folder"),
        "absolute": (zipped({**good, "/etc/evil": b"x"}), "outside its own folder"),
        "drive": (zipped({**good, "C:evil": b"x"}), "outside its own folder"),
        "link": (io.BytesIO(linked.getvalue()), "a link"),
        "pickle": (
            zipped({**good, "adapter_model.bin": pickle.dumps(Canary(tmp_path / "opened"))}),
            "pickle",
        ),
        "two": (zipped({f"{part}/{name}": text for part in "ab" for name, text in good.items()}), "several"),
        "none": (zipped({"readme.txt": b"x"}), "no adapter_config.json"),
        "many": (zipped({f"{number}.txt": b"x" for number in range(300)}), "300 files"),
    }


@pytest.mark.parametrize(
    "kind",
    [
        *("no zip", "empty", "cut", "damaged", "misnamed", "doubled"),
        *("climbing", "absolute", "drive", "link", "pickle", "two", "none", "many"),
    ],
)
def test_a_bad_archive_is_refused_and_nothing_stays(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path, kind: str
) -> None:
    upload, said = bad_archives(tmp_path)[kind]
    before = files_below(tmp_path)

    with pytest.raises(InvalidError, match=said):
        register_adapter_upload(project=project, base=base, label="bad", upload=upload, by=engineer)

    assert files_below(tmp_path) == before
    assert ModelVersion.objects.count() == 1


def test_simulated_data_marks_every_adapter_above_it(
    base: ModelVersion, project: Project, engineer: User, tmp_path: Path
) -> None:
    first = register_adapter(
        project=project,
        base=base,
        label="v1",
        folder=make_adapter_folder(tmp_path / "a"),
        by=engineer,
        is_simulated=True,
    )
    second = register_adapter(
        project=project,
        base=base,
        label="v2",
        folder=make_adapter_folder(tmp_path / "b", fill=2),
        by=engineer,
        parent=first,
    )
    assert second.is_simulated


def test_a_project_has_one_champion(base: ModelVersion, project: Project, engineer: User) -> None:
    other = register_imported(project=project, label="Elsewhere", by=engineer)
    set_alias(version=base, alias="champion", by=engineer)
    set_alias(version=other, alias="champion", by=engineer)

    aliases = dict(ModelVersion.objects.values_list("label", "alias"))
    assert aliases == {"Base": "", "Elsewhere": "champion"}
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=base.pk).update(alias="champion")


def test_a_foreign_base_is_refused(base: ModelVersion, other_project: Project, stranger: User) -> None:
    with pytest.raises(InvalidError, match="of this project"):
        register_prompt(
            project=other_project,
            base=base,
            label="Stolen",
            system_prompt="Hello",
            prompt_template="",
            by=stranger,
        )
