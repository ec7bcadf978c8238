"""Deletion of a project with all its rows, and then of its files.

The rows protect each other against deletion one by one (a run protects the dataset version it used),
and there may be millions; so whole tables go by one statement each, those that refer before those
referred to. Foreign keys are checked at the end of the transaction: were anything outside the
project to refer into it, nothing at all would be deleted.

Locks are taken from the top: the project, its jobs, the submissions to its campaigns, its datasets (an
upload names its file under one), then the rows.
Somebody else's write may still go through them the other way; then the whole is tried again.
"""

from functools import partial

import psycopg.errors
from django.apps import apps
from django.db import IntegrityError, OperationalError, connection, models, transaction
from django.utils import timezone

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.campaigns.allocation import block_submissions
from evalapp.core.errors import ConflictError, InvalidError, MissingError
from evalapp.core.web_timeouts import allow_long_statements
from evalapp.datasets.models import Dataset
from evalapp.decisions.left_files import files_of, remove_files
from evalapp.decisions.models import LeftFiles
from evalapp.jobs.models import Job
from evalapp.ratings.queries import recorded_reviewers_of

PathsToProject = dict[type[models.Model], str]

MOST_TRIES = 5
_SHOWN_JOBS = 3
_CONCURRENT_WRITES = (psycopg.errors.DeadlockDetected, psycopg.errors.ForeignKeyViolation)


class JobsRunningError(ConflictError):
    """Jobs of the project are running (409)."""

    code = "jobs_running"


def delete_project(*, project: Project, typed_name: str, by: User) -> None:
    """Delete the project, all its rows and queued jobs, and then its files; the audit stays.

    The view checks the permission. Raises InvalidError if ``typed_name`` is not the project's name,
    JobsRunningError while one of its jobs is running, MissingError if it has been deleted already,
    ConflictError if others keep writing in it; in each case nothing is deleted.
    """
    if typed_name.strip() != project.name:
        raise InvalidError(f"Type the project's name, {project.name}, to delete it.", field="typed_name")
    _refresh_planner_statistics()
    for _ in range(MOST_TRIES):
        try:
            return _delete_rows(project, by)
        except (OperationalError, IntegrityError) as error:
            if not isinstance(error.__cause__, _CONCURRENT_WRITES):
                raise
    raise ConflictError(
        f"Others are working in “{project}”, so nothing was deleted. Try again shortly, or ask them to pause."
    )


def _refresh_planner_statistics() -> None:
    """Update the planner's statistics of the tables.

    Statistics taken before a large import was committed show empty tables, and then deleting a few thousand
    scores takes many minutes. Locks one table at a time, and waits for none.
    """
    for model in paths_to_project():
        with transaction.atomic(), connection.cursor() as cursor:
            allow_long_statements()
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {connection.ops.quote_name(model._meta.db_table)}")


@transaction.atomic
def _delete_rows(project: Project, by: User) -> None:
    allow_long_statements()
    if Project.objects.select_for_update().filter(pk=project.pk).first() is None:
        raise MissingError(f"“{project}” has been deleted already, with everything in it.")
    _require_no_running_job(project)
    for campaign_id in project.campaigns.order_by("pk").values_list("pk", flat=True):
        block_submissions(campaign_id)
    # An upload refers to its dataset, not to the project: a running upload is waited for, or refused.
    list(Dataset.objects.select_for_update().filter(project=project).order_by("pk").values_list("pk"))
    left = LeftFiles.objects.create(files=files_of(project))
    record("project.deleted", by=by, obj=project, project=project)
    # Accounts of this project only, which nobody can sign in to.
    recorded_reviewers = list(recorded_reviewers_of(project).values_list("pk", flat=True))
    paths = paths_to_project()
    for model in _referring_first(paths):
        rows = model._base_manager.filter(**{paths[model]: project.pk})
        rows._raw_delete(rows.db)
    User.objects.filter(pk__in=recorded_reviewers)._raw_delete("default")
    Project.objects.filter(pk=project.pk)._raw_delete("default")
    transaction.on_commit(partial(remove_files, left.pk), robust=True)


def _require_no_running_job(project: Project) -> None:
    """Lock the project's jobs, so that no worker takes one; raises if a worker has one.

    A job whose lease has expired has lost its worker; the lock keeps off its next attempt.
    """
    jobs = list(Job.objects.select_for_update().filter(project=project).order_by("pk"))
    now = timezone.now()
    running = [job for job in jobs if job.lease_expires_at is not None and job.lease_expires_at > now]
    if not running:
        return
    shown = ", ".join(f"“{job}” ({job.get_state_display().lower()})" for job in running[:_SHOWN_JOBS])
    more = f" and {len(running) - _SHOWN_JOBS} more" if len(running) > _SHOWN_JOBS else ""
    raise JobsRunningError(
        f"Jobs of this project are running: {shown}{more}. Nothing was deleted. Cancel them, wait until they "
        "have stopped (two minutes at most), then delete the project."
    )


def paths_to_project() -> PathsToProject:
    """Every model whose rows belong to a project, with the lookup that leads to it.

    The lookup follows required foreign keys, by the shortest path.
    """
    paths: PathsToProject = {}
    frontier: dict[type[models.Model], str] = {Project: ""}
    while frontier:
        found: PathsToProject = {}
        for model in apps.get_models(include_auto_created=True):
            if model in paths or model is Project or model in found:
                continue
            for key in _required_keys(model):
                target = key.related_model
                if target in frontier:
                    rest = frontier[target]
                    found[model] = f"{key.name}__{rest}" if rest else key.name
                    break
        paths.update(found)
        frontier = dict(found)
    return paths


def _required_keys(model: type[models.Model]) -> list[models.ForeignKey[models.Model, models.Model]]:
    return [
        field
        for field in model._meta.get_fields()
        if isinstance(field, models.ForeignKey) and not field.null and field.related_model is not model
    ]


def _referring_first(paths: PathsToProject) -> list[type[models.Model]]:
    """The models in an order in which each precedes those that its path leads through."""
    return sorted(paths, key=lambda model: paths[model].count("__"), reverse=True)
