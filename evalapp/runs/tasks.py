from celery import shared_task

from evalapp.jobs.work import carry_out
from evalapp.runs.execution.endpoint_answers import ask_endpoints
from evalapp.runs.execution.run_execution import dry_run, train
from evalapp.runs.execution.shard_workers import HELP_TASK, answer_all, answer_free_shards
from evalapp.runs.services import DRY_RUN_TASK, ENDPOINT_TASK, GENERATION_TASK, TRAINING_TASK


@shared_task(name=TRAINING_TASK)
def carry_out_training(job_id: int) -> None:
    carry_out(job_id, train, task=TRAINING_TASK)


@shared_task(name=DRY_RUN_TASK)
def carry_out_dry_run(job_id: int) -> None:
    carry_out(job_id, dry_run, task=DRY_RUN_TASK)


@shared_task(name=GENERATION_TASK)
def carry_out_generation(job_id: int) -> None:
    carry_out(job_id, answer_all, task=GENERATION_TASK)


@shared_task(name=HELP_TASK)
def carry_out_help(job_id: int) -> None:
    carry_out(job_id, answer_free_shards, task=HELP_TASK)


@shared_task(name=ENDPOINT_TASK)
def carry_out_asking(job_id: int) -> None:
    carry_out(job_id, ask_endpoints, task=ENDPOINT_TASK)
