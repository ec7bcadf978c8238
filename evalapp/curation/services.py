"""Write operations on data health: start a check, keep rows as they are."""

from collections.abc import Collection

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.curation.models import Finding, HealthCheck
from evalapp.datasets.models import DatasetVersion
from evalapp.jobs.models import FINAL_STATES
from evalapp.jobs.services import create_job

CHECK_TASK = "evalapp.curation.tasks.check_health"


@transaction.atomic
def start_check(*, version: DatasetVersion, by: User | None) -> HealthCheck:
    """Queue the job that checks every row of the version. Findings of an earlier check stay until it ends.

    Raises ConflictError while a check of the version is running.
    """
    check, _ = HealthCheck.objects.get_or_create(version=version, defaults={"created_by": by})
    # The job is read afterwards: a joined one would date from before the wait for the lock.
    check = HealthCheck.objects.select_for_update().get(pk=check.pk)
    if check.job is not None and check.job.state not in FINAL_STATES:
        raise ConflictError(
            f"The health of {version} is being checked. Wait until that check is over, or cancel it."
        )
    check.job = create_job(
        project=version.dataset.project, task=CHECK_TASK, title=f"Check the health of {version}", by=by
    )
    check.created_by = by
    check.save(update_fields=["job", "created_by"])
    record("dataset.health_check_started", by=by, obj=version, project=version.dataset.project)
    return check


@transaction.atomic
def keep_rows(*, check: HealthCheck, findings: Collection[int], is_kept: bool, by: User) -> int:
    """Mark findings (ids) as kept, so that their rows stay unchanged, or undo that; returns how many.

    Raises InvalidError where one is not of the check.
    """
    chosen = Finding.objects.filter(health_check=check, pk__in=findings)
    if chosen.count() != len(set(findings)):
        raise InvalidError(
            "Some of these findings are gone: the version was checked again. Reload the page and choose"
            " again."
        )
    changed = chosen.exclude(is_kept=is_kept).update(is_kept=is_kept, kept_by=by if is_kept else None)
    record(
        "dataset.findings_kept" if is_kept else "dataset.findings_reopened",
        by=by,
        obj=check.version,
        project=check.version.dataset.project,
        data={"findings": changed},
    )
    return changed
