"""Pages by which changes to something submitted are requested; the URL says of which ``desk``."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.change_requests import ChangeRequestDesk
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.forms import ChangeRequestForm
from evalapp.adjudication.rights import is_running
from evalapp.adjudication.views.shared import campaign_or_missing, tabs_of
from evalapp.campaigns.models import Campaign
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.reviews.change_requests import (
    WAITING_FIRST,
    change_requests_of,
    closed_words,
    request_changes,
    withdraw_change_request,
)


def _campaign(request: MemberRequest, campaign_id: int, desk: ChangeRequestDesk) -> Campaign:
    campaign = campaign_or_missing(request, campaign_id)
    desk.require(request.user, campaign)
    return campaign


def _context(campaign: Campaign, desk: ChangeRequestDesk) -> dict[str, Any]:
    return {
        "station": "compare",
        "campaign": campaign,
        "noun": desk.kind.about,
        "is_running": is_running(campaign),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def change_request_new(
    request: MemberRequest, campaign_id: int, given_id: int, desk: ChangeRequestDesk
) -> HttpResponse:
    """Ask a reviewer to look again at what they submitted."""
    campaign = _campaign(request, campaign_id, desk)
    given = get_or_missing(desk.given(campaign), pk=given_id)
    desk.require(request.user, campaign, given)
    form = ChangeRequestForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                request_changes(given=given, by=request.user, **form.cleaned_data)
            except ProblemError as error:
                show_problem(form, error)
                status = error.status
            else:
                messages.success(
                    request,
                    f"Changes requested. The {desk.kind.about} counts as it is until the reviewer changes it.",
                )
                return redirect(desk.case(campaign, given))
    context = {
        **_context(campaign, desk),
        **desk.shown(campaign, given),
        "given": given,
        "said": desk.said,
        "name": Names(campaign, reader=request.user, to_reviewer=False).of(given.reviewer),
        "form": form,
        "closed": closed_words(desk.kind),
        "case_href": desk.case(campaign, given),
    }
    return render(request, "adjudication/request_changes.html", context, status=status)


@require_safe
@project_view(Permission.ADJUDICATE)
def change_request_list(request: MemberRequest, campaign_id: int, desk: ChangeRequestDesk) -> HttpResponse:
    """The campaign's change requests, and what came of them."""
    campaign = _campaign(request, campaign_id, desk)
    page = keyset_page(change_requests_of(campaign, desk.kind), request, order=WAITING_FIRST)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    address = [campaign.project.slug, campaign.pk]
    context = {
        **_context(campaign, desk),
        "page": page,
        "rows": [
            {
                "change_request": each,
                "reviewer": names.of(each.given.reviewer),
                "by": names.of(each.requested_by),
                "href": desk.case(campaign, each.given),
                "withdraw_href": reverse(desk.withdrawal, args=[*address, each.pk]),
            }
            for each in page.rows
        ],
        "none": (
            f"No changes are requested. A case shows all its {desk.kind.about}s; request changes to one "
            "there."
        ),
        "source_href": reverse(desk.source, args=address),
        "source_words": desk.source_words,
        "tabs": tabs_of(campaign, desk.listed),
    }
    return render(request, "adjudication/change_requests.html", context)


@require_POST
@project_view(Permission.ADJUDICATE)
def change_request_withdraw(
    request: MemberRequest, campaign_id: int, change_request_id: int, desk: ChangeRequestDesk
) -> HttpResponse:
    campaign = _campaign(request, campaign_id, desk)
    change_request = get_or_missing(change_requests_of(campaign, desk.kind), pk=change_request_id)
    withdraw_change_request(change_request=change_request, by=request.user)
    messages.success(request, f"Withdrawn. The {desk.kind.about} stands as it was submitted.")
    return redirect(desk.listed, request.project.slug, campaign.pk)
