from celery import shared_task

from evalapp.jobs import attempts, heartbeats, services  # noqa: F401  # the heartbeats are noted wherever tasks are
from evalapp.jobs.notifications import START_NEXT_TASK
from evalapp.jobs.starting import start_next_of


@shared_task(name="evalapp.jobs.tasks.reap_lost_jobs")
def reap_lost_jobs() -> None:
    attempts.requeue_jobs_of_dead_workers()
    services.reap_lost_jobs()


@shared_task(name=START_NEXT_TASK)
def start_next(queue: str) -> None:
    start_next_of(queue)
