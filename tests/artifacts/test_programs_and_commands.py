"""The same by API and on the command line."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.artifacts.merging import start_merge
from evalapp.artifacts.models import SetAside
from evalapp.artifacts.tasks import import_from_hub, merge
from evalapp.audit.models import AuditEvent
from evalapp.registry.models import ModelVersion
from tests.api.conftest import Program, problem_in, program_for
from tests.artifacts.kept_training import FIXTURES as TRAINED
from tests.kept_cast import FIXTURES

__all__ = ["program_for"]

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
trained, model_folders, behave, version, base, training, adapter = TRAINED


@pytest.fixture
def program(engineer: User, program_for: Callable[[User], Program]) -> Program:
    return program_for(engineer)


def said_by(name: str, *arguments: str, **options: object) -> str:
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=out, **options)
    return out.getvalue()


def test_a_program_merges_and_downloads(project: Project, adapter: ModelVersion, program: Program) -> None:
    at = f"projects/{project.slug}/models"
    started = program.post(f"{at}/{adapter.pk}/merge/", {"dtype": "bf16"})
    assert (started.status_code, started.json()["is_there"]) == (202, False)
    merged = started.json()["id"]
    assert problem_in(program.get(f"{at}/merged/{merged}/files/"), 409)["code"] == "conflict"
    merge(started.json()["job"]["id"])
    found = program.get(f"{at}/merged/{merged}/").json()
    assert (found["is_there"], found["dtype"], found["result"]["dtype"]) == (True, "bf16", "bf16")
    assert [row["id"] for row in program.get(f"{at}/merged/").json()["results"]] == [merged]
    files = program.get(f"{at}/merged/{merged}/files/").json()["files"]
    weights = next(file for file in files if file["name"] == "model.safetensors")
    assert weights["sha256"] == found["result"]["files"]["model.safetensors"]
    one = program.get(f"{at}/merged/{merged}/files/model.safetensors")
    assert len(b"".join(one.streaming_content)) == weights["size_bytes"]
    archive = program.get(f"{at}/merged/{merged}/archive/")
    assert (
        "v1-merged/model.safetensors"
        in zipfile.ZipFile(io.BytesIO(b"".join(archive.streaming_content))).namelist()
    )
    assert program.get(f"{at}/{adapter.pk}/card/").json()["card"].startswith("---\nlibrary_name: peft\n")
    assert [file["name"] for file in program.get(f"{at}/{adapter.pk}/files/").json()["files"]] == [
        "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip
    archive = program.get(f"{at}/{adapter.pk}/archive/")
    assert (
        "v1/adapter_model.safetensors"
        in zipfile.ZipFile(io.BytesIO(b"".join(archive.streaming_content))).namelist()
    )
    assert AuditEvent.objects.filter(action="model.exported").count() == 3


def test_a_program_brings_a_model_from_a_hub(
    project: Project, adapter: ModelVersion, program: Program, settings
) -> None:
    settings.OUTGOING_ALLOWED, settings.HUB_URL = ("hub.example",), "https://hub.example"
    at = f"projects/{project.slug}/models/hub"
    answer = program.post(f"{at}/", {"repository": "house/tiny"})
    assert (answer.status_code, answer.json()["produced"]) == (202, None)
    import_from_hub(answer.json()["job"]["id"])
    found = program.get(f"{at}/{answer.json()['id']}/").json()
    assert ModelVersion.objects.get(pk=found["produced"]).model.name == "house/tiny"
    assert problem_in(program.post(f"{at}/", {"repository": "a/b", "token": "hf_x"}), 400)["fields"]["token"]


def test_a_program_sees_what_nothing_needs_and_removes_it_in_two_steps(
    project: Project, adapter: ModelVersion, program: Program
) -> None:
    at = f"projects/{project.slug}/artifacts"
    listed = program.get(f"{at}/?kind=adapter").json()["results"]
    assert [(row["model_version"], row["needs"], row["set_aside"]) for row in listed] == [
        (adapter.pk, [], None)
    ]
    body = {"kind": "adapter", "path": listed[0]["path"]}
    assert problem_in(program.post(f"{at}/remove/", body), 409)["message"] == "“v1” is not set aside."
    assert program.post(f"{at}/set-aside/", body).json()["set_aside"] is not None
    assert program.get(f"projects/{project.slug}/models/{adapter.pk}/").json()["set_aside_at"] is not None
    assert "may be removed from" in problem_in(program.post(f"{at}/remove/", body), 409)["message"]
    assert program.post(f"{at}/keep/", body).json()["set_aside"] is None
    program.post(f"{at}/set-aside/", body)
    SetAside.objects.update(removable_at=timezone.now())
    assert program.post(f"{at}/remove/", body).status_code == 200
    assert program.get(f"{at}/?kind=adapter").json()["results"] == []
    assert problem_in(program.post(f"{at}/set-aside/", {"kind": "adapter", "path": "../x"}), 400)["fields"][
        "path"
    ]


def test_the_command_lists_sets_aside_and_removes_what_nothing_needs(
    engineer: User, adapter: ModelVersion, settings, django_capture_on_commit_callbacks
) -> None:
    left = Path(settings.RUNS_FOLDER) / "999999"
    left.mkdir()
    old = (timezone.now() - timedelta(days=2)).timestamp()
    os.utime(left, (old, old))
    listed = {row["artifact"]: row for row in json.loads(said_by("artifacts", "--json"))}
    key = f"adapter:{adapter.path.removeprefix('adapters/')}"
    assert (listed[key]["needs"], listed["run:999999"]["is_orphan"]) == ([], True)
    assert "the database has no record of it" in said_by("artifacts", "--unneeded")

    said = said_by("artifacts", act="set_aside")
    assert f"set aside: {key}" in said and "set aside: run:999999" in said
    assert "0 removed." in said_by("artifacts", act="remove")
    SetAside.objects.update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        said_by("artifacts", act="remove")
    assert not left.exists()
    adapter.refresh_from_db()
    assert adapter.weights_removed_at is not None
    with pytest.raises(CommandError, match="There is no artifact run:1"):
        said_by("artifacts", "run:1", act="set_aside")


def test_the_command_writes_an_archive_whole_or_not_at_all(
    engineer: User, adapter: ModelVersion, base: ModelVersion, tmp_path: Path
) -> None:
    target = tmp_path / "v1.zip"
    assert "2 files" not in said_by("export_model", str(adapter.pk), str(target))
    assert zipfile.ZipFile(target).testzip() is None
    with pytest.raises(CommandError, match="exists already"):
        said_by("export_model", str(adapter.pk), str(target))
    with pytest.raises(CommandError, match="has no trained weights"):
        said_by("export_model", str(base.pk), str(tmp_path / "base.zip"))
    with pytest.raises(CommandError, match="There is no model version with the id 0"):
        said_by("export_model", "0", str(tmp_path / "none.zip"))
    assert [path.name for path in tmp_path.iterdir() if "zip" in path.name] == ["v1.zip"]

    merge(start_merge(version=adapter, by=engineer).job_id)
    said_by("export_model", str(adapter.pk), str(tmp_path / "merged.zip"), merged=True)
    assert "v1-merged/model.safetensors" in zipfile.ZipFile(tmp_path / "merged.zip").namelist()
