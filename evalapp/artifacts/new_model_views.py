"""One page for every way to add a model to the project."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.artifacts.forms import HubForm
from evalapp.artifacts.hub import start_download, why_not_reachable
from evalapp.artifacts.queries import hub_downloads_of
from evalapp.core.errors import ConflictError, ProblemError
from evalapp.core.form_choice import FormChoice, answer_with_choice
from evalapp.core.http import RefusalsOn, get_or_missing, show_problem
from evalapp.core.uploads import takes_imports
from evalapp.exports.models import Export
from evalapp.exports.prompting import prompt_from
from evalapp.exports.queries import exports_of
from evalapp.registry import services
from evalapp.registry.endpoints import register_endpoint_model
from evalapp.registry.forms import AdapterForm, BaseModelForm, ImportedForm
from evalapp.registry.models import ModelVersion
from evalapp.runs import queries as runs
from evalapp.runs.forms.prompts import EndpointModelForm, PromptForm, ShowingForm

_DOWNLOADS_SHOWN = 10
LONGEST_ID = 19

Answer = HttpResponse | dict[str, Any]


def _registered(
    request: MemberRequest, form: forms.Form, register: Callable[[dict[str, Any]], ModelVersion]
) -> HttpResponse | None:
    """Redirect to the new version after a valid post; a service's error is shown in the form."""
    if not form.is_bound or not form.is_valid() or "preview" in request.POST:
        return None
    try:
        version = register(form.cleaned_data)
    except ProblemError as error:
        show_problem(form, error)
        return None
    messages.success(request, f"Registered “{version.label}”.")
    return redirect("model_version", slug=request.project.slug, version_id=version.pk)


def _base(request: MemberRequest) -> Answer:
    form = BaseModelForm(request.POST or None, request.FILES or None)
    done = _registered(request, form, lambda values: services.register_base(
        project=request.project, by=request.user, name=values["name"], folder=values["folder"],
        chat_template=values["template_file"],
    ))  # fmt: skip
    return done or {"form": form}


def _hub(request: MemberRequest) -> Answer:
    form = HubForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        values = form.cleaned_data
        with RefusalsOn(form):
            download = start_download(
                project=request.project, repository=values["repository"], revision=values["revision"],
                name=values["name"], chat_template=values["template_file"], by=request.user,
            )  # fmt: skip
            return redirect("hub_download", request.project.slug, download.pk)
    downloads = hub_downloads_of(request.project).order_by("-pk")[:_DOWNLOADS_SHOWN]
    return {"form": form, "problem": why_not_reachable(), "downloads": downloads}


def _adapter(request: MemberRequest) -> Answer:
    form = AdapterForm(request.POST or None, request.FILES or None, project=request.project)

    def register(values: dict[str, Any]) -> ModelVersion:
        common = {
            "project": request.project,
            "by": request.user,
            "base": values["base"],
            "label": values["label"],
        }
        if values["archive"]:
            return services.register_adapter_upload(upload=values["archive"].file, **common)
        return services.register_adapter_folder(folder=values["folder"], **common)

    return _registered(request, form, register) or {"form": form}


def _prompt(request: MemberRequest) -> Answer:
    """Prompt form, initialised from the URL or from the feedback of the export that it names."""
    export = _named_export(request)
    initial = prompt_from(export) if export else request.GET.dict()
    form = PromptForm(request.POST or None, project=request.project, initial=initial)
    done = _registered(request, form, lambda values: services.register_prompt(
        project=request.project, by=request.user, base=values["base"], label=values["label"], **form.words
    ))  # fmt: skip
    tried = runs.prompts_tried(request.project)
    return done or {"form": form, "preview": _preview(request, form), "export": export, "tried": tried}


def _named_export(request: MemberRequest) -> Export | None:
    named = request.GET.get("export", "")
    if not named:
        return None
    pk = int(named) if named.isdecimal() and len(named) < LONGEST_ID else 0
    export = get_or_missing(exports_of(request.project), pk=pk)
    if export.dataset_version is None:
        raise ConflictError("This export has not become a dataset version yet. Finish it first.")
    return export


def _endpoint(request: MemberRequest) -> Answer:
    form = EndpointModelForm(request.POST or None, project=request.project, initial=request.GET.dict())
    done = _registered(request, form, lambda values: register_endpoint_model(
        endpoint=values["endpoint"], by=request.user, label=values["label"], model=values["model"],
        request=values["request"], **form.words,
    ))  # fmt: skip
    return done or {"form": form, "preview": _preview(request, form)}


def _preview(request: MemberRequest, form: ShowingForm) -> list[dict[str, str]] | None:
    """The turns that the model would get; stores and sends nothing."""
    return form.preview() if "preview" in request.POST and form.is_valid() else None


def _imported(request: MemberRequest) -> Answer:
    form = ImportedForm(request.POST or None)
    done = _registered(request, form, lambda values: services.register_imported(
        project=request.project, by=request.user, label=values["label"]
    ))  # fmt: skip
    return done or {"form": form}


SOURCES = (
    FormChoice(
        "base",
        "Base model",
        "A model on the server. The files stay in their folder; they are checked and identified by their"
        " hash.",
        _base,
    ),
    FormChoice(
        "hub",
        "Hugging Face",
        "One commit is downloaded, checked and registered as a base model. Code and pickle files are not"
        " downloaded.",
        _hub,
    ),
    FormChoice(
        "adapter",
        "Adapter",
        "A LoRA adapter as safetensors. It is checked against its base model, then copied.",
        _adapter,
    ),
    FormChoice(
        "prompt",
        "Prompt",
        "The baseline that a fine-tuned model has to beat: the same base with a better prompt.",
        _prompt,
    ),
    FormChoice(
        "endpoint",
        "API model",
        "A model of an endpoint as it is, or with a system prompt, a template and examples. Each prompt is"
        " another candidate.",
        _endpoint,
    ),
    FormChoice(
        "imported",
        "Imported outputs",
        "A candidate whose outputs you import: from another system, or written by people.",
        _imported,
    ),
)


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def model_new(request: MemberRequest) -> HttpResponseBase:
    """Form for a new model; ``source`` in the URL selects its kind."""
    return answer_with_choice(request, "artifacts/model_new.html", SOURCES, parameter="source")
