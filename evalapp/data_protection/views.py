"""A project's erasures, and each one with its findings and receipt."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.core.http import RefusalsOn, get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.data_protection import queries, services
from evalapp.data_protection.forms import ConfirmForm, ErasureForm


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.UNMASK)
def erasure_list(request: MemberRequest) -> HttpResponse:
    """The erasures; a POST searches for a person."""
    form = ErasureForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        with RefusalsOn(form):
            erasure = services.start_search(project=request.project, by=request.user, **form.cleaned_data)
            return redirect("erasure", request.project.slug, erasure.pk)
    context = {
        "page": keyset_page(queries.erasures_of(request.project), request),
        "form": form,
    }
    return render(request, "data_protection/list.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@project_view(Permission.UNMASK)
def erasure(request: MemberRequest, erasure_id: int) -> HttpResponse:
    """The findings of a search, then the receipt; a POST erases the data or discards the search."""
    found = get_or_missing(queries.erasures_of(request.project), pk=erasure_id)
    form = ConfirmForm(request.POST if request.POST.get("action") == "erase" else None)
    if request.POST.get("action") == "discard":
        services.discard(erasure=found, by=request.user)
        messages.success(request, "Discarded. The texts are forgotten.")
        return redirect("erasure_list", request.project.slug)
    if form.is_valid():
        services.start_erasing(erasure=found, by=request.user)
        return redirect("erasure", request.project.slug, found.pk)
    context = {
        "erasure": found,
        "job": found.job if not found.is_over else None,
        "counts": found.counts_by_place,
        "versions": queries.named_versions(found),
        "models": queries.named_models(found),
        "form": form,
    }
    return render(request, "data_protection/erasure.html", context, status=400 if form.errors else 200)
