"""Pages of external metrics."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.core.uploads import takes_imports
from evalapp.runs.models import Output
from evalapp.scoring import external
from evalapp.scoring.external_rows import read_scores
from evalapp.scoring.forms import ExternalMetricForm, ScoresForm
from evalapp.scoring.models import ExternalMetric
from evalapp.scoring.score_join import JoinedLine, item_field_of_run, labels_of


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.START_RUNS)
def external_metric_list(request: MemberRequest) -> HttpResponse:
    """The project's external metrics; a POST creates one."""
    form = ExternalMetricForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with RefusalsOn(form):
            metric = external.create_external_metric(
                project=request.project, by=request.user, **form.cleaned_data
            )
            messages.success(request, "Created. Next, upload its scores.")
            return redirect("external_metric", request.project.slug, metric.pk)
    context = {
        "form": form,
        "metrics": list(external.external_metrics_of(request.project).order_by("name")),
    }
    return render(request, "scoring/external_list.html", context, status=400 if form.errors else 200)


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS, post=Permission.START_RUNS)
def external_metric(request: MemberRequest, metric_id: int) -> HttpResponse:
    """A metric with the runs that have values of it; a POST stores a file of scores, all or none, or only
    checks it.
    """
    metric = _metric(request, metric_id)
    data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    form = ScoresForm(data, files, project=request.project)
    checks_only = request.POST.get("action") == "check"
    checked = None
    if form.is_valid():
        with RefusalsOn(form):
            stored = _store_file(request, metric, form, checks_only=checks_only)
            if not checks_only:
                messages.success(request, _stored_scores_words(stored))
                return redirect("external_metric", request.project.slug, metric.pk)
            checked = stored
    context = {
        "metric": metric,
        "form": form,
        "coverage": external.coverage_of(metric),
        "checks_only": checks_only,
        "checked": checked,
        "first_lines": _with_outputs(checked.first) if checked else [],
    }
    # The result of a check is shown in the page that still has the chosen file; a status of 400 would prevent
    # that.
    status = 400 if form.errors and not checks_only else 200
    return render(request, "scoring/external.html", context, status=status)


def _store_file(
    request: MemberRequest, metric: ExternalMetric, form: ScoresForm, *, checks_only: bool
) -> external.StoredScores:
    file, run = form.cleaned_data["file"], form.cleaned_data["run"]
    item_field = item_field_of_run(run, form.cleaned_data["item_field"])
    return external.store_scores(
        metric=metric,
        scores=read_scores(file.file, file.name, item_field=item_field, candidates=labels_of(run)),
        run=run,
        item_field=item_field,
        checks_only=checks_only,
        by=request.user,
    )


def _stored_scores_words(stored: external.StoredScores) -> str:
    joined = " and ".join(f"{count:,} by {how}" for how, count in stored.joined_by.items())
    without = (
        f" {stored.without_score:,} outputs of the run have no score in this file."
        if stored.without_score
        else ""
    )
    return (
        f"{stored.added:,} scores are new, {stored.changed:,} replaced others, {stored.unchanged:,} were"
        f" stored already; joined: {joined}.{without}"
    )


def _with_outputs(lines: list[JoinedLine]) -> list[tuple[JoinedLine, Output]]:
    outputs = Output.objects.select_related("example", "candidate").in_bulk([line.output for line in lines])
    return [(line, outputs[line.output]) for line in lines]


@require_POST
@project_view(Permission.START_RUNS)
def external_metric_delete(request: MemberRequest, metric_id: int) -> HttpResponse:
    metric = _metric(request, metric_id)
    deleted = external.delete_external_metric(metric=metric, by=request.user)
    messages.success(request, f"“{metric.name}” and its {deleted:,} scores are deleted.")
    return redirect("external_metric_list", request.project.slug)


def _metric(request: MemberRequest, metric_id: int) -> ExternalMetric:
    return get_or_missing(external.external_metrics_of(request.project), pk=metric_id)
