"""Models of a hub on their way into the registry."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.artifacts.forms import HubForm
from evalapp.artifacts.hub import start_download, why_not_reachable
from evalapp.artifacts.queries import hub_downloads_of
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.jobs.queries import latest_events

_SHOWN = 10


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_MODELS)
def hub_new(request: MemberRequest) -> HttpResponse:
    form = HubForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            download = start_download(
                project=request.project, repository=values["repository"], revision=values["revision"],
                name=values["name"], chat_template=values["template_file"], by=request.user,
            )  # fmt: skip
        except ProblemError as error:
            show_problem(form, error)
        else:
            return redirect("hub_download", request.project.slug, download.pk)
    context = {
        "form": form,
        "problem": why_not_reachable(),
        "downloads": hub_downloads_of(request.project).order_by("-pk")[:_SHOWN],
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "artifacts/hub_new.html", context, status=status)


@require_safe
@project_view(Permission.VIEW_MODELS)
def hub_download(request: MemberRequest, download_id: int) -> HttpResponse:
    download = get_or_missing(hub_downloads_of(request.project), pk=download_id)
    context = {
        "download": download,
        "job": download.job,
        "events": latest_events(download.job),
    }
    return render(request, "artifacts/hub_download.html", context)
