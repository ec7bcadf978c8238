from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.embedded.programs import QUEUES
from evalapp.jobs.models import Priority
from evalapp.runs.execution.queue_page import queue_view


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_queue(request: MemberRequest) -> HttpResponse:
    """Running jobs, waiting jobs with reasons, and paused jobs."""
    queues = [queue_view(request.project, name) for name in reversed(QUEUES)]
    context = {"queues": queues, "priorities": Priority.choices}
    return render(request, "runs/queue.html", context)
