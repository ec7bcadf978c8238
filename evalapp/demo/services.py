from contextlib import suppress

from django.db import transaction

from evalapp.accounts.models import Project, User
from evalapp.core.errors import ConflictError
from evalapp.decisions.deletion import delete_project
from evalapp.demo.models import Demonstration, Track
from evalapp.demo.recording import RECORDING
from evalapp.demo.stage_set import demonstration_project, email_of, set_stage
from evalapp.jobs.models import FINAL_STATES
from evalapp.jobs.services import request_cancel
from evalapp.runs.programs.model_programs import why_not_runnable


@transaction.atomic
def start_demonstration() -> Project:
    """Create the demonstration's project and recorded track and, if the model programs can run, its live
    track. Idempotent.
    """
    project = demonstration_project() or set_stage()
    if RECORDING.exists():
        Demonstration.objects.get_or_create(project=project, track=Track.RECORDED)
    if not why_not_runnable():
        Demonstration.objects.get_or_create(project=project, track=Track.LIVE)
    return project


def remove_demonstration() -> bool:
    """Delete the demonstration project with everything in it; False if there is none.

    Its jobs are cancelled. Raises JobsRunningError while one is still stopping.
    """
    project = demonstration_project()
    if project is None:
        return False
    owner = User.objects.get(email=email_of("owner"))
    for job in project.jobs.exclude(state__in=FINAL_STATES):
        with suppress(ConflictError):  # it has ended meanwhile
            request_cancel(job=job, by=owner)
    delete_project(project=project, typed_name=project.name, by=owner)
    return True
