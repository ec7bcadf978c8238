"""What nothing needs is found, set aside, and removed after some days, unless somebody needs it by then."""

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.artifacts import removal
from evalapp.artifacts.inventory import artifacts
from evalapp.artifacts.merging import start_merge
from evalapp.artifacts.models import ArtifactKind, MergedExport, SetAside
from evalapp.artifacts.removal import NeededError, keep, remove, set_aside
from evalapp.artifacts.tasks import merge
from evalapp.audit.models import AuditEvent
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import Job, JobState
from evalapp.registry.folders import folder_of
from evalapp.registry.models import ModelVersion
from evalapp.registry.queries import candidates_of
from evalapp.registry.services import register_adapter, register_prompt, set_alias
from evalapp.runs.models import Run, RunCandidate
from evalapp.runs.services import start_generation
from tests.artifacts.kept_training import FIXTURES as TRAINED
from tests.kept_cast import FIXTURES
from tests.registry.handmade import make_adapter_folder
from tests.registry.test_views import ClientFor

pytestmark = pytest.mark.django_db
cast, owner, manager, engineer, reviewer, other_reviewer, project, empty_project = FIXTURES
trained, model_folders, behave, version, base, training, adapter = TRAINED


def needs(version: ModelVersion) -> tuple[str, ...]:
    """Of the version's own folder."""
    return next(
        each.needs for each in artifacts() if each.version == version and each.kind == ArtifactKind.ADAPTER
    )


def path_of(version: ModelVersion) -> str:
    return version.path.removeprefix("adapters/")


def aside(version: ModelVersion, by: User, *, due: bool = True) -> SetAside:
    row = set_aside(kind=ArtifactKind.ADAPTER, path=path_of(version), by=by)
    if due:
        SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    return row


def test_an_unused_adapter_goes_in_two_steps_and_its_row_stays(
    project: Project, engineer: User, adapter: ModelVersion, django_capture_on_commit_callbacks
) -> None:
    folder = folder_of(adapter)
    assert needs(adapter) == ()
    row = aside(adapter, engineer, due=False)
    assert row.size_bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert adapter not in candidates_of(project)
    with pytest.raises(ConflictError, match=r"may be removed from .* on"):
        remove(row=row, by=engineer)
    assert folder.is_dir()

    SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        remove(row=row, by=engineer)
    assert not folder.exists()
    assert list(folder.parent.iterdir()) == []
    adapter.refresh_from_db()
    assert not adapter.has_weights_here
    with pytest.raises(InvalidError, match="The weights of “v1” were removed on"):
        folder_of(adapter)
    events = AuditEvent.objects.filter(object_id=adapter.pk, action__startswith="artifact.").order_by("pk")
    assert [(event.action, event.actor_id) for event in events] == [
        ("artifact.set_aside", engineer.pk), ("artifact.removed", engineer.pk),
    ]  # fmt: skip
    with pytest.raises(MissingError):
        remove(row=row, by=engineer)


def test_whatever_refers_to_a_version_needs_it(
    project: Project, engineer: User, manager: User, base: ModelVersion, adapter: ModelVersion,
    version: DatasetVersion, tmp_path: Path,
) -> None:  # fmt: skip
    set_alias(version=adapter, alias="challenger", by=manager)
    assert needs(adapter) == ("it is the challenger",)
    start_generation(
        project=project, dataset_version=version, splits=["test"], candidates=[adapter], sampling={},
        name="A", by=engineer
    )  # fmt: skip
    further = register_adapter(
        project=project, base=base, label="v2", folder=make_adapter_folder(tmp_path / "b", fill=4),
        by=engineer, parent=adapter
    )  # fmt: skip
    assert set(needs(adapter)) == {
        "it is the challenger", "1 run uses it as a candidate", "1 adapter was continued from it",
    }  # fmt: skip
    assert needs(further) == ()
    with pytest.raises(NeededError, match="it is the challenger; "):
        aside(adapter, engineer)


def test_every_reference_to_a_version_is_known_as_a_need_or_named_as_none() -> None:
    """A model that comes later counts by itself; one that shall not count is named in `needs`."""
    from evalapp.artifacts.needs import _NO_NEED, _leading_here

    leading = {(name, field.name) for name, field in _leading_here()}
    assert leading >= {
        ("ModelVersion", "base"), ("ModelVersion", "parent"), ("Run", "base"), ("Run", "continued_from"),
        ("RunCandidate", "model_version"), ("Output", "candidate"), ("CampaignCandidate", "model_version"),
        ("CampaignGate", "champion"), ("GateEvaluation", "candidate"), ("Decision", "candidate"),
    }  # fmt: skip
    assert not leading & _NO_NEED


def test_what_is_needed_by_then_is_kept_and_told(
    project: Project, engineer: User, adapter: ModelVersion, version: DatasetVersion
) -> None:
    """As a run that began with the version in hand while it was set aside."""
    row = aside(adapter, engineer)
    started = Run.objects.create(
        project=project, kind="generation", name="A", dataset_version=version,
        job=Job.objects.create(project=project, task="t", title="A"),
    )  # fmt: skip
    RunCandidate.objects.create(run=started, model_version=adapter, key="v1")
    with pytest.raises(NeededError, match="Kept, because 1 run uses it as a candidate"):
        remove(row=row, by=engineer)
    adapter.refresh_from_db()
    assert adapter.set_aside_at is None
    assert folder_of(adapter).is_dir()
    assert not SetAside.objects.exists()


def test_the_same_weights_added_again_are_kept(
    project: Project, engineer: User, base: ModelVersion, adapter: ModelVersion
) -> None:
    row = aside(adapter, engineer)
    SetAside.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(days=8))
    old = (timezone.now() - timedelta(days=9)).timestamp()
    os.utime(folder_of(adapter), (old, old))
    again = register_adapter(
        project=project, base=base, label="again", folder=folder_of(adapter), by=engineer
    )
    assert again.path == adapter.path
    row.refresh_from_db()
    with pytest.raises(NeededError, match="the same files were added again since"):
        remove(row=row, by=engineer)
    assert folder_of(again).is_dir()


def test_weights_that_two_projects_have_are_needed_while_one_needs_them(
    project: Project, other_project: Project, engineer: User, stranger: User, base: ModelVersion,
    adapter: ModelVersion,
    client_for: ClientFor,
) -> None:  # fmt: skip
    from evalapp.registry.services import register_base

    theirs = register_base(project=other_project, name="Small", folder=base.path, by=stranger)
    copy = register_adapter(
        project=other_project, base=theirs, label="Secret", folder=folder_of(adapter), by=stranger
    )
    assert copy.path == adapter.path
    register_prompt(
        project=other_project, base=theirs, label="P", system_prompt="x", prompt_template="", by=stranger
    )
    set_alias(version=copy, alias="champion", by=stranger)
    mine = next(each for each in artifacts(project=project) if each.kind == ArtifactKind.ADAPTER)
    assert mine.needs == ("it is needed in another project",)
    page = client_for(engineer).get(reverse("project_storage", args=[project.slug])).text
    assert "it is needed in another project" in page
    assert "Secret" not in page


def test_a_run_directory_is_needed_until_its_job_is_over_and_while_it_can_be_tried_again(
    engineer: User, adapter: ModelVersion, training: Run
) -> None:
    def found() -> tuple[str, ...]:
        return next(each.needs for each in artifacts() if each.kind == ArtifactKind.RUN)

    assert found() == ()
    Job.objects.filter(pk=training.job_id).update(state=JobState.FAILED)
    assert "can be tried again from here" in found()[0]
    Job.objects.filter(pk=training.job_id).update(finished_at=timezone.now() - timedelta(days=31))
    assert found() == ()
    Job.objects.filter(pk=training.job_id).update(state=JobState.QUEUED, finished_at=None)
    assert found() == ("its job is running or queued",)
    with pytest.raises(NeededError):
        set_aside(kind=ArtifactKind.RUN, path=str(training.job_id), by=engineer)


def test_checkpoints_go_by_themselves(
    engineer: User, adapter: ModelVersion, training: Run, settings, django_capture_on_commit_callbacks
) -> None:
    run = Path(settings.RUNS_FOLDER) / str(training.job_id)
    (run / "checkpoints" / "checkpoint-9").mkdir(parents=True)
    (run / "checkpoints" / "checkpoint-9" / "model").write_bytes(b"x" * 1000)
    by_kind = {each.kind: each for each in artifacts()}
    kept = sum(path.stat().st_size for path in (run / "checkpoints").rglob("*") if path.is_file())
    assert by_kind[ArtifactKind.CHECKPOINTS].size_bytes == kept >= 1000
    assert by_kind[ArtifactKind.RUN].size_bytes == sum(
        path.stat().st_size for path in run.rglob("*") if path.is_file() and "checkpoints" not in path.parts
    )
    row = set_aside(kind="checkpoints", path=f"{training.job_id}/checkpoints", by=engineer)
    SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        remove(row=row, by=engineer)
    assert not (run / "checkpoints").exists()
    assert (run / "spec.json").exists()


def test_orphans_are_found_and_young_ones_left_alone(
    engineer: User, adapter: ModelVersion, settings, django_capture_on_commit_callbacks
) -> None:
    left = Path(settings.ARTIFACTS_FOLDER) / "adapters" / ".adapter-killed"
    left.mkdir()
    (left / "part").write_bytes(b"x" * 10)

    def found() -> object:
        return next(each for each in artifacts() if each.path == ".adapter-killed")

    assert "written within the last day" in found().needs[0]
    old = (timezone.now() - timedelta(days=2)).timestamp()
    for path in (left / "part", left):
        os.utime(path, (old, old))
    assert (found().needs, found().is_orphan, found().why_not_needed) == (
        (), True, "the database has no record of it",
    )  # fmt: skip
    row = set_aside(kind="adapter", path=".adapter-killed", by=None)
    SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        remove(row=row, by=None)
    assert not left.exists()


def test_merged_exports_and_what_is_kept_again(
    engineer: User, adapter: ModelVersion, settings, django_capture_on_commit_callbacks
) -> None:
    merge(start_merge(version=adapter, by=engineer).job_id)
    found = next(each for each in artifacts() if each.kind == ArtifactKind.MERGED)
    assert (found.needs, found.title) == ((), "v1, merged")
    row = set_aside(kind="merged", path=found.path, by=engineer)
    keep(row=row, by=engineer)
    assert not SetAside.objects.exists()
    row = set_aside(kind="merged", path=found.path, by=engineer)
    assert set_aside(kind="merged", path=found.path, by=engineer) == row
    SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        remove(row=row, by=engineer)
    assert not MergedExport.objects.get().is_there
    # Merged again, it is another one.
    assert start_merge(version=adapter, by=engineer) != MergedExport.objects.first()


def test_what_another_machine_merged_is_served_from_here_and_its_removal_frees_the_store(
    project: Project, engineer: User, adapter: ModelVersion, client_for: ClientFor, settings, tmp_path: Path,
    django_capture_on_commit_callbacks,
) -> None:  # fmt: skip
    store = tmp_path / "store"
    store.mkdir()
    settings.ARTIFACT_STORE = f"file://{store}"
    merge(start_merge(version=adapter, by=engineer).job_id)
    found = MergedExport.objects.get()
    folder = Path(settings.ARTIFACTS_FOLDER) / found.folder
    weights = (folder / "model.safetensors").read_bytes()
    shutil.rmtree(folder)
    address = reverse("merged_file", args=[project.slug, found.pk, "model.safetensors"])
    answer = client_for(engineer).get(address)
    assert b"".join(answer.streaming_content) == weights

    def stored() -> list[Path]:
        return [path for path in (store / "artifacts" / "merged").rglob("*") if path.is_file()]

    assert stored()
    row = set_aside(kind="merged", path=str(found.pk), by=engineer)
    SetAside.objects.filter(pk=row.pk).update(removable_at=timezone.now())
    with django_capture_on_commit_callbacks(execute=True):
        remove(row=row, by=engineer)
    assert stored() == []


def test_what_is_set_aside_makes_nothing_new_until_it_is_kept(engineer: User, adapter: ModelVersion) -> None:
    row = aside(adapter, engineer, due=False)
    adapter.refresh_from_db()
    with pytest.raises(ConflictError, match="is set aside for removal, so it cannot be merged"):
        start_merge(version=adapter, by=engineer)
    with pytest.raises(ConflictError, match="Keep it first, then give it an alias"):
        set_alias(version=adapter, alias="challenger", by=engineer)
    keep(row=row, by=engineer)
    set_alias(version=adapter, alias="challenger", by=engineer)


@pytest.mark.parametrize("path", ["..", "../runs", "/etc", "", ".", "nothing", "link"])
def test_nothing_outside_its_folders_is_touched(
    engineer: User, adapter: ModelVersion, settings, tmp_path: Path, path: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    (Path(settings.ARTIFACTS_FOLDER) / "adapters" / "link").symlink_to(outside)
    assert "link" not in {each.path for each in artifacts()}
    with pytest.raises(InvalidError, match="There is no adapter"):
        set_aside(kind="adapter", path=path, by=engineer)


def test_a_link_put_in_the_place_of_what_was_set_aside_is_not_followed(
    engineer: User, adapter: ModelVersion, tmp_path: Path
) -> None:
    row, folder, outside = aside(adapter, engineer), folder_of(adapter), tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    folder.rename(tmp_path / "away")
    folder.symlink_to(outside)
    with pytest.raises((InvalidError, NeededError)):
        remove(row=row, by=engineer)
    assert (outside / "kept").exists()


def test_an_interrupted_removal_is_finished_or_undone(engineer: User, adapter: ModelVersion) -> None:
    row, folder = aside(adapter, engineer), folder_of(adapter)
    going = folder.with_name(f".removed-{row.pk}")
    folder.rename(going)
    removal.sweep()
    assert folder.is_dir()
    folder.rename(going)
    SetAside.objects.filter(pk=row.pk).update(removed_at=timezone.now())
    removal.sweep()
    assert not folder.exists()
    assert not going.exists()


def test_the_page_lists_sets_aside_and_removes(
    project: Project, engineer: User, reviewer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    address = reverse("project_storage", args=[project.slug])
    browser = client_for(engineer)
    page = browser.get(address).text
    assert "no run, campaign, decision, alias or other version uses it" in page
    key = f"adapter:{path_of(adapter)}"
    page = browser.post(address, {"act": "set_aside", "artifact": [key]}, follow=True).text
    assert "1 set aside." in page
    assert "may be removed from" in page
    page = browser.post(address, {"act": "remove", "artifact": [key]}, follow=True).text
    assert "may be removed from" in page
    assert folder_of(adapter).is_dir()
    assert browser.post(address, {"act": "burn"}).status_code == 400
    assert client_for(reviewer).post(address, {"act": "keep"}).status_code == 403
    assert (
        "set aside to be removed"
        in browser.get(reverse("model_version", args=[project.slug, adapter.pk])).text
    )


def test_the_installation_is_the_site_admins(
    engineer: User, adapter: ModelVersion, client_for: ClientFor
) -> None:
    address = reverse("installation_storage")
    assert client_for(engineer).get(address).status_code == 403
    engineer.is_superuser = True
    engineer.save(update_fields=["is_superuser"])
    assert "Storage of the installation" in client_for(engineer).get(address).text
