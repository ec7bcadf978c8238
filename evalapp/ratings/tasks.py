from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.ratings.importing import import_ratings as carry_out_import
from evalapp.ratings.services import IMPORT_TASK


@shared_task(name=IMPORT_TASK)
def import_ratings(job_id: int) -> None:
    carry_out(job_id, carry_out_import, task=IMPORT_TASK)
