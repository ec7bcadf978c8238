"""A notified worker runs the next job to its end."""

from evalapp.celery import app
from evalapp.jobs import attempts, devices, queries
from evalapp.jobs.lease import worker_name
from evalapp.jobs.models import Job
from evalapp.jobs.notifications import notify

_MOST_TRIES = 100
"""Others may claim what was chosen here; each loss means that one of them has found work."""


def start_next_of(queue: str) -> None:
    """Carry out the queue's next job, and notify for those that wait behind it.

    Does nothing where none waits, or where every device of this machine is in use. What a worker of this
    machine was at when it was killed goes on first, and does not wait for its lease to run out.
    """
    attempts.requeue_jobs_of_dead_workers()
    for _ in range(_MOST_TRIES):
        job = queries.next_job(queue)
        if job is None or not _has_room(job):
            return
        app.tasks[job.task](job.pk)
        if _was_started_here(job):
            break
    if queries.next_job(queue) is not None:
        notify(queue)


def _has_room(job: Job) -> bool:
    # A program that a lost attempt left behind holds its device until the next attempt ends it.
    return job.queue != devices.QUEUE or job.process_id is not None or devices.is_any_free()


def _was_started_here(job: Job) -> bool:
    return Job.objects.filter(pk=job.pk, attempt__gt=job.attempt, worker=worker_name()).exists()
