from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.llm_judges import judging


@shared_task(name="evalapp.llm_judges.tasks.ask_judge")
def ask_judge(job_id: int) -> None:
    carry_out(job_id, judging.ask_about_campaign, task="evalapp.llm_judges.tasks.ask_judge")
