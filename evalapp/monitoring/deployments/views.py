"""Pages of a project's deployments: recording one, and rolling back a stream."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission, allows
from evalapp.core.errors import NotAllowedError, ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.core.paging import keyset_page
from evalapp.monitoring.deployments.forms import DeploymentForm, RollBackForm
from evalapp.monitoring.deployments.queries import deployments_of
from evalapp.monitoring.deployments.services import end_deployment, record_deployment, roll_back
from evalapp.monitoring.queries import streams_of


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_MODELS)
def deployment_list(request: MemberRequest) -> HttpResponse:
    """The deployments, newest first, and the form that records one."""
    may_edit = allows(request.membership.role, Permission.EDIT_MODELS)
    if request.method == "POST" and not may_edit:
        raise NotAllowedError("Your role in this project may not record deployments.")
    form = DeploymentForm(request.POST or None, project=request.project)
    if form.is_valid():
        with RefusalsOn(form):
            deployment = record_deployment(**form.values(), by=request.user)
            messages.success(request, f"{deployment} is recorded.")
            return redirect("deployment_list", request.project.slug)
    context = {
        "page": keyset_page(deployments_of(request.project), request),
        "form": form if may_edit and request.project.streams.filter(ended_at=None).exists() else None,
        "has_streams": request.project.streams.exists(),
    }
    return render(request, "monitoring/deployments.html", context, status=status_of(form))


@require_POST
@project_view(Permission.EDIT_MODELS)
def deployment_end(request: MemberRequest, deployment_id: int) -> HttpResponse:
    deployment = get_or_missing(deployments_of(request.project), pk=deployment_id)
    try:
        end_deployment(deployment=deployment, by=request.user)
    except ProblemError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, f"{deployment} has ended.")
    return redirect("deployment_list", request.project.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.DECIDE)
def stream_roll_back(request: MemberRequest, stream_id: int) -> HttpResponse:
    """Confirm a rollback: the version that gets the traffic, and the reason."""
    stream = get_or_missing(streams_of(request.project), pk=stream_id)
    history = list(stream.deployments.select_related("version").order_by("-started_at", "-pk"))
    newest = history[0] if history else None
    earlier = next((each for each in history[1:] if newest and each.version_id != newest.version_id), None)
    form = RollBackForm(request.POST or None)
    if form.is_valid():
        with RefusalsOn(form):
            made = roll_back(stream=stream, reason=form.cleaned_data["reason"], by=request.user)
            messages.success(request, f"“{made.version.label}” serves “{stream}” again.")
            return redirect("stream_detail", request.project.slug, stream.pk)
    context = {"stream": stream, "newest": newest, "earlier": earlier, "form": form}
    return render(request, "monitoring/roll_back.html", context, status=status_of(form))
