"""Sweeps: list and cancelling. A sweep's page is in `evalapp.analysis`, its form in `new_run`."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.runs import queries
from evalapp.runs.sweeps.services import cancel_sweep


@require_safe
@project_view(Permission.VIEW_RUNS)
def sweep_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.sweeps_of(request.project), request)
    return render(request, "runs/sweep_list.html", {"page": page})


@require_POST
@project_view(Permission.START_RUNS)
def sweep_cancel(request: MemberRequest, sweep_id: int) -> HttpResponse:
    sweep = get_or_missing(queries.sweeps_of(request.project), pk=sweep_id)
    try:
        cancelled = cancel_sweep(sweep=sweep, by=request.user)
    except ProblemError as error:
        messages.error(request, error.message)
    else:
        word = "training was" if cancelled == 1 else "trainings were"
        messages.success(request, f"{cancelled} {word} cancelled; a running one saves its work first.")
    return redirect("sweep_detail", slug=request.project.slug, sweep_id=sweep.pk)
