"""The page that pushes a dataset version to a hub."""

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.artifacts.forms import PushForm
from evalapp.artifacts.pushes import start_push, why_not_pushable
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.datasets.queries import version_of


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_EXPORTS)
def dataset_push(request: MemberRequest, dataset_id: int, number: int) -> HttpResponse:
    """What will be sent where; a POST starts the push and redirects to its job."""
    version = get_or_missing(version_of(request.project), dataset_id=dataset_id, number=number)
    form = PushForm(request.POST or None, version=version)
    if form.is_valid():
        with RefusalsOn(form):
            push = start_push(version=version, by=request.user, **form.cleaned_data)
            return redirect("job_detail", request.project.slug, push.job_id)
    context = {
        "version": version,
        "dataset": version.dataset,
        "form": form,
        "hub": settings.HUB_URL,
        "problem": why_not_pushable(),
        "has_masked_rows": request.project.vault_entries.exists(),
    }
    return render(request, "artifacts/dataset_push.html", context, status=400 if form.is_bound else 200)
