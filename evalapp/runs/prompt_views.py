"""Prompts as candidates: the baseline that tuning has to beat."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.registry import queries as registry
from evalapp.registry.endpoints import register_endpoint_model
from evalapp.registry.services import register_prompt
from evalapp.runs import queries
from evalapp.runs.prompt_forms import EndpointModelForm, PromptForm


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def prompt_new(request: MemberRequest) -> HttpResponse:
    """The form, filled in by what the URL says; a preview of what the model gets stores nothing."""
    form = PromptForm(request.POST or None, project=request.project, initial=request.GET.dict())
    preview = None
    if form.is_bound and form.is_valid():
        if "preview" in request.POST:
            preview = form.preview()
        else:
            values = form.cleaned_data
            try:
                version = register_prompt(
                    project=request.project,
                    by=request.user,
                    base=values["base"],
                    label=values["label"],
                    **form.words,
                )
            except ProblemError as error:
                show_problem(form, error)
            else:
                messages.success(request, f"Registered “{version.label}”.")
                return redirect("model_version", slug=request.project.slug, version_id=version.pk)
    return prompt_page(request, form, preview=preview)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def endpoint_model_new(request: MemberRequest, endpoint_id: int) -> HttpResponse:
    """A candidate at a URL; a preview of what the model gets asks nothing."""
    endpoint = get_or_missing(registry.endpoints_of(request.project), pk=endpoint_id)
    form = EndpointModelForm(request.POST or None, project=request.project)
    preview = None
    if form.is_bound and form.is_valid():
        if "preview" in request.POST:
            preview = form.preview()
        else:
            values = form.cleaned_data
            try:
                version = register_endpoint_model(
                    endpoint=endpoint,
                    by=request.user,
                    label=values["label"],
                    model=values["model"],
                    request=values["request"],
                    **form.words,
                )
            except ProblemError as error:
                show_problem(form, error)
            else:
                messages.success(request, f"Registered “{version.label}”.")
                return redirect("model_version", slug=request.project.slug, version_id=version.pk)
    context = {"endpoint": endpoint, "form": form, "preview": preview}
    return render(request, "runs/endpoint_model_new.html", context, status=400 if form.errors else 200)


def prompt_page(request: MemberRequest, form: PromptForm, **context: Any) -> HttpResponse:
    """The form of a prompt, wherever its first values come from."""
    context |= {"form": form, "tried": queries.prompts_tried(request.project)}
    return render(request, "runs/prompt_new.html", context, status=400 if form.errors else 200)
