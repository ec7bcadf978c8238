from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.monitoring.alerts import send_due_mail
from evalapp.monitoring.judging import judge_due_weeks
from evalapp.monitoring.weeks import DRAW_TASK, carry_out_draw, open_due_weeks


@shared_task(name="evalapp.monitoring.tasks.open_due_weeks")
def open_due() -> None:
    """Carried out by the clock itself."""
    open_due_weeks()


@shared_task(name=DRAW_TASK)
def draw_week(job_id: int) -> None:
    carry_out(job_id, carry_out_draw, task=DRAW_TASK)


@shared_task(name="evalapp.monitoring.tasks.judge_due_weeks")
def judge_due() -> None:
    judge_due_weeks()
    send_due_mail()
