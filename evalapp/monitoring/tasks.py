from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.monitoring.daily.alerts import raise_daily_alerts
from evalapp.monitoring.daily.counting import count_everywhere
from evalapp.monitoring.evaluation import evaluate_due_weeks
from evalapp.monitoring.events.assessments import match_waiting
from evalapp.monitoring.events.months import create_coming_partitions
from evalapp.monitoring.mail import remind, send_due_mail
from evalapp.monitoring.weeks import SAMPLE_TASK, carry_out_sample, open_due_weeks


@shared_task(name="evalapp.monitoring.tasks.open_due_weeks")
def open_due() -> None:
    """Run by the scheduler itself."""
    create_coming_partitions()
    match_waiting()
    open_due_weeks()


@shared_task(name=SAMPLE_TASK)
def sample_week(job_id: int) -> None:
    carry_out(job_id, carry_out_sample, task=SAMPLE_TASK)


@shared_task(name="evalapp.monitoring.tasks.count_events")
def count_events() -> None:
    count_everywhere()
    raise_daily_alerts()
    send_due_mail()


@shared_task(name="evalapp.monitoring.tasks.evaluate_due_weeks")
def evaluate_due() -> None:
    evaluate_due_weeks()
    remind()
    send_due_mail()
