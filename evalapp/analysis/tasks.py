from celery import shared_task

from evalapp.analysis import keeping
from evalapp.jobs.work import carry_out


@shared_task(name="evalapp.analysis.tasks.compute")
def compute(job_id: int) -> None:
    carry_out(job_id, keeping.compute, task=keeping.COMPUTE_TASK)


@shared_task(name="evalapp.analysis.tasks.refresh_analyses")
def refresh_analyses() -> None:
    keeping.refresh_analyses()
