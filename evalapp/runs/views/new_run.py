"""One page for every kind of run."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.form_choice import FormChoice, answer_with_choice
from evalapp.core.http import RefusalsOn, download, get_or_missing
from evalapp.core.uploads import takes_imports
from evalapp.datasets.row_ids import item_field_of
from evalapp.registry import queries as registry
from evalapp.registry.models import ModelKind
from evalapp.registry.services import register_imported
from evalapp.runs import queries, services
from evalapp.runs.forms.runs import GenerationForm, OutputsForm, TrainingForm, initial_of
from evalapp.runs.forms.sweeps import SweepForm
from evalapp.runs.generation.answers import read_answers
from evalapp.runs.models import TRAINING_KINDS
from evalapp.runs.programs.model_programs import absent_engines, why_not_runnable
from evalapp.runs.sweeps.services import start_sweep
from evalapp.runs.views.runs import run_started_response

Answer = HttpResponseBase | dict[str, Any]


def _training(request: MemberRequest) -> Answer:
    """Training form; ``of`` in the URL is a run whose settings it starts with."""
    form = TrainingForm(request.POST or None, project=request.project, initial=_initial_training(request))
    if "several" in request.POST:
        # Carry the filled-in fields over to the sweep form.
        filled = {name: request.POST[name] for name in form.fields if request.POST.get(name)}
        query = urlencode({"kind": "sweep", **filled})
        return redirect(f"{reverse('run_new', args=[request.project.slug])}?{query}")
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        start = services.start_dry_run if "dry_run" in request.POST else services.start_training
        with RefusalsOn(form):
            run = start(
                project=request.project,
                dataset_version=values["dataset_version"],
                base=values["base"],
                continued_from=values["continued_from"],
                name=values["name"],
                hyperparameters=form.hyperparameters,
                by=request.user,
            )
            return run_started_response(request, run)
    return {"form": form, "problem": why_not_runnable()}


def _sweep(request: MemberRequest) -> Answer:
    """Sweep form; a preview lists the trainings and starts none. ``of`` in the URL as for a training."""
    form = SweepForm(request.POST or None, project=request.project, initial=_initial_training(request))
    names: list[str] = []
    if request.method == "POST" and form.is_valid():
        if "preview" in request.POST:
            names = form.names
        else:
            values = form.cleaned_data
            with RefusalsOn(form):
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
                messages.success(
                    request,
                    f"{sweep.runs.count()} trainings wait for the model worker; this page follows them.",
                )
                return redirect("sweep_detail", slug=request.project.slug, sweep_id=sweep.pk)
    return {"form": form, "names": names, "problem": why_not_runnable()}


def _generation(request: MemberRequest) -> Answer:
    form = GenerationForm(request.POST or None, project=request.project, initial=_initial(request.GET))
    if request.method == "POST" and form.is_valid():
        asked = {
            "project": request.project,
            "dataset_version": form.cleaned_data["dataset_version"],
            "splits": form.cleaned_data["splits"],
            "candidates": list(form.cleaned_data["candidates"]),
            "sampling": form.sampling,
        }
        with RefusalsOn(form):
            if "batch_file" in request.POST:
                return download("batch.jsonl", "application/jsonl", services.batch_file(**asked))
            run = services.start_generation(**asked, name=form.cleaned_data["name"], by=request.user)
            return run_started_response(request, run)
    asks_endpoints = registry.candidates_of(request.project).filter(kind=ModelKind.ENDPOINT).exists()
    return {
        "form": form,
        "problem": why_not_runnable(),
        "absent_engines": absent_engines(),
        "asks_endpoints": asks_endpoints,
    }


def _import(request: MemberRequest) -> Answer:
    form = OutputsForm(
        request.POST or None, request.FILES or None, project=request.project, initial=_initial(request.GET)
    )
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        with RefusalsOn(form):
            with transaction.atomic():
                candidate = values["candidate"] or register_imported(
                    project=request.project, label=values["new_label"], by=request.user
                )
                version, file = values["dataset_version"], values["file"]
                item_field = item_field_of(version.examples.all(), values["item_field"], of=version)
                run = services.import_outputs(
                    project=request.project,
                    dataset_version=version,
                    candidate=candidate,
                    rows=read_answers(file.file, file.name, id_field=item_field, candidate=candidate.label),
                    item_field=item_field,
                    name=values["name"],
                    by=request.user,
                )
            messages.success(request, f"Imported {run.rows['used']:,} answers.")
            return redirect("run_detail", slug=request.project.slug, run_id=run.pk)
    return {"form": form}


def _initial_training(request: MemberRequest) -> dict[str, Any]:
    """A training form's initial values from the URL, where ``of`` is a run to take settings from."""
    given = _initial(request.GET)
    of = given.pop("of", "")
    if not of:
        return given
    learning = queries.runs_of(request.project).filter(kind__in=TRAINING_KINDS)
    return initial_of(get_or_missing(learning, pk=int(of) if of.isdecimal() and len(of) < 19 else 0)) | given


def _initial(query: QueryDict) -> dict[str, Any]:
    """Initial values from a link on another page; a form ignores fields that it does not have."""
    lists = {"splits", "candidates"}
    return {name: query.getlist(name) if name in lists else query[name] for name in query}


KINDS = (
    FormChoice(
        "training",
        "Training",
        "An adapter or a full model, from the training rows of a dataset version. Rows of an evaluation split"
        " are refused (contamination check).",
        _training,
    ),
    FormChoice(
        "sweep",
        "Sweep",
        "Several trainings at once that differ only in a few settings and are validated on the same rows,"
        " so that they can be compared. Each creates its own candidate.",
        _sweep,
    ),
    FormChoice(
        "generation",
        "Generation",
        "Every candidate gets every row of the chosen splits, with the same sampling parameters.",
        _generation,
    ),
    FormChoice(
        "import",
        "Imported outputs",
        "Outputs of another system, reviewed beside the others. All rows are stored, or none.",
        _import,
    ),
)


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.START_RUNS)
def run_new(request: MemberRequest) -> HttpResponseBase:
    """Form for a new run: ``kind`` in the URL selects its kind, ``of`` a run whose settings the form starts
    with.
    """
    return answer_with_choice(request, "runs/run_new.html", KINDS, parameter="kind")
