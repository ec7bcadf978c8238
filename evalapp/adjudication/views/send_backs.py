from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.forms import SendBackForm
from evalapp.adjudication.rights import is_running, require_may_read
from evalapp.adjudication.views.shared import campaign_or_missing, tabs_of
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.core.errors import ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.reviews.models import Review, SendBack
from evalapp.reviews.send_backs import WAITING_FIRST, send_back, send_backs_of, withdraw_send_back


def _case(campaign: Campaign, review: Review) -> str:
    item = review.item_output.item_id
    return reverse("case_detail", args=[campaign.project.slug, campaign.pk, item]) + f"#review-{review.pk}"


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def send_back_new(request: MemberRequest, campaign_id: int, review_id: int) -> HttpResponse:
    """Ask a reviewer to look at their review again."""
    campaign = campaign_or_missing(request, campaign_id)
    reviews = Review.objects.filter(campaign=campaign, purpose=Purpose.REVIEW).select_related(
        "item_output__item__example", "item_output__output", "reviewer"
    )
    review = get_or_missing(reviews.prefetch_related("scores__criterion", "texts__criterion"), pk=review_id)
    require_may_read(person=request.user, campaign=campaign, item_output=review.item_output)
    form = SendBackForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                send_back(review=review, by=request.user, **form.cleaned_data)
            except ProblemError as error:
                show_problem(form, error)
                status = error.status
            else:
                messages.success(request, "Sent back. It counts as it is until the reviewer changes it.")
                return redirect(_case(campaign, review))
    context = {
        "station": "compare",
        "campaign": campaign,
        "review": review,
        "name": Names(campaign, reader=request.user, to_reviewer=False).of(review.reviewer),
        "form": form,
        "is_running": is_running(campaign),
        "case_href": _case(campaign, review),
    }
    return render(request, "adjudication/send_back.html", context, status=status)


@require_safe
@project_view(Permission.ADJUDICATE)
def send_back_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """What was sent back, and what came of it."""
    campaign = campaign_or_missing(request, campaign_id)
    page = keyset_page(send_backs_of(campaign), request, order=WAITING_FIRST)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    context = {
        "station": "compare",
        "campaign": campaign,
        "page": page,
        "rows": [
            {
                "sent": each,
                "reviewer": names.of(each.review.reviewer),
                "by": names.of(each.sent_by),
                "href": _case(campaign, each.review),
            }
            for each in page.rows
        ],
        "is_running": is_running(campaign),
        "tabs": tabs_of(campaign, "send_back_list"),
    }
    return render(request, "adjudication/send_backs.html", context)


@require_POST
@project_view(Permission.ADJUDICATE)
def send_back_withdraw(request: MemberRequest, campaign_id: int, send_back_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    sent = get_or_missing(
        SendBack.objects.filter(review__campaign=campaign).select_related("review__campaign__project"),
        pk=send_back_id,
    )
    withdraw_send_back(sent=sent, by=request.user)
    messages.success(request, "Withdrawn. The review stands as it was submitted.")
    return redirect("send_back_list", request.project.slug, campaign.pk)
