from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.scoring import scoring_job


@shared_task(name="evalapp.scoring.tasks.score_run")
def score_run(job_id: int) -> None:
    carry_out(job_id, scoring_job.score_run, task="evalapp.scoring.tasks.score_run")
