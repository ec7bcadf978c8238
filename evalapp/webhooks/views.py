"""A project's webhooks: endpoints, secrets and deliveries."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.errors import ProblemError
from evalapp.core.http import RefusalsOn, get_or_missing, show_problem, status_of
from evalapp.core.outgoing import policy
from evalapp.core.paging import keyset_page
from evalapp.webhooks import services
from evalapp.webhooks.forms import EndpointForm
from evalapp.webhooks.models import DeliveryState, WebhookDelivery, WebhookEndpoint
from evalapp.webhooks.queries import deliveries_of, endpoints_of

_SEEN = Permission.VIEW_ANALYSIS
_MANAGED = Permission.MANAGE_WEBHOOKS


def site_of(request: HttpRequest) -> str:
    """Scheme and host under which the client reached this installation; the host was checked against the
    allowed ones.
    """
    return f"{request.scheme}://{request.get_host()}"


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(_SEEN, post=_MANAGED)
def webhook_list(request: MemberRequest) -> HttpResponse:
    """The endpoints; a POST registers one and shows its secret once."""
    form = EndpointForm(request.POST if request.method == "POST" else None)
    made = None
    if form.is_valid():
        with RefusalsOn(form):
            made = services.register_endpoint(
                project=request.project, by=request.user, site=site_of(request), **form.cleaned_data
            )
    status = 201 if made is not None else status_of(form)
    context = {
        "endpoints": list(endpoints_of(request.project)),
        "form": EndpointForm() if made is not None else form,
        "made": made,
        "nothing_allowed": policy().is_closed,
    }
    return render(request, "webhooks/list.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(_SEEN, post=_MANAGED)
def webhook_detail(request: MemberRequest, webhook_id: int) -> HttpResponse:
    """An endpoint and its deliveries; a POST changes it, and shows the new secret if the URL changed."""
    endpoint = _endpoint(request, webhook_id)
    form = EndpointForm(request.POST if request.method == "POST" else None, endpoint=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            changed = services.change_endpoint(
                endpoint=endpoint, by=request.user, site=site_of(request), **form.cleaned_data
            )
        except ProblemError as error:
            show_problem(form, error)
            return _detail(request, endpoint, form=form, status=error.status)
        if changed.secret:
            return _detail(request, _endpoint(request, webhook_id), secret=changed.secret)
        messages.success(request, "Saved.")
        return redirect("webhook_detail", request.project.slug, endpoint.pk)
    return _detail(request, endpoint, form=form, status=400 if form.errors else 200)


@require_POST
@never_cache
@project_view(_MANAGED)
def webhook_secret(request: MemberRequest, webhook_id: int) -> HttpResponse:
    """Create a new secret and show it once."""
    endpoint = _endpoint(request, webhook_id)
    renewed = services.renew_secret(endpoint=endpoint, by=request.user)
    return _detail(request, endpoint, secret=renewed.secret, status=201)


@require_POST
@project_view(_MANAGED)
def webhook_enable(request: MemberRequest, webhook_id: int) -> HttpResponse:
    endpoint = _endpoint(request, webhook_id)
    services.enable_endpoint(endpoint=endpoint, by=request.user)
    messages.success(request, f"Events are sent to {endpoint} again.")
    return redirect("webhook_detail", request.project.slug, endpoint.pk)


@require_POST
@project_view(_MANAGED)
def webhook_disable(request: MemberRequest, webhook_id: int) -> HttpResponse:
    endpoint = _endpoint(request, webhook_id)
    services.disable_endpoint(endpoint=endpoint, by=request.user)
    messages.success(request, f"Events are no longer sent to {endpoint}.")
    return redirect("webhook_detail", request.project.slug, endpoint.pk)


@require_POST
@project_view(_MANAGED)
def webhook_delete(request: MemberRequest, webhook_id: int) -> HttpResponse:
    endpoint = _endpoint(request, webhook_id)
    services.delete_endpoint(endpoint=endpoint, by=request.user)
    messages.success(request, f"The webhook to {endpoint} and its deliveries are deleted.")
    return redirect("webhook_list", request.project.slug)


@require_POST
@project_view(_MANAGED)
def webhook_test(request: MemberRequest, webhook_id: int) -> HttpResponse:
    endpoint = _endpoint(request, webhook_id)
    delivery = services.send_test(endpoint=endpoint, by=request.user)
    messages.success(request, "The test is being sent; reload the page to see the answer.")
    return redirect("webhook_delivery", request.project.slug, endpoint.pk, delivery.pk)


@require_safe
@project_view(_SEEN)
def webhook_delivery(request: MemberRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    """A delivery's body, and the result of each attempt."""
    endpoint = _endpoint(request, webhook_id)
    delivery = _delivery(endpoint, delivery_id)
    context = {
        "endpoint": endpoint,
        "delivery": delivery,
        "attempts": list(delivery.log.order_by("id")),
    }
    return render(request, "webhooks/delivery.html", context)


@require_POST
@project_view(_MANAGED)
def webhook_redeliver(request: MemberRequest, webhook_id: int, delivery_id: int) -> HttpResponse:
    endpoint = _endpoint(request, webhook_id)
    delivery = _delivery(endpoint, delivery_id)
    services.redeliver(delivery=delivery, by=request.user)
    messages.success(request, "It is being sent again.")
    return redirect("webhook_delivery", request.project.slug, endpoint.pk, delivery.pk)


def _endpoint(request: MemberRequest, webhook_id: int) -> WebhookEndpoint:
    return get_or_missing(endpoints_of(request.project), pk=webhook_id)


def _delivery(endpoint: WebhookEndpoint, delivery_id: int) -> WebhookDelivery:
    return get_or_missing(deliveries_of(endpoint), pk=delivery_id)


def _detail(
    request: MemberRequest,
    endpoint: WebhookEndpoint,
    *,
    form: EndpointForm | None = None,
    secret: str = "",
    status: int = 200,
) -> HttpResponse:
    chosen = request.GET.get("state", "")
    context = {
        "endpoint": endpoint,
        "form": form or EndpointForm(endpoint=endpoint),
        "secret": secret,
        "page": keyset_page(deliveries_of(endpoint, state=chosen), request),
        "filters": [
            {"label": label, "href": f"?state={state}" if state else "?", "on": state == chosen}
            for state, label in [("", "All"), *DeliveryState.choices]
        ],
        "is_filtered": bool(chosen),
    }
    return render(request, "webhooks/detail.html", context, status=status)
