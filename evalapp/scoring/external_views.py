"""Metrics that are computed elsewhere: their list, and each with its scores."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.scoring import external
from evalapp.scoring.external_forms import ExternalMetricForm, ScoresForm
from evalapp.scoring.external_rows import read_scores
from evalapp.scoring.models import ExternalMetric

STATION = "compare"


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.START_RUNS)
def external_metric_list(request: MemberRequest) -> HttpResponse:
    """The project's external metrics; a POST makes one."""
    form = ExternalMetricForm(request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            metric = external.create_external_metric(
                project=request.project, by=request.user, **form.cleaned_data
            )
        except ProblemError as error:
            show_problem(form, error)
        else:
            messages.success(request, "Made. Upload its scores next.")
            return redirect("external_metric", request.project.slug, metric.pk)
    context = {
        "station": STATION,
        "form": form,
        "metrics": list(external.external_metrics_of(request.project).order_by("name")),
    }
    return render(request, "scoring/external_list.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.START_RUNS)
def external_metric(request: MemberRequest, metric_id: int) -> HttpResponse:
    """A metric with the runs that it scores; a POST adds a file of scores, whole or not at all."""
    metric = _metric(request, metric_id)
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = ScoresForm(data, files, project=request.project)
    if form.is_bound and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            stored = external.store_scores(
                metric=metric,
                scores=read_scores(file.file, file.name),
                run=form.cleaned_data["run"],
                by=request.user,
            )
        except ProblemError as error:
            show_problem(form, error)
        else:
            messages.success(
                request,
                f"{stored.added:,} scores are new, {stored.changed:,} replaced others, "
                f"{stored.unchanged:,} stood there already.",
            )
            return redirect("external_metric", request.project.slug, metric.pk)
    context = {"station": STATION, "metric": metric, "form": form, "coverage": external.coverage_of(metric)}
    return render(request, "scoring/external.html", context, status=400 if form.errors else 200)


@require_POST
@project_view(Permission.START_RUNS)
def external_metric_delete(request: MemberRequest, metric_id: int) -> HttpResponse:
    metric = _metric(request, metric_id)
    deleted = external.delete_external_metric(metric=metric, by=request.user)
    messages.success(request, f"“{metric.name}” and its {deleted:,} scores are deleted.")
    return redirect("external_metric_list", request.project.slug)


def _metric(request: MemberRequest, metric_id: int) -> ExternalMetric:
    return get_or_missing(external.external_metrics_of(request.project), pk=metric_id)
