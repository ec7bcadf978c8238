"""Page of a model download from a hub."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.artifacts.queries import hub_downloads_of
from evalapp.core.http import get_or_missing
from evalapp.jobs.queries import latest_events


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
