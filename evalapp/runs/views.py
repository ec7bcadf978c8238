from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.core.simulated_mark import marked
from evalapp.core.uploads import takes_imports
from evalapp.datasets.row_ids import row_ids_of
from evalapp.jobs.queries import latest_events
from evalapp.registry import queries as registry
from evalapp.registry.models import ModelKind
from evalapp.registry.services import register_imported
from evalapp.runs import queries, services
from evalapp.runs.answers import read_answers
from evalapp.runs.dry_run_page import dry_run_context
from evalapp.runs.forms import GenerationForm, OutputsForm, TrainingForm, initial_of
from evalapp.runs.loss_chart import loss_chart
from evalapp.runs.model_programs import absent_engines, why_not_runnable
from evalapp.runs.models import TRAINING_KINDS, Run, RunKind
from evalapp.runs.sample_answers import shown_samples
from evalapp.runs.shortage import half_batch, start_with_half_batch
from evalapp.runs.training_figures import latest_figures
from evalapp.runs.usage import candidate_usage, cut_json

OUTPUTS_ON_PAGE = 20


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_list(request: MemberRequest) -> HttpResponse:
    kind = request.GET.get("kind", "")
    page = keyset_page(queries.runs_of(request.project, kind=kind), request)
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
        return _look_page(request, run)
    usage = candidate_usage(run) if run.kind not in TRAINING_KINDS else []
    context = {
        "run": run,
        "job": run.job,
        "events": latest_events(run.job),
        "contamination_decisions": [run.contamination_decision] if run.contamination_decision else [],
        "usage": usage,
        "cut_json": cut_json(run, usage),
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
    """The partial with the loss curve, which asks for itself while the training goes on."""
    run = _run(request, run_id)
    return render(request, "runs/loss.html", {"run": run, "job": run.job, **_loss_context(run)})


@require_safe
@project_view(Permission.VIEW_RUNS)
def run_samples(request: MemberRequest, run_id: int) -> HttpResponse:
    """The partial with the sample answers; nothing (204) where none came after the step that
    ``after`` names.
    """
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
        {"label": marked(each.label, each), "href": f"?candidate={each.pk}", "on": each == chosen}
        for each in candidates
    ]
    context = {"run": run, "page": page, "filters": filters}
    return render(request, "runs/run_outputs.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.START_RUNS)
def training_new(request: MemberRequest) -> HttpResponse:
    """``of`` in the URL names a run whose settings the form begins with."""
    form = TrainingForm(request.POST or None, project=request.project, initial=initial_training(request))
    if "several" in request.POST:
        # What was filled in so far goes on to the form of several.
        filled = {name: request.POST[name] for name in form.fields if request.POST.get(name)}
        return redirect(f"{reverse('sweep_new', args=[request.project.slug])}?{urlencode(filled)}")
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        start = services.start_dry_run if "dry_run" in request.POST else services.start_training
        try:
            run = start(
                project=request.project,
                dataset_version=values["dataset_version"],
                base=values["base"],
                continued_from=values["continued_from"],
                name=values["name"],
                hyperparameters=form.hyperparameters,
                by=request.user,
            )
        except ProblemError as error:
            show_problem(form, error)
        else:
            return _started(request, run)
    return form_page(request, "runs/training_new.html", form)


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
    return _started(request, run)


@require_POST
@project_view(Permission.START_RUNS)
def run_half_batch(request: MemberRequest, run_id: int) -> HttpResponse:
    """Start anew, with half the rows at a time, a run whose memory was not enough."""
    run = start_with_half_batch(run=_run(request, run_id), by=request.user)
    return _started(request, run)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.START_RUNS)
def generation_new(request: MemberRequest) -> HttpResponseBase:
    form = GenerationForm(request.POST or None, project=request.project, initial=_initial(request.GET))
    if request.method == "POST" and form.is_valid():
        asked = {
            "project": request.project,
            "dataset_version": form.cleaned_data["dataset_version"],
            "splits": form.cleaned_data["splits"],
            "candidates": list(form.cleaned_data["candidates"]),
            "sampling": form.sampling,
        }
        try:
            if "batch_file" in request.POST:
                return _batch_file(services.batch_file(**asked))
            run = services.start_generation(**asked, name=form.cleaned_data["name"], by=request.user)
        except ProblemError as error:
            show_problem(form, error)
        else:
            return _started(request, run)
    asks_endpoints = registry.candidates_of(request.project).filter(kind=ModelKind.ENDPOINT).exists()
    return form_page(
        request,
        "runs/generation_new.html",
        form,
        absent_engines=absent_engines(),
        asks_endpoints=asks_endpoints,
    )


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.START_RUNS)
def outputs_import(request: MemberRequest) -> HttpResponse:
    form = OutputsForm(
        request.POST or None, request.FILES or None, project=request.project, initial=_initial(request.GET)
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            with transaction.atomic():
                candidate = values["candidate"] or register_imported(
                    project=request.project, label=values["new_label"], by=request.user
                )
                run = services.import_outputs(
                    project=request.project,
                    dataset_version=values["dataset_version"],
                    candidate=candidate,
                    rows=read_answers(
                        values["file"].file,
                        values["file"].name,
                        id_field=row_ids_of(values["dataset_version"].examples.all()).field,
                    ),
                    name=values["name"],
                    by=request.user,
                )
        except ProblemError as error:
            show_problem(form, error)
        else:
            messages.success(request, f"Imported {run.rows['used']:,} answers.")
            return redirect("run_detail", slug=request.project.slug, run_id=run.pk)
    return form_page(request, "runs/outputs_import.html", form)


def _batch_file(lines: Iterable[str]) -> HttpResponseBase:
    response = StreamingHttpResponse(lines, content_type="application/jsonl")
    response["Content-Disposition"] = 'attachment; filename="batch.jsonl"'
    # A streamed answer and a plain one are the same to whoever asks.
    return response


def _look_page(request: MemberRequest, run: Run) -> HttpResponse:
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
        return {"points": [], "chart": None, "figures": []}
    points = queries.points_of(run)
    return {
        "curves": run.objective.curves if run.objective else (),
        "points": points,
        "chart": loss_chart([(point.step, point.values) for point in points]),
        "figures": latest_figures(points, run.job),
    }


def _samples_context(run: Run) -> dict[str, Any]:
    if run.kind != RunKind.TRAINING:
        return {"samples": [], "sampled_at": 0}
    samples = shown_samples(run)
    return {"samples": samples, "sampled_at": max((each.answers[-1].step for each in samples), default=0)}


def initial_training(request: MemberRequest) -> dict[str, Any]:
    """A training form's fields as the URL gives them; ``of`` there names a run to begin with."""
    given = _initial(request.GET)
    of = given.pop("of", "")
    if not of:
        return given
    learning = queries.runs_of(request.project).filter(kind__in=TRAINING_KINDS)
    return initial_of(get_or_missing(learning, pk=int(of) if of.isdecimal() and len(of) < 19 else 0)) | given


def _initial(query: QueryDict) -> dict[str, Any]:
    """Fields that a link from another page fills in; a form ignores what is not its own."""
    lists = {"splits", "candidates"}
    return {name: query.getlist(name) if name in lists else query[name] for name in query}


def _started(request: MemberRequest, run: Run) -> HttpResponse:
    # An API model is asked by whatever worker is free.
    whom = "the model worker" if run.job.queue == "models" else "a worker"
    messages.success(request, f"“{run.name}” waits for {whom}; this page follows it.")
    return redirect("run_detail", slug=request.project.slug, run_id=run.pk)


def form_page(request: MemberRequest, template: str, form: forms.Form, **context: Any) -> HttpResponse:
    status = 400 if form.is_bound and form.errors else 200
    context |= {"form": form, "problem": why_not_runnable()}
    return render(request, template, context, status=status)
