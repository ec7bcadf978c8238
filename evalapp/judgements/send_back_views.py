"""Pages by which a judgement is sent back to its reviewer, and what came of it."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.models import User
from evalapp.accounts.permissions import Permission
from evalapp.adjudication.discussion import Names
from evalapp.adjudication.forms import SendBackForm
from evalapp.adjudication.rights import STILL_REVIEWING, is_running
from evalapp.adjudication.views.shared import campaign_or_missing
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.campaigns.queries import is_reviewing
from evalapp.core.errors import MissingError, NotAllowedError, ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.core.paging import keyset_page
from evalapp.judgements.checks import candidate_names, verdict_by_name
from evalapp.judgements.models import Judgement, JudgementSendBack
from evalapp.judgements.queries import verdict_of
from evalapp.judgements.send_backs import (
    judgement_send_backs_of,
    send_back_judgement,
    withdraw_judgement,
)
from evalapp.reviews.send_backs import WAITING_FIRST


def comparing_campaign(request: MemberRequest, campaign_id: int) -> Campaign:
    """One that compares answers, and that this person does not still review in."""
    campaign = campaign_or_missing(request, campaign_id)
    if not campaign.compares:
        raise MissingError("This campaign rates answers one by one: send back its reviews.")
    require_done(campaign, request.user)
    return campaign


def require_done(campaign: Campaign, person: User) -> None:
    """Who still judges would see how others judged what they may be given."""
    if is_reviewing(campaign, person):
        raise NotAllowedError(STILL_REVIEWING)


def _case(campaign: Campaign, judgement: Judgement) -> str:
    address = reverse("case_detail", args=[campaign.project.slug, campaign.pk, judgement.comparison.item_id])
    return f"{address}#judgement-{judgement.pk}"


def _words(campaign: Campaign, judgement: Judgement) -> str:
    names = candidate_names(campaign)
    entries = judgement.comparison.item.outputs.select_related("candidate")
    owners = {entry.pk: entry.candidate.model_version_id for entry in entries}
    return verdict_by_name(verdict_of(judgement), [names[owners[pk]] for pk in judgement.outputs])


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.ADJUDICATE)
def judgement_send_back(request: MemberRequest, campaign_id: int, judgement_id: int) -> HttpResponse:
    """Ask a reviewer to look at their judgement again."""
    campaign = comparing_campaign(request, campaign_id)
    judgements = campaign.judgements.filter(purpose=Purpose.REVIEW)
    judgement = get_or_missing(
        judgements.select_related("comparison__item__example", "reviewer"), pk=judgement_id
    )
    form = SendBackForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 400
        if form.is_valid():
            try:
                send_back_judgement(judgement=judgement, by=request.user, **form.cleaned_data)
            except ProblemError as error:
                show_problem(form, error)
                status = error.status
            else:
                messages.success(request, "Sent back. It counts as it is until the reviewer changes it.")
                return redirect(_case(campaign, judgement))
    context = {
        "station": "compare",
        "campaign": campaign,
        "judgement": judgement,
        "verdict": _words(campaign, judgement),
        "name": Names(campaign, reader=request.user, to_reviewer=False).of(judgement.reviewer),
        "form": form,
        "is_running": is_running(campaign),
        "case_href": _case(campaign, judgement),
    }
    return render(request, "judgements/send_back.html", context, status=status)


@require_safe
@project_view(Permission.ADJUDICATE)
def judgement_send_backs(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """What was sent back, and what came of it."""
    campaign = comparing_campaign(request, campaign_id)
    page = keyset_page(judgement_send_backs_of(campaign), request, order=WAITING_FIRST)
    names = Names(campaign, reader=request.user, to_reviewer=False)
    context = {
        "station": "compare",
        "campaign": campaign,
        "page": page,
        "rows": [
            {
                "sent": each,
                "reviewer": names.of(each.judgement.reviewer),
                "by": names.of(each.sent_by),
                "href": _case(campaign, each.judgement),
            }
            for each in page.rows
        ],
        "is_running": is_running(campaign),
    }
    return render(request, "judgements/send_backs.html", context)


@require_POST
@project_view(Permission.ADJUDICATE)
def judgement_send_back_withdraw(request: MemberRequest, campaign_id: int, send_back_id: int) -> HttpResponse:
    campaign = comparing_campaign(request, campaign_id)
    sent = get_or_missing(
        JudgementSendBack.objects.filter(judgement__campaign=campaign).select_related(
            "judgement__campaign__project"
        ),
        pk=send_back_id,
    )
    withdraw_judgement(sent=sent, by=request.user)
    messages.success(request, "Withdrawn. The judgement stands as it was submitted.")
    return redirect("judgement_send_backs", request.project.slug, campaign.pk)
