from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import show_problem
from evalapp.core.paging import keyset_page
from evalapp.core.uploads import takes_imports
from evalapp.registry import queries, services
from evalapp.registry.forms import AdapterForm, BaseModelForm, ImportedForm
from evalapp.registry.models import ModelVersion


@require_safe
@project_view(Permission.VIEW_MODELS)
def model_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(queries.models_of(request.project), request)
    return render(request, "registry/model_list.html", {"page": page})


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def base_new(request: MemberRequest) -> HttpResponse:
    form = BaseModelForm(request.POST or None, request.FILES or None)
    return _answered(request, "registry/base_new.html", form, lambda values: services.register_base(
        project=request.project, by=request.user, name=values["name"], folder=values["folder"],
        chat_template=values["template_file"],
    ))  # fmt: skip


@takes_imports
@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def adapter_new(request: MemberRequest) -> HttpResponse:
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

    return _answered(request, "registry/adapter_new.html", form, register)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def imported_new(request: MemberRequest) -> HttpResponse:
    form = ImportedForm(request.POST or None)
    return _answered(request, "registry/imported_new.html", form, lambda values: services.register_imported(
        project=request.project, by=request.user, label=values["label"]
    ))  # fmt: skip


def _answered(
    request: MemberRequest,
    template: str,
    form: forms.Form,
    register: Callable[[dict[str, Any]], ModelVersion],
) -> HttpResponse:
    """The form's page, or after a good post the new version's page; a service's refusal
    stands in the form.
    """
    if request.method == "POST" and form.is_valid():
        try:
            version = register(form.cleaned_data)
        except ProblemError as error:
            show_problem(form, error)
        else:
            messages.success(request, f"Registered “{version.label}”.")
            return redirect("model_version", slug=request.project.slug, version_id=version.pk)
    return _page(request, template, form)


def _page(request: MemberRequest, template: str, form: forms.Form, **context: Any) -> HttpResponse:
    status = 400 if form.is_bound and form.errors else 200
    return render(request, template, {"form": form, **context}, status=status)
