"""Comparison of trainings; the selection is in the URL, so that it can be shared."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import InvalidError
from evalapp.runs.forms.runs import RunComparisonForm
from evalapp.runs.training.run_comparison import ABSCISSAE, MOST, chosen_runs, compare_runs, offered_runs


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_compare(request: MemberRequest) -> HttpResponse:
    """Compare trainings: ``run`` in the URL, repeatable, selects them; ``x`` selects the horizontal axis."""
    ids = request.GET.getlist("run")
    x = request.GET.get("x", "step")
    x = x if x in ABSCISSAE else "step"
    problem, compared = "", None
    if ids:
        try:
            compared = compare_runs(chosen_runs(request.project, ids), x=x)
        except InvalidError as error:
            problem = error.message
    offered = offered_runs(request.project)
    # Compared trainings stay in the list, however old, so that they can be deselected.
    offered += [run for run in (compared.runs if compared else []) if run not in offered]
    context = {
        "compared": compared,
        "problem": problem,
        "form": RunComparisonForm(runs=offered, initial={"run": ids, "x": x}),
        "most": MOST,
    }
    return render(request, "runs/run_compare.html", context, status=400 if problem else 200)
