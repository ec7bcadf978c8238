"""A project's settings. Creation and deletion are in `evalapp.decisions`, which knows everything in a
project.
"""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.forms import DeleteProjectForm, ProjectSettingsForm, settings_of
from evalapp.accounts.permissions import Permission
from evalapp.accounts.services import update_project
from evalapp.core.http import RefusalsOn


@project_view(Permission.MANAGE_MEMBERS)
def project_settings(request: MemberRequest) -> HttpResponse:
    project = request.project
    form = ProjectSettingsForm(request.POST or None, initial=settings_of(project))
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            update_project(project=project, by=request.user, **form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect("project_settings", project.slug)
    status = 400 if form.errors else 200
    context = {
        "form": form,
        "delete_form": DeleteProjectForm(),
        "waits_for_jobs": False,
    }
    return render(request, "accounts/project_settings.html", context, status=status)
