from celery import shared_task

from evalapp.artifacts import hub, merging, pushes, removal
from evalapp.jobs.work import carry_out


@shared_task(name=merging.TASK)
def merge(job_id: int) -> None:
    carry_out(job_id, merging.merge, task=merging.TASK)


@shared_task(name=hub.TASK)
def import_from_hub(job_id: int) -> None:
    carry_out(job_id, hub.import_model, task=hub.TASK)


@shared_task(name=pushes.TASK)
def push_to_hub(job_id: int) -> None:
    carry_out(job_id, pushes.push, task=pushes.TASK)


@shared_task(name="evalapp.artifacts.tasks.finish_removals", ignore_result=True)
def finish_removals() -> None:
    """Finish interrupted removals."""
    removal.sweep()
