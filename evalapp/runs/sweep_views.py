"""Several trainings at once: the form, their list, and their end. Their page stands in `evalapp.analysis`."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.runs import queries
from evalapp.runs.sweep_forms import SweepForm
from evalapp.runs.sweeps import cancel_sweep, start_sweep
from evalapp.runs.views import form_page, initial_training


@require_safe
@project_view(Permission.VIEW_RUNS)
def sweep_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.sweeps_of(request.project), request)
    return render(request, "runs/sweep_list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.START_RUNS)
def sweep_new(request: MemberRequest) -> HttpResponse:
    """A preview names the trainings and starts none; ``of`` in the URL as for one training."""
    form = SweepForm(request.POST or None, project=request.project, initial=initial_training(request))
    names: list[str] = []
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            names = form.names
        else:
            values = form.cleaned_data
            try:
                sweep = start_sweep(
                    project=request.project,
                    dataset_version=values["dataset_version"],
                    base=values["base"],
                    continued_from=values["continued_from"],
                    name=values["name"],
                    hyperparameters=form.hyperparameters,
                    axes=form.axes,
                    by=request.user,
                )
            except ProblemError as error:
                show_problem(form, error)
            else:
                messages.success(
                    request,
                    f"{sweep.runs.count()} trainings wait for the model worker; this page follows them.",
                )
                return redirect("sweep_detail", slug=request.project.slug, sweep_id=sweep.pk)
    return form_page(request, "runs/sweep_new.html", form, names=names)


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
        messages.success(request, f"{cancelled} {word} cancelled; one that goes on saves its work first.")
    return redirect("sweep_detail", slug=request.project.slug, sweep_id=sweep.pk)
