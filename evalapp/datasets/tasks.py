from celery import shared_task

from evalapp.datasets.counterfactuals.services import COUNTERFACTUALS_TASK
from evalapp.datasets.counterfactuals.services import write_counterfactuals as carry_out_writing
from evalapp.datasets.importing import import_rows
from evalapp.datasets.recipes.services import RECIPE_TASK, write_by_recipe
from evalapp.datasets.services import IMPORT_TASK
from evalapp.jobs.work import carry_out


@shared_task(name=IMPORT_TASK)
def import_dataset(job_id: int) -> None:
    carry_out(job_id, import_rows, task=IMPORT_TASK)


@shared_task(name=RECIPE_TASK)
def write_version_by_recipe(job_id: int) -> None:
    carry_out(job_id, write_by_recipe, task=RECIPE_TASK)


@shared_task(name=COUNTERFACTUALS_TASK)
def write_counterfactuals(job_id: int) -> None:
    carry_out(job_id, carry_out_writing, task=COUNTERFACTUALS_TASK)
