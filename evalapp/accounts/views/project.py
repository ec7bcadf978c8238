"""A project's settings and its end. Its creation is in `evalapp.decisions`, beside the start page."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.deletion import delete_project
from evalapp.accounts.forms import DeleteProjectForm, ProjectForm
from evalapp.accounts.permissions import Permission
from evalapp.accounts.services import update_project
from evalapp.core.errors import InvalidError
from evalapp.core.http import field_errors


@project_view(Permission.MANAGE_MEMBERS)
def project_settings(request: MemberRequest) -> HttpResponse:
    project = request.project
    form = ProjectForm(
        request.POST or None, initial={"name": project.name, "description": project.description}
    )
    if request.method == "POST" and form.is_valid():
        update_project(project=project, by=request.user, **form.cleaned_data)
        messages.success(request, "Saved.")
        return redirect("project_settings", project.slug)
    status = 400 if form.errors else 200
    context = {"form": form, "station": "settings", "delete_form": DeleteProjectForm()}
    return render(request, "accounts/project_settings.html", context, status=status)


@require_POST
@project_view(Permission.DELETE_PROJECT)
def project_delete(request: MemberRequest) -> HttpResponse:
    form = DeleteProjectForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Type the project's name to delete it.", fields=field_errors(form))
    name = request.project.name
    delete_project(project=request.project, typed_name=form.cleaned_data["typed_name"], by=request.user)
    messages.success(request, f"“{name}” and everything in it is deleted.")
    return redirect("/")
