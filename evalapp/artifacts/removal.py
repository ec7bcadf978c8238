"""Two-step removal of unneeded artifacts: set aside, then removed some days later.

The version's row is locked while its needs are counted. A new reference must lock the row's key, so it either
comes before and counts, or comes after and finds the version set aside. Rows outlive their weights.
"""

import shutil
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import TracebackType

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.artifacts.inventory import artifacts, changed_at, owners_of, versions_at
from evalapp.artifacts.models import ArtifactKind, MergedExport, SetAside
from evalapp.artifacts.places import GOING, folder_at, root_of, size_of, stored_name
from evalapp.audit.services import record
from evalapp.core.artifacts import remove_from_store
from evalapp.core.errors import ConflictError, MissingError, ProblemError
from evalapp.jobs.models import Job
from evalapp.registry.models import ModelVersion

ErrorInfo = tuple[type[BaseException], BaseException, TracebackType]


class NeededError(ConflictError):
    """Something needs the files (409)."""

    code = "needed"


@transaction.atomic
def set_aside(*, kind: str, path: str, by: User | None) -> SetAside:
    """First step: nothing new may use the files, and after SET_ASIDE_DAYS they may be removed.

    Idempotent. Raises InvalidError for a path that is no artifact, and NeededError if something needs it.
    """
    kind = ArtifactKind(kind)
    folder = folder_at(kind, path)
    versions = _locked(kind, path)
    standing = SetAside.objects.filter(kind=kind, path=path, removed_at=None).first()
    if standing is not None:
        return standing
    _require_unneeded(kind, path)
    now = timezone.now()
    row = SetAside.objects.create(
        kind=kind,
        path=path,
        size_bytes=size_of(folder).size_bytes,
        removable_at=now + timedelta(days=settings.SET_ASIDE_DAYS),
        set_aside_by=by,
    )
    ModelVersion.objects.filter(pk__in=[version.pk for version in versions]).update(set_aside_at=now)
    _audit("artifact.set_aside", row, versions, by)
    return row


@transaction.atomic
def keep(*, row: SetAside, by: User | None) -> None:
    """Undo the first step. Raises MissingError when the files were removed meanwhile."""
    row = _standing(row)
    _keep(row, _locked(ArtifactKind(row.kind), row.path), by)


def remove(*, row: SetAside, by: User | None) -> None:
    """Second step: delete the files permanently, or keep them if something needs them by now.

    Raises ConflictError before ``removable_at``, MissingError when they are already gone, and NeededError
    when they are kept.
    """
    with transaction.atomic():
        row = _standing(row)
        kind = ArtifactKind(row.kind)
        if timezone.now() < row.removable_at:
            raise ConflictError(
                f"This was set aside on {row.created_at:%d %B %Y} and may be removed from"
                f" {row.removable_at:%d %B %Y} on."
            )
        versions = _locked(kind, row.path)
        reason = _why_kept(kind, row)
        if reason:
            _keep(row, versions, by)
        else:
            going = _move_away(kind, row)
            row.removed_at = timezone.now()
            row.save(update_fields=["removed_at"])
            ids = [version.pk for version in versions]
            ModelVersion.objects.filter(pk__in=ids).update(weights_removed_at=row.removed_at)
            if kind == ArtifactKind.MERGED and row.path.isdecimal():
                MergedExport.objects.filter(pk=int(row.path)).update(removed_at=row.removed_at)
            _audit("artifact.removed", row, versions, by)
            transaction.on_commit(partial(_delete, going, row), robust=True)
    if reason:
        raise NeededError(f"Kept, because {reason}. It is not set aside any more.")


def sweep() -> None:
    """Finish interrupted removals: delete the folders of completed ones, restore those of the others.

    Safe to run concurrently and beside a removal, whose folder is skipped. Raises the first error after
    trying all folders.
    """
    problems: list[Exception] = []
    for kind in ArtifactKind:
        for going in _going(root_of(kind)):
            try:
                _finish(kind, going)
            except (OSError, ProblemError) as error:
                problems.append(error)
    if problems:
        raise problems[0]


def _finish(kind: ArtifactKind, going: Path) -> None:
    number = int(going.name.removeprefix(GOING))
    with transaction.atomic():
        # A removal locks its row until the outcome for its folder is decided.
        found = SetAside.objects.select_for_update(skip_locked=True)
        row = found.filter(pk=number, kind=kind).first()
        if row is None:
            return
        place = root_of(kind) / row.path
        if row.removed_at is None:
            if going.exists() and not place.exists():
                going.rename(place)
            return
    _delete(going, row)


def _standing(row: SetAside) -> SetAside:
    found = SetAside.objects.select_for_update().filter(pk=row.pk, removed_at=None).first()
    if found is None:
        raise MissingError("These files were removed already, or are not set aside any more.")
    return found


def _locked(kind: ArtifactKind, path: str) -> list[ModelVersion]:
    """Lock the artifact's versions or job until the transaction ends; returns the versions."""
    if kind in (ArtifactKind.RUN, ArtifactKind.CHECKPOINTS):
        number = path.partition("/")[0]
        list(Job.objects.select_for_update().filter(pk=int(number) if number.isdecimal() else 0))
        return []
    if kind == ArtifactKind.MERGED:
        list(Job.objects.select_for_update().filter(merged_export=int(path) if path.isdecimal() else 0))
        return []
    ids = [version.pk for version in versions_at(kind, [path])]
    list(ModelVersion.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    # Read again, since they may have been kept or removed while waiting for the lock.
    return versions_at(kind, [path])


def _require_unneeded(kind: ArtifactKind, path: str) -> None:
    found = next((each for each in artifacts(kinds=[kind]) if each.path == path), None)
    if found is None:
        raise MissingError("These files are not there any more.")
    if found.needs:
        raise NeededError(f"This is needed: {'; '.join(found.needs)}.")


def _why_kept(kind: ArtifactKind, row: SetAside) -> str:
    needs = owners_of(kind, [row.path])[row.path].needs
    if needs:
        return "; ".join(needs)
    folder = root_of(kind) / row.path
    is_kept_by_content = kind in (ArtifactKind.ADAPTER, ArtifactKind.MODEL, ArtifactKind.TEMPLATED)
    if is_kept_by_content and folder.exists() and changed_at(folder) > row.created_at.timestamp():
        return "the same files were added again since"
    return ""


def _keep(row: SetAside, versions: list[ModelVersion], by: User | None) -> None:
    ModelVersion.objects.filter(pk__in=[version.pk for version in versions]).update(set_aside_at=None)
    _audit("artifact.kept", row, versions, by)
    row.delete()


def _move_away(kind: ArtifactKind, row: SetAside) -> Path:
    """Rename the folder, so that it disappears at once and never partially."""
    root, folder = root_of(kind), root_of(kind) / row.path
    going = root / f"{GOING}{row.pk}"
    if folder.exists():
        # Checked again: a link may have replaced it since it was set aside.
        folder = folder_at(kind, row.path)
        if not folder.resolve().is_relative_to(root.resolve()):
            raise ConflictError(f"{folder} is outside {root}, so it was not removed.")
        folder.rename(going)
        # Adding the same content again either finds no folder or has just updated its modification time.
        if changed_at(going) > row.created_at.timestamp() and kind in (
            ArtifactKind.ADAPTER,
            ArtifactKind.MODEL,
        ):
            going.rename(folder)
            raise NeededError("The same files are being added again right now, so they were kept.")
    return going


def _going(root: Path) -> list[Path]:
    try:
        return [path for path in root.glob(f"{GOING}*") if path.name.removeprefix(GOING).isdecimal()]
    except OSError:
        return []


def _delete(going: Path, row: SetAside) -> None:
    """Delete the folder last: if the store fails, the next sweep finds the folder and tries again."""
    if stored := stored_name(ArtifactKind(row.kind), row.path):
        remove_from_store(stored)
    if going.is_dir() and not going.is_symlink():
        shutil.rmtree(going, onerror=_unless_gone)


def _unless_gone(remove: object, path: str, error: ErrorInfo) -> None:
    """Ignore missing files, since several processes may delete one folder at once."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _audit(action: str, row: SetAside, versions: list[ModelVersion], by: User | None) -> None:
    data = {"kind": row.kind, "path": row.path, "size_bytes": row.size_bytes}
    for version in versions:
        record(action, by=by, obj=version, project=version.project, data=data)
    if versions:
        return
    number = row.path.partition("/")[0]
    job = Job.objects.filter(pk=int(number)).select_related("project").first() if number.isdecimal() else None
    if row.kind == ArtifactKind.MERGED and number.isdecimal():
        job = Job.objects.filter(merged_export=int(number)).select_related("project").first()
    record(action, by=by, obj=job or row, project=job.project if job else None, data=data)
