from celery import shared_task

from evalapp.curation.health.check import check_health as carry_out_check
from evalapp.curation.publishing import PUBLISH_TASK, publish
from evalapp.curation.services import CHECK_TASK
from evalapp.jobs.work import carry_out


@shared_task(name=CHECK_TASK)
def check_health(job_id: int) -> None:
    carry_out(job_id, carry_out_check, task=CHECK_TASK)


@shared_task(name=PUBLISH_TASK)
def publish_draft(job_id: int) -> None:
    carry_out(job_id, publish, task=PUBLISH_TASK)
