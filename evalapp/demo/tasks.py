from celery import shared_task

from evalapp.demo import production, simulation, story
from evalapp.demo.models import Demonstration
from evalapp.jobs.work import carry_out


@shared_task(name="evalapp.demo.tasks.advance")
def advance() -> None:
    for demonstration_id in Demonstration.objects.filter(finished_at=None).values_list("pk", flat=True):
        story.advance(demonstration_id)


@shared_task(name=story.REVIEW_TASK)
def simulate_reviews(job_id: int) -> None:
    carry_out(job_id, simulation.simulate_reviews, task=story.REVIEW_TASK)


@shared_task(name=story.PRODUCTION_TASK)
def replay_weeks(job_id: int) -> None:
    carry_out(job_id, production.replay_weeks, task=story.PRODUCTION_TASK)


@shared_task(name=story.ACCEPT_TASK)
def decide_corrections(job_id: int) -> None:
    carry_out(job_id, simulation.decide_corrections, task=story.ACCEPT_TASK)
