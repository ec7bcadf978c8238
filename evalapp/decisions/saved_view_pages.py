"""Pages of saved views."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.pages import campaign_or_missing
from evalapp.core.errors import InvalidError
from evalapp.core.http import RefusalsOn, field_errors, get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.decisions.models import SavedView
from evalapp.decisions.saved_views import change_view, delete_view, may_change, save_view, views_for
from evalapp.decisions.view_forms import NewViewForm, ViewForm


def _view_or_missing(request: MemberRequest, view_id: int) -> SavedView:
    """Somebody else's private view counts as missing."""
    return get_or_missing(views_for(request.user, request.project), pk=view_id)


def saved_view_url(view: SavedView) -> str:
    """The URL of the comparison that the view shows."""
    return f"{reverse('result_detail', args=[view.project.slug, view.campaign_id])}?{view.query}"


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def saved_view_list(request: MemberRequest) -> HttpResponse:
    page = keyset_page(views_for(request.user, request.project), request)
    return render(request, "decisions/saved_views.html", {"page": page})


@require_POST
@project_view(Permission.VIEW_ANALYSIS)
def saved_view_new(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    form = NewViewForm(request.POST)
    if not form.is_valid():
        raise InvalidError("The view was not saved; give it a name.", fields=field_errors(form))
    view = save_view(campaign=campaign, by=request.user, **form.cleaned_data)
    messages.success(request, f"Saved as “{view.name}”.")
    return redirect(saved_view_url(view))


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def saved_view_open(request: MemberRequest, view_id: int) -> HttpResponse:
    """Redirects to the comparison: a URL that stays the same when the view is renamed."""
    return redirect(saved_view_url(_view_or_missing(request, view_id)))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS)
def saved_view_edit(request: MemberRequest, view_id: int) -> HttpResponse:
    view = _view_or_missing(request, view_id)
    form = ViewForm(request.POST or None, initial={"name": view.name, "is_shared": view.is_shared})
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            change_view(view=view, by=request.user, **form.cleaned_data)
            messages.success(request, "The view is saved.")
            return redirect("saved_view_list", request.project.slug)
    context = {
        "view": view,
        "form": form,
        "may_change": may_change(view, request.user),
        "results_url": saved_view_url(view),
    }
    status = 400 if form.is_bound and form.errors else 200
    return render(request, "decisions/saved_view.html", context, status=status)


@require_POST
@project_view(Permission.VIEW_ANALYSIS)
def saved_view_delete(request: MemberRequest, view_id: int) -> HttpResponse:
    view = _view_or_missing(request, view_id)
    name = view.name
    delete_view(view=view, by=request.user)
    messages.success(request, f"“{name}” is deleted.")
    return redirect("saved_view_list", request.project.slug)
