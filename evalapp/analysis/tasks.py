from celery import shared_task

from evalapp.analysis.stored import stored_results
from evalapp.jobs.work import carry_out


@shared_task(name="evalapp.analysis.tasks.compute")
def compute(job_id: int) -> None:
    carry_out(job_id, stored_results.compute, task=stored_results.COMPUTE_TASK)


@shared_task(name="evalapp.analysis.tasks.refresh_analyses")
def refresh_analyses() -> None:
    stored_results.refresh_analyses()
