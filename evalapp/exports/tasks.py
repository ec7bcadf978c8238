from celery import shared_task

from evalapp.exports import correction_scoring, writing
from evalapp.jobs.work import carry_out


@shared_task(name="evalapp.exports.tasks.write_export")
def write_export(job_id: int) -> None:
    carry_out(job_id, writing.write_export, task="evalapp.exports.tasks.write_export")


@shared_task(name="evalapp.exports.tasks.measure_corrections")
def measure_corrections(job_id: int) -> None:
    carry_out(
        job_id, correction_scoring.measure_corrections, task="evalapp.exports.tasks.measure_corrections"
    )
