"""Pages for change requests."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.change_requests import (
    case_of,
    require_reader,
    review_text_context,
    reviews_to_change,
)
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.forms import ChangeRequestForm
from evalapp.adjudication.rights import is_running
from evalapp.adjudication.views.shared import campaign_or_missing, waiting_counts
from evalapp.campaigns.models import Campaign
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.core.paging import keyset_page
from evalapp.reviews.change_requests import (
    WAITING_FIRST,
    change_requests_of,
    closed_message,
    request_changes,
    withdraw_change_request,
)


def _campaign(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = campaign_or_missing(request, campaign_id)
    require_reader(request.user, campaign)
    return campaign


def _context(campaign: Campaign) -> dict[str, Any]:
    return {"campaign": campaign, "is_running": is_running(campaign)}


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def change_request_new(request: MemberRequest, campaign_id: int, review_id: int) -> HttpResponse:
    """Ask a reviewer to change a submitted review."""
    campaign = _campaign(request, campaign_id)
    review = get_or_missing(reviews_to_change(campaign), pk=review_id)
    require_reader(request.user, campaign, review)
    form = ChangeRequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            request_changes(review=review, by=request.user, **form.cleaned_data)
            messages.success(
                request, "Changes requested. The review counts as it is until the reviewer changes it."
            )
            return redirect(case_of(campaign, review))
    context = {
        **_context(campaign),
        **review_text_context(campaign, review),
        "name": Names(campaign, reader=request.user, to_reviewer=False).of(review.reviewer),
        "form": form,
        "closed": closed_message(campaign),
        "case_href": case_of(campaign, review),
    }
    return render(request, "adjudication/request_changes.html", context, status=status_of(form))


@require_safe
@project_view(Permission.ADJUDICATE)
def change_request_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The campaign's change requests and their results."""
    campaign = _campaign(request, campaign_id)
    page = keyset_page(change_requests_of(campaign), request, order=WAITING_FIRST)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    ids = [campaign.project.slug, campaign.pk]
    context = {
        **_context(campaign),
        "page": page,
        "rows": [
            {
                "change_request": each,
                "reviewer": names.of(each.review.reviewer),
                "by": names.of(each.requested_by),
                "href": case_of(campaign, each.review),
                "withdraw_href": reverse("change_request_withdraw", args=[*ids, each.pk]),
            }
            for each in page.rows
        ],
        "source_href": reverse("differing_preferences" if campaign.compares else "case_list", args=ids),
        "source_words": "See where preferences differ" if campaign.compares else "See the cases",
        "tab_counts": waiting_counts(campaign),
    }
    return render(request, "adjudication/change_requests.html", context)


@require_POST
@project_view(Permission.ADJUDICATE)
def change_request_withdraw(request: MemberRequest, campaign_id: int, change_request_id: int) -> HttpResponse:
    campaign = _campaign(request, campaign_id)
    change_request = get_or_missing(change_requests_of(campaign), pk=change_request_id)
    withdraw_change_request(change_request=change_request, by=request.user)
    messages.success(request, "Withdrawn. The review is unchanged.")
    return redirect("change_request_list", request.project.slug, campaign.pk)
