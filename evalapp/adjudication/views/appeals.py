from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.appeals import (
    answer_appeal,
    appeal_subject_in_words,
    appeals_of,
    subject_of,
    why_not_answer,
)
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.forms import AnswerForm
from evalapp.adjudication.models import Appeal
from evalapp.adjudication.rights import require_may_read
from evalapp.adjudication.views.shared import campaign_or_missing, desk_context, waiting_counts
from evalapp.core.http import RefusalsOn, get_or_missing, status_of
from evalapp.core.paging import keyset_page
from evalapp.reviews.change_requests import WAITING_FIRST


@require_safe
@project_view(Permission.ADJUDICATE)
def appeal_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Appeals of reviewers, unanswered ones first."""
    campaign = campaign_or_missing(request, campaign_id)
    page = keyset_page(appeals_of(campaign), request, order=WAITING_FIRST)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    context = {
        "campaign": campaign,
        "page": page,
        "rows": [
            {
                "appeal": each,
                "who": names.of(each.appellant),
                "against": appeal_subject_in_words(each),
                "by": names.of(each.decided_by),
                "href": reverse("appeal_detail", args=[request.project.slug, campaign.pk, each.pk]),
            }
            for each in page.rows
        ],
        "tab_counts": waiting_counts(campaign),
    }
    return render(request, "adjudication/appeals.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def appeal_detail(request: MemberRequest, campaign_id: int, appeal_id: int) -> HttpResponse:
    """An appeal with the reviews that it is about, and its answer."""
    campaign = campaign_or_missing(request, campaign_id)
    appeal: Appeal = get_or_missing(appeals_of(campaign), pk=appeal_id)
    subject = subject_of(appeal)
    require_may_read(person=request.user, campaign=campaign, subject=subject)
    form = AnswerForm(request.POST or None, decision=appeal.decision)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            answer_appeal(
                appeal=appeal,
                by=request.user,
                outcome=form.cleaned_data["outcome"],
                answer=form.cleaned_data["answer"],
                value=form.value_given(),
            )
            messages.success(request, "Answered. The reviewer sees the answer beside their review.")
            return redirect("appeal_list", request.project.slug, campaign.pk)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    context = {
        **desk_context(request, campaign, subject),
        "appeal": appeal,
        "who": names.of(appeal.appellant),
        "by": names.of(appeal.decided_by),
        "answered_by": names.of(appeal.answered_by) if appeal.answered_by else "",
        "against": appeal_subject_in_words(appeal),
        "refusal": why_not_answer(person=request.user, appeal=appeal, project=request.project),
        "form": form,
    }
    return render(request, "adjudication/appeal.html", context, status=status_of(form))
