"""Pages of a project's endpoints whose models serve as candidates."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.core.outgoing import policy
from evalapp.registry import endpoints, queries
from evalapp.registry.endpoint_forms import EndpointChangeForm, EndpointForm
from evalapp.registry.models import Endpoint


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.VIEW_MODELS, post=Permission.MANAGE_WEBHOOKS)
def endpoint_list(request: MemberRequest) -> HttpResponse:
    """The endpoints; a POST adds one."""
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with RefusalsOn(form):
            made = endpoints.create_endpoint(project=request.project, by=request.user, **form.cleaned_data)
            messages.success(request, "Endpoint added. Next, add the models to use as candidates.")
            return redirect("endpoint_detail", request.project.slug, made.pk)
    context = {
        "endpoints": list(queries.endpoints_of(request.project)),
        "form": form,
        "nothing_allowed": policy().is_closed,
    }
    return render(request, "registry/endpoint_list.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.VIEW_MODELS, post=Permission.MANAGE_WEBHOOKS)
def endpoint_detail(request: MemberRequest, endpoint_id: int) -> HttpResponse:
    """An endpoint's candidates; a POST changes its URL, key and number of parallel requests."""
    endpoint = _endpoint(request, endpoint_id)
    form = EndpointChangeForm(
        request.POST if request.method == "POST" else None,
        initial={"url": endpoint.url, "parallel": endpoint.parallel},
    )
    if form.is_valid():
        with RefusalsOn(form):
            endpoints.change_endpoint(endpoint=endpoint, by=request.user, **form.cleaned_data)
            messages.success(request, "Saved; the next run uses it.")
            return redirect("endpoint_detail", request.project.slug, endpoint.pk)
    context = {
        "endpoint": endpoint,
        "versions": list(endpoint.versions.order_by("number")),
        "form": form,
    }
    return render(request, "registry/endpoint_detail.html", context, status=400 if form.errors else 200)


@require_POST
@project_view(Permission.MANAGE_WEBHOOKS)
def endpoint_delete(request: MemberRequest, endpoint_id: int) -> HttpResponse:
    endpoint = _endpoint(request, endpoint_id)
    try:
        endpoints.delete_endpoint(endpoint=endpoint, by=request.user)
    except ProblemError as error:
        messages.error(request, error.message)
        return redirect("endpoint_detail", request.project.slug, endpoint.pk)
    messages.success(request, f"“{endpoint.name}” and its key are deleted.")
    return redirect("endpoint_list", request.project.slug)


def _endpoint(request: MemberRequest, endpoint_id: int) -> Endpoint:
    return get_or_missing(queries.endpoints_of(request.project), pk=endpoint_id)
