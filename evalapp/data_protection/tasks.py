from celery import shared_task

from evalapp.data_protection.erasing import erase, search
from evalapp.data_protection.retention import apply_retention_everywhere
from evalapp.data_protection.services import ERASE_TASK, SEARCH_TASK
from evalapp.jobs.work import carry_out


@shared_task(name=SEARCH_TASK)
def search_person(job_id: int) -> None:
    carry_out(job_id, search, task=SEARCH_TASK)


@shared_task(name=ERASE_TASK)
def erase_person(job_id: int) -> None:
    carry_out(job_id, erase, task=ERASE_TASK)


@shared_task(name="evalapp.data_protection.tasks.apply_retention", ignore_result=True)
def apply_retention() -> None:
    """Runs every night; each project's audit log has what was removed."""
    apply_retention_everywhere()
