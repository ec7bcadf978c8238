from celery import shared_task

from evalapp.jobs import services


@shared_task(name="evalapp.jobs.tasks.reap_lost_jobs")
def reap_lost_jobs() -> None:
    services.reap_lost_jobs()
