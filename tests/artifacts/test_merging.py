"""Adapters merged into their bases: asked for, carried out, kept and taken along."""

import io
import sys
import zipfile
from pathlib import Path

import pytest
from django.urls import reverse

from evalapp.accounts.models import Project, User
from evalapp.artifacts.merging import DEFAULT_PROMPTS, start_merge
from evalapp.artifacts.models import MergedExport
from evalapp.artifacts.tasks import merge
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.jobs.models import JobState
from evalapp.jobs.services import request_cancel
from evalapp.registry.models import ModelVersion
from evalapp.registry.services import register_adapter, register_base
from run_directory.bases import check_base
from run_directory.files import sha256_of
from tests.artifacts.kept_training import FIXTURES as TRAINED
from tests.kept_cast import FIXTURES
from tests.registry.handmade import make_adapter_folder
from tests.registry.test_views import ClientFor
from tests.run_directory.tiny import make_adapter, make_base
from tests.runs.conftest import Behave
from training.merge_spec import MergeSpec

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
trained, model_folders, behave, version, base, training, adapter = TRAINED


def merged(version: ModelVersion, by: User, **given: str) -> MergedExport:
    found = start_merge(version=version, by=by, **given)
    merge(found.job_id)
    return MergedExport.objects.select_related("job", "model_version").get(pk=found.pk)


def test_a_merged_model_is_kept_with_its_hashes_and_taken_along(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor, settings
) -> None:
    found = merged(adapter, engineer)
    assert (found.job.error, found.job.state, found.job.percent) == ("", JobState.SUCCEEDED, 100)
    folder = Path(settings.ARTIFACTS_FOLDER) / found.folder
    assert {
        path.name: sha256_of(path) for path in folder.iterdir() if path.name != "manifest.json"
    } == found.result["files"]
    assert check_base(folder).fingerprint == found.result["fingerprint"]
    actions = AuditEvent.objects.filter(object_id=adapter.pk, action__startswith="model.merge").order_by("pk")
    assert list(actions.values_list("action", flat=True)) == ["model.merge_started", "model.merged"]

    browser = client_for(engineer)
    page = browser.get(reverse("merged_export", args=[project.slug, found.pk])).text
    assert "The likeliest token is the same at 119 of them" in page
    answer = browser.get(reverse("merged_archive", args=[project.slug, found.pk]))
    packed = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert sorted(packed.namelist()) == [
        "v1-merged/README.md", "v1-merged/SHA256SUMS", "v1-merged/chat_template.jinja",
        "v1-merged/config.json",
        "v1-merged/manifest.json", "v1-merged/model.safetensors", "v1-merged/tokenizer.json",
    ]  # fmt: skip
    card = packed.read("v1-merged/README.md").decode()
    assert "library_name: transformers" in card
    assert "the likeliest next token is the same at 119" in card


def test_the_prompts_are_those_of_the_training_and_the_weights_those_that_were_registered(
    engineer: User, adapter: ModelVersion, base: ModelVersion, settings, tmp_path: Path
) -> None:
    def spec_of(found: MergedExport) -> MergeSpec:
        return MergeSpec.from_json(
            (Path(settings.RUNS_FOLDER) / str(found.job_id) / "spec.json").read_bytes()
        )

    spec = spec_of(merged(adapter, engineer, dtype="bf16"))
    assert spec.prompts == tuple(f"train question {n}" for n in range(4))
    assert (spec.adapter_sha256, spec.base_fingerprint, spec.dtype) == (
        adapter.content_hash,
        base.content_hash,
        "bf16",
    )
    foreign = register_adapter(
        project=base.project,
        base=base,
        label="Foreign",
        folder=make_adapter_folder(tmp_path / "f", fill=5),
        by=engineer,
    )
    assert spec_of(merged(foreign, engineer)).prompts == DEFAULT_PROMPTS


def test_two_clicks_are_one_merge_and_a_failed_one_is_no_answer(
    engineer: User, adapter: ModelVersion, behave: Behave
) -> None:
    behave("refuse")
    failed = merged(adapter, engineer)
    assert failed.job.state == JobState.FAILED
    assert not failed.is_there
    behave()
    first = start_merge(version=adapter, by=engineer)
    assert first.pk != failed.pk
    assert start_merge(version=adapter, by=engineer) == first
    assert start_merge(version=adapter, by=engineer, dtype="fp32") != first
    merge(first.job_id)
    assert start_merge(version=adapter, by=engineer) == first


def test_a_merge_that_is_another_model_than_the_program_says_is_not_kept(
    engineer: User, adapter: ModelVersion, behave: Behave
) -> None:
    behave("another model")
    found = merged(adapter, engineer)
    assert found.job.state == JobState.FAILED
    assert "is not what result.json describes" in found.job.error
    assert found.folder == ""


def test_what_cannot_be_merged_says_why(
    engineer: User, adapter: ModelVersion, base: ModelVersion, settings
) -> None:
    with pytest.raises(ConflictError, match="Only an adapter can be merged"):
        start_merge(version=base, by=engineer)
    with pytest.raises(InvalidError, match="There is no format 'fp8'"):
        start_merge(version=adapter, by=engineer, dtype="fp8")
    (Path(base.path) / "model.safetensors").write_bytes(
        (Path(base.path) / "model.safetensors").read_bytes()[:-1] + b"x"
    )
    changed = merged(adapter, engineer)
    assert "has other weights than when it was registered" in changed.job.error
    adapter.is_recorded = True
    with pytest.raises(ConflictError, match="are not on this server, so they cannot be merged"):
        start_merge(version=adapter, by=engineer)


def test_a_cancelled_merge_leaves_nothing_and_can_be_asked_for_again(
    engineer: User, adapter: ModelVersion
) -> None:
    waiting = start_merge(version=adapter, by=engineer)
    request_cancel(job=waiting.job, by=engineer)
    merge(waiting.job_id)
    waiting.refresh_from_db()
    assert waiting.folder == ""
    assert merged(adapter, engineer).is_there


def test_the_real_program_merges_what_the_page_asks_for(
    project: Project, engineer: User, model_folders: Path, client_for: ClientFor, tmp_path: Path, settings
) -> None:
    settings.RUNS_FOLDER = tmp_path / "runs"
    settings.MODEL_PYTHON = Path(sys.executable)
    folder = make_base(model_folders / "tiny")
    base = register_base(project=project, name="Tiny", folder=folder, by=engineer)
    made = make_adapter(folder, tmp_path / "adapter")
    adapter = register_adapter(project=project, base=base, label="v1", folder=made, by=engineer)
    browser = client_for(engineer)
    answer = browser.post(reverse("merge_start", args=[project.slug, adapter.pk]), {"dtype": "base"})
    found = MergedExport.objects.get(model_version=adapter)
    assert answer["Location"] == reverse("merged_export", args=[project.slug, found.pk])
    merge(found.job_id)
    found = MergedExport.objects.select_related("job").get(pk=found.pk)
    assert (found.job.error, found.job.state) == ("", JobState.SUCCEEDED)
    compared = found.result["compared"]
    assert compared["same_next_token"] == compared["positions"] > 10
    assert found.result["dtype"] == "fp32"
    page = browser.get(answer["Location"]).text
    assert "Download all" in page
