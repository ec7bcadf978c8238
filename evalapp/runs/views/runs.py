from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.jobs.queries import latest_events
from evalapp.runs import queries, services
from evalapp.runs.execution.shortage import half_batch, start_with_half_batch
from evalapp.runs.models import TRAINING_KINDS, Run, RunKind
from evalapp.runs.programs.model_programs import absent_engines, why_not_runnable
from evalapp.runs.training.dry_run_page import dry_run_context
from evalapp.runs.training.latest_metrics import latest_metrics
from evalapp.runs.training.loss_chart import loss_chart
from evalapp.runs.training.sample_answers import shown_samples
from evalapp.runs.usage import candidate_usage, count_truncated_json

OUTPUTS_ON_PAGE = 20


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_list(request: MemberRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    # Outputs sampled from streams have their own pages.
    runs = queries.runs_of(request.project, kind=kind).exclude(
        candidates__model_version__stream__isnull=False
    )
    page = keyset_page(runs, request)
    kinds = [("", "All"), *RunKind.choices]
    filters = [
        {"label": label, "href": f"?kind={key}" if key else "?", "on": key == kind} for key, label in kinds
    ]
    context = {
        "page": page,
        "filters": filters,
        "kind": kind,
        "problem": why_not_runnable(),
    }
    return render(request, "runs/run_list.html", context)


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_detail(request: MemberRequest, run_id: int) -> HttpResponse:
    run = _run(request, run_id)
    if run.kind == RunKind.DRY_RUN:
        return _dry_run_page(request, run)
    usage = candidate_usage(run) if run.kind not in TRAINING_KINDS else []
    context = {
        "run": run,
        "job": run.job,
        "events": latest_events(run.job),
        "contamination_decisions": [run.contamination_decision] if run.contamination_decision else [],
        "usage": usage,
        "cut_json": count_truncated_json(run, usage),
        "outputs": queries.sample_outputs(run) if run.kind != RunKind.TRAINING else [],
        "splits": queries.split_counts(run.dataset_version),
        "absent_engines": absent_engines() if run.kind == RunKind.GENERATION else {},
        "half_batch": half_batch(run),
        **_loss_context(run),
        **_samples_context(run),
    }
    return render(request, "runs/run_detail.html", context)


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_loss(request: MemberRequest, run_id: int) -> HttpResponse:
    """Partial with the loss curve, which reloads itself during the training."""
    run = _run(request, run_id)
    return render(request, "runs/loss.html", {"run": run, "job": run.job, **_loss_context(run)})


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_samples(request: MemberRequest, run_id: int) -> HttpResponse:
    """Partial with the sample answers; empty (204) if none came after the step in ``after``."""
    run = _run(request, run_id)
    context = _samples_context(run)
    if run.job.is_active and str(context["sampled_at"]) == request.GET.get("after"):
        return HttpResponse(status=204)
    return render(request, "runs/samples.html", {"run": run, "job": run.job, **context})


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_outputs(request: MemberRequest, run_id: int) -> HttpResponse:
    run = _run(request, run_id)
    candidates = [entry.model_version for entry in run.candidates.all()]
    chosen = next((each for each in candidates if str(each.pk) == request.GET.get("candidate")), None)
    page = keyset_page(
        queries.outputs_of(run, candidate=chosen), request, order=("example_id", "id"), size=OUTPUTS_ON_PAGE
    )
    filters = [{"label": "All candidates", "href": "?", "on": chosen is None}]
    filters += [
        {"label": each.label, "href": f"?candidate={each.pk}", "on": each == chosen} for each in candidates
    ]
    context = {"run": run, "page": page, "filters": filters}
    return render(request, "runs/run_outputs.html", context)


@require_POST
@project_view(Permission.START_RUNS)
def dry_run_start(request: MemberRequest, run_id: int) -> HttpResponse:
    """Start the training of the dry run."""
    dry_run = _run(request, run_id)
    try:
        run = services.start_training_of(dry_run=dry_run, by=request.user)
    except ProblemError as error:
        messages.error(request, error.message)
        return redirect("run_detail", slug=request.project.slug, run_id=dry_run.pk)
    return run_started_response(request, run)


@require_POST
@project_view(Permission.START_RUNS)
def run_half_batch(request: MemberRequest, run_id: int) -> HttpResponse:
    """Restart a run that ran out of memory, with half the batch size."""
    run = start_with_half_batch(run=_run(request, run_id), by=request.user)
    return run_started_response(request, run)


def _dry_run_page(request: MemberRequest, run: Run) -> HttpResponse:
    context = {
        "run": run,
        "job": run.job,
        "events": latest_events(run.job),
        "problem": why_not_runnable(),
        **dry_run_context(run),
    }
    return render(request, "runs/dry_run.html", context)


def _run(request: MemberRequest, run_id: int) -> Run:
    return get_or_missing(queries.runs_of(request.project), pk=run_id)


def _loss_context(run: Run) -> dict[str, Any]:
    if run.kind != RunKind.TRAINING:
        return {"points": [], "chart": None, "metrics": []}
    points = queries.points_of(run)
    return {
        "curves": run.objective.curves if run.objective else (),
        "points": points,
        "chart": loss_chart([(point.step, point.values) for point in points]),
        "metrics": latest_metrics(points, run.job),
    }


def _samples_context(run: Run) -> dict[str, Any]:
    if run.kind != RunKind.TRAINING:
        return {"samples": [], "sampled_at": 0}
    samples = shown_samples(run)
    return {"samples": samples, "sampled_at": max((each.answers[-1].step for each in samples), default=0)}


def run_started_response(request: MemberRequest, run: Run) -> HttpResponse:
    # Any free worker can send requests to an API model.
    whom = "the model worker" if run.job.queue == "models" else "a worker"
    messages.success(request, f"“{run.name}” waits for {whom}; this page follows it.")
    return redirect("run_detail", slug=request.project.slug, run_id=run.pk)
