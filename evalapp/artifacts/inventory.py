"""Artifacts on disk, with the reasons why each is needed."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

from evalapp.accounts.models import Project
from evalapp.artifacts.models import ArtifactKind, MergedExport, SetAside
from evalapp.artifacts.needs import needs_of
from evalapp.artifacts.places import paths_of, root_of, size_of
from evalapp.jobs.models import FINAL_STATES, Job, JobState
from evalapp.registry.models import TUNED_KINDS, ModelKind, ModelVersion
from run_directory.protocol import CHECKPOINTS_FOLDER

RETRY_DAYS = 30
"""Days for which the files of a failed or cancelled job are kept for a retry."""
_WRITING = timedelta(days=1)
_ELSEWHERE = "it is needed in another project"


class Artifact(NamedTuple):
    """A stored folder. ``needs`` has the reasons why it is needed, as phrases; ``project_ids`` its owners,
    empty for an orphan.
    """

    kind: ArtifactKind
    path: str
    title: str
    size_bytes: int
    freed_bytes: int
    used_at: datetime
    needs: tuple[str, ...]
    project_ids: frozenset[int]
    version: ModelVersion | None
    set_aside: SetAside | None

    @property
    def is_orphan(self) -> bool:
        return not self.project_ids

    @property
    def why_not_needed(self) -> str:
        if self.is_orphan:
            return "the database has no record of it"
        if self.kind == ArtifactKind.MERGED:
            return "it can be merged again from its adapter and its base"
        if self.kind in (ArtifactKind.RUN, ArtifactKind.CHECKPOINTS):
            return "its job has ended, and its results are stored elsewhere"
        return "no run, campaign, decision, alias or other version uses it"


class _Owners(NamedTuple):
    needs: tuple[str, ...]
    project_ids: frozenset[int]
    title: str
    version: ModelVersion | None
    used_at: datetime | None


def artifacts(*, project: Project | None = None, kinds: Sequence[ArtifactKind] = ()) -> list[Artifact]:
    """The project's artifacts, largest first; without a project those of the installation, including
    orphans.
    """
    aside = {(row.kind, row.path): row for row in SetAside.objects.filter(removed_at=None)}
    found = []
    for kind in kinds or tuple(ArtifactKind):
        owners = owners_of(kind, list(paths_of(kind)), project=project)
        for path, owner in owners.items():
            if project is not None and project.pk not in owner.project_ids:
                continue
            without = CHECKPOINTS_FOLDER if kind == ArtifactKind.RUN else ""
            size = size_of(root_of(kind) / path, without=without)
            used_at = max(filter(None, (size.changed_at, owner.used_at)))
            needs = owner.needs
            if owner.project_ids == frozenset() and timezone.now() - size.changed_at < _WRITING:
                needs = ("it was written within the last day, perhaps by work that is still running",)
            found.append(
                Artifact(
                    kind, path, owner.title, size.size_bytes, size.freed_bytes, used_at, needs,
                    owner.project_ids,
                    owner.version, aside.get((kind, path)),
                )
            )  # fmt: skip
    return sorted(found, key=lambda each: (-each.size_bytes, each.kind, each.path))


def owners_of(
    kind: ArtifactKind, paths: Sequence[str], *, project: Project | None = None
) -> dict[str, _Owners]:
    """Owners of each path and why it is needed. With ``project``, other projects' reasons are not
    disclosed.
    """
    if kind == ArtifactKind.MERGED:
        return {path: _of_merge(path) for path in paths}
    if kind in (ArtifactKind.RUN, ArtifactKind.CHECKPOINTS):
        return _of_jobs(paths)
    return _of_versions(kind, paths, project)


def versions_at(kind: ArtifactKind, paths: Sequence[str]) -> list[ModelVersion]:
    """Versions whose weights are at these paths, by id."""
    by_place = {_stored_path(kind, path): path for path in paths}
    versions = ModelVersion.objects.filter(path__in=by_place, weights_removed_at=None)
    kinds = [ModelKind.BASE] if kind in (ArtifactKind.HUB, ArtifactKind.TEMPLATED) else list(TUNED_KINDS)
    return list(versions.filter(kind__in=kinds).select_related("project", "model", "job").order_by("pk"))


def _stored_path(kind: ArtifactKind, path: str) -> str:
    place = root_of(kind) / path
    if kind in (ArtifactKind.HUB, ArtifactKind.TEMPLATED):
        # Bases are stored under their resolved path.
        return str(place.resolve())
    return str(place.relative_to(settings.ARTIFACTS_FOLDER))


def _of_versions(kind: ArtifactKind, paths: Sequence[str], project: Project | None) -> dict[str, _Owners]:
    versions = versions_at(kind, paths)
    needs = needs_of(versions)
    at = defaultdict(list)
    for version in versions:
        at[version.path].append(version)
    return {path: _told(at[_stored_path(kind, path)], needs, path, project) for path in paths}


def _told(
    versions: list[ModelVersion], needs: dict[int, list[str]], path: str, project: Project | None
) -> _Owners:
    own = [version for version in versions if project is None or version.project_id == project.pk]
    reasons = [
        f"{version.label}: {reason}" if len(own) > 1 else reason
        for version in own
        for reason in needs[version.pk]
    ]
    if any(needs[version.pk] for version in versions if version not in own):
        reasons.append(_ELSEWHERE)
    shown = own[0] if own else None
    title = ", ".join(version.label for version in own) or path
    used_at = max((version.created_at for version in versions), default=None)
    return _Owners(
        tuple(reasons), frozenset(version.project_id for version in versions), title, shown, used_at
    )


def _of_merge(path: str) -> _Owners:
    row = (
        MergedExport.objects.filter(pk=int(path) if path.isdecimal() else 0)
        .select_related("job", "model_version")
        .first()
    )
    if row is None:
        return _Owners((), frozenset(), path, None, None)
    needs = () if row.job.state in FINAL_STATES else ("its job is running",)
    return _Owners(needs, frozenset({row.project_id}), str(row), row.model_version, row.created_at)


def _of_jobs(paths: Sequence[str]) -> dict[str, _Owners]:
    numbers = {path: int(path.partition("/")[0]) for path in paths if path.partition("/")[0].isdecimal()}
    jobs = Job.objects.in_bulk([number for number in numbers.values() if number < 2**63])
    found = {}
    for path in paths:
        job = jobs.get(numbers.get(path, 0))
        if job is None:
            found[path] = _Owners((), frozenset(), path, None, None)
        else:
            found[path] = _Owners(
                why_job_needs(job), frozenset({job.project_id}), job.title, None, job.finished_at
            )
    return found


def why_job_needs(job: Job) -> tuple[str, ...]:
    """Why a job's run directory is still needed; empty if it is not."""
    if job.state not in FINAL_STATES:
        return ("its job is running or queued",)
    if job.state == JobState.SUCCEEDED:
        return ()
    assert job.finished_at is not None
    if timezone.now() - job.finished_at < timedelta(days=RETRY_DAYS):
        return (
            (
                f"its job {job.get_state_display().lower()} less than {RETRY_DAYS} days ago and can be tried"
                " again from here"
            ),
        )
    return ()


def changed_at(folder: Path) -> float:
    """Modification time of the folder itself, which `keep_folder` also updates."""
    return folder.lstat().st_mtime
