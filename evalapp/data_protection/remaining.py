"""What an erasure cannot reach and a person still has to check, for its receipt."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.data_protection.person import Person
from evalapp.data_protection.places import NAMED
from evalapp.data_protection.search import found_in
from evalapp.datasets.models import DatasetImport
from evalapp.exports.models import ExportState
from evalapp.exports.writing import export_folder
from evalapp.imports.files import stored_path
from evalapp.ratings.models import RatingsImport
from evalapp.registry.models import ModelVersion
from evalapp.runs.models import Run
from evalapp.runs.programs.directory import folder_for, shard_folder

_WITH_ROWS = (".json", ".jsonl", ".log", ".txt", ".csv")
_MOST_FILES = 100
_MOST_NAMED = 500


@dataclass
class Touched:
    """What an erasure changed.

    ``counts``: rows by place. ``versions`` and ``runs``: ids of those whose rows or outputs changed.
    ``sealed``: by model, ids of changed rows that are sealed by a hash.
    """

    counts: Counter[str] = field(default_factory=Counter)
    versions: set[int] = field(default_factory=set)
    runs: set[int] = field(default_factory=set)
    sealed: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


def what_remains(project: Project, person: Person, touched: Touched) -> dict[str, Any]:
    """What remains to do, as stored in the receipt. Paths are relative to the data directory; the person's
    texts are erased from it.
    """
    runs = Run.objects.filter(project=project).select_related("dataset_version__dataset").order_by("pk")
    held = [run for run in runs if run.pk in touched.runs or run.dataset_version_id in touched.versions]
    trained = ModelVersion.objects.filter(trained_by__in=[run.pk for run in held]).order_by("pk")
    named = _named(project, person)
    remaining = {
        "versions": sorted(touched.versions),
        "runs": [{"run": run.pk, "paths": list(_run_files(run))} for run in held],
        "models": [version.pk for version in trained],
        "gate_evaluations": touched.sealed["GateEvaluation"],
        "decisions": touched.sealed["Decision"],
        "exports": [
            {"export": export.pk, "paths": list(_files_in(export_folder(export)))}
            for export in project.exports.filter(state=ExportState.DONE).order_by("pk")
        ],
        "reports": [
            # The folder that `evalapp.reports.writing` uses; that package is above this one.
            {"report": pk, "paths": list(_files_in(Path(settings.ARTIFACTS_FOLDER) / "reports" / str(pk)))}
            for pk in _reports_of(project)
        ],
        "pushes": list(_pushes(project, touched)),
        "uploads": list(_uploads(project)),
        "by_hand": named[:_MOST_NAMED],
        "by_hand_total": len(named),
        "backups_before": timezone.now().isoformat(timespec="seconds"),
    }
    return dict(person.erased_value(remaining))


def _reports_of(project: Project) -> list[int]:
    reports = apps.get_model("evalapp", "Report")._default_manager
    return list(reports.filter(project=project, state="done").order_by("pk").values_list("pk", flat=True))


def _run_files(run: Run) -> Iterator[str]:
    yield from _files_in(folder_for(run))
    for number in run.shards.order_by("number").values_list("number", flat=True):
        yield from _files_in(shard_folder(run, number))


def _files_in(folder: Path) -> Iterator[str]:
    """Files that may contain texts of rows; only the folder if there are too many, or if it is on another
    machine.
    """
    try:
        found = sorted(path for path in folder.rglob("*") if path.suffix in _WITH_ROWS and path.is_file())
    except OSError:
        found = []
    yield from map(_relative, found if 0 < len(found) <= _MOST_FILES else [folder])


def _pushes(project: Project, touched: Touched) -> Iterator[dict[str, str]]:
    """Copies on a hub, including those of failed pushes, which may have sent a part."""
    for push in project.dataset_pushes.exclude(commit="", job__attempt=0).order_by("pk"):
        if push.version_id in touched.versions:
            url = push.url or f"{push.hub}/datasets/{push.repository}"
            yield {"repository": push.repository, "url": url}


def _uploads(project: Project) -> Iterator[str]:
    """Uploaded files that have not been imported yet."""
    waiting = [
        *DatasetImport.objects.filter(dataset__project=project, version=None),
        *RatingsImport.objects.filter(project=project, campaign=None),
    ]
    for each in waiting:
        path = stored_path(each.stored_name)
        if path.exists():
            yield _relative(path)


def _relative(path: Path) -> str:
    home = Path(settings.HOME)
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)


def _named(project: Project, person: Person) -> list[dict[str, Any]]:
    """Names, settings and audit entries that contain the person, with their kind."""
    named = []
    for place in NAMED:
        for _, found in found_in(place, project, person):
            named += [{"what": place.rows, "id": each.pk, "fields": sorted(each.changes)} for each in found]
    return named
