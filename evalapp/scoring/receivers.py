"""Starts scoring when a run's outputs are stored."""

from typing import Any

from django.dispatch import receiver

from evalapp.runs.models import Run
from evalapp.runs.signals import outputs_stored
from evalapp.scoring.services import start_scoring


@receiver(outputs_stored)
def score_new_outputs(sender: type[Run], run: Run, **kwargs: Any) -> None:
    if run.outputs.exists():
        start_scoring(run=run, by=run.created_by)
