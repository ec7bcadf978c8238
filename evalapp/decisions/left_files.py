"""The files of deleted projects: listed when the rows are deleted, removed afterwards.

Files that cannot be removed, after a crash, on a full disk or without permission, stay listed, and a later
sweep removes them.
"""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import transaction

from evalapp.accounts.models import Project
from evalapp.core.artifacts import StoreUnavailableError, remove_from_store
from evalapp.datasets.models import DatasetImport
from evalapp.decisions.models import LeftFiles
from evalapp.exports.writing import export_folder
from evalapp.imports.files import upload_folder
from evalapp.registry.models import TUNED_KINDS, ModelVersion
from evalapp.runs.models import RunShard
from evalapp.runs.programs.directory import folder_for, shard_folder

logger = logging.getLogger(__name__)

_ROOTS: dict[str, Callable[[], Path]] = {
    "uploads": upload_folder,
    "runs": lambda: Path(settings.RUNS_FOLDER),
    "artifacts": lambda: Path(settings.ARTIFACTS_FOLDER),
}


def files_of(project: Project) -> dict[str, list[str]]:
    """Uploads, run directories, exports, reports and trained weights, as paths relative to each root."""
    uploads = DatasetImport.objects.filter(dataset__project=project).values_list("stored_name", flat=True)
    trained = ModelVersion.objects.filter(project=project, kind__in=TUNED_KINDS).exclude(path="")
    exports = [
        str(export_folder(export).relative_to(_ROOTS["artifacts"]())) for export in project.exports.all()
    ]
    # As in `reports.writing.report_folder`, which cannot be imported: that package is above this one.
    reports = [f"reports/{pk}" for pk in project.reports.values_list("pk", flat=True)]
    # As in `artifacts.merging`; models from a hub stay for other projects.
    merged = [f"merged/{pk}" for pk in project.merged_exports.values_list("pk", flat=True)]
    programs = [
        *project.merged_exports.values_list("job_id", flat=True),
        *project.hub_downloads.values_list("job_id", flat=True),
        *project.dataset_pushes.values_list("job_id", flat=True),
    ]
    shards = RunShard.objects.filter(run__project=project).select_related("run")
    ratings = project.ratings_imports.values_list("stored_name", flat=True)
    return {
        "uploads": [*uploads, *ratings],
        "runs": [
            *(folder_for(run).name for run in project.runs.only("job")),
            *(shard_folder(shard.run, shard.number).name for shard in shards),
            *map(str, programs),
        ],
        "artifacts": exports + reports + merged + list(trained.values_list("path", flat=True)),
    }


def remove_left_files() -> None:
    """Remove the files still listed. Safe to run anywhere, even several times at once."""
    for left_id in LeftFiles.objects.order_by("pk").values_list("pk", flat=True):
        try:
            remove_files(left_id)
        except (OSError, StoreUnavailableError) as error:
            logger.warning("Files of a deleted project cannot be removed yet: %s", error)


@transaction.atomic
def remove_files(left_id: int) -> None:
    """Remove the files listed by one deletion, and their list. Raises OSError for a file that cannot be
    removed.
    """
    left = LeftFiles.objects.select_for_update(skip_locked=True).filter(pk=left_id).first()
    if left is None:
        return
    for root, names in left.files.items():
        for name in names:
            # Trained weights are stored once for all projects that have the same.
            is_shared = ModelVersion.objects.filter(kind__in=TUNED_KINDS, path=name).exists()
            # A row with an empty path must not remove the whole root.
            if name and not is_shared:
                _remove(_ROOTS[root]() / name)
                remove_from_store(f"{root}/{name}")
    left.delete()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
