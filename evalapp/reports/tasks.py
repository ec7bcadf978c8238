from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.reports import writing


@shared_task(name="evalapp.reports.tasks.write_report")
def write_report(job_id: int) -> None:
    carry_out(job_id, writing.write_report, task="evalapp.reports.tasks.write_report")
