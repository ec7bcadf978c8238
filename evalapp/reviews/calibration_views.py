"""The calibration round: for reviewers all answers side by side, for managers also admission."""

from typing import cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view, signed_in_view
from evalapp.accounts.models import User
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.calibration import add_note, start_round
from evalapp.campaigns.design import MOST_CALIBRATION_ITEMS
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.campaigns.queries import campaigns_of
from evalapp.campaigns.running import RUNNING
from evalapp.core.errors import MissingError, ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.reviews.admission import admit_by_name, admit_by_number
from evalapp.reviews.calibration import has_finished_own_round, item_in_round
from evalapp.reviews.named_results import with_reviewer_names
from evalapp.reviews.preferences.calibration import calibration_progress_of, round_of
from evalapp.reviews.queries import campaign_reviewer_for


class RoundForm(forms.Form):
    items = forms.IntegerField(min_value=1, max_value=MOST_CALIBRATION_ITEMS, label="Items of another round")


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def review_calibration(request: HttpRequest, key: UUID) -> HttpResponse:
    """All answers to the calibration items, for a reviewer who has submitted all of theirs."""
    user = cast(User, request.user)
    campaign_reviewer = campaign_reviewer_for(user, key)
    campaign = campaign_reviewer.campaign
    if not campaign.calibration_items:
        raise MissingError("There is no calibration in this campaign, or it is not yours.")
    is_done = has_finished_own_round(campaign_reviewer)
    problem: ProblemError | None = None
    if request.method == "POST" and is_done:
        try:
            _write_note(request, campaign, user, own_only=True)
        except ProblemError as error:
            problem = error
        else:
            return redirect("review_calibration", key=key)
    context = {
        "campaign": campaign,
        "campaign_reviewer": campaign_reviewer,
        "is_done": is_done,
        "round": round_of(campaign, user, is_manager=False) if is_done else None,
        "problem": problem,
    }
    status = problem.status if problem else 200
    return render(request, "reviews/calibration.html", context, status=status)


def _write_note(request: HttpRequest, campaign: Campaign, author: User, *, own_only: bool) -> None:
    """Store a note on the item that the form names by its number in the round."""
    given = request.POST.get("item", "")
    number = int(given) if given.isascii() and given.isdigit() and len(given) < 6 else 0
    item = item_in_round(campaign, number, given_to=author if own_only else None)
    add_note(item=item, author=author, text=request.POST.get("text", ""))


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_calibration(request: MemberRequest, pk: int) -> HttpResponse:
    """Everybody's calibration results; a POST adds a note, admits a reviewer by number, or starts another
    round.
    """
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    is_note, admitted = "item" in request.POST, request.POST.get("admit")
    is_round = request.method == "POST" and not is_note and admitted is None
    form = RoundForm(request.POST if is_round else None)
    problem: ProblemError | None = None
    status = 200
    if request.method == "POST":
        status = 400
        try:
            if is_note:
                _write_note(request, campaign, request.user, own_only=False)
                return redirect("campaign_calibration", slug=request.project.slug, pk=pk)
            if admitted is not None:
                _admit_number(request, campaign, admitted)
                return redirect("campaign_calibration", slug=request.project.slug, pk=pk)
            if form.is_valid():
                people = start_round(campaign=campaign, wanted=form.cleaned_data["items"], by=request.user)
                messages.success(request, f"Another round: {people} {'person' if people == 1 else 'people'}.")
                return redirect("campaign_calibration", slug=request.project.slug, pk=pk)
        except ProblemError as error:
            status = error.status
            if error.fields and is_round:
                show_problem(form, error)
            else:
                problem = error
    context = {
        "campaign": campaign,
        "people": with_reviewer_names(campaign, calibration_progress_of(campaign)),
        "round": round_of(campaign, request.user, is_manager=True),
        "is_running": campaign.state in RUNNING,
        "form": form,
        "problem": problem,
    }
    return render(request, "reviews/campaign_calibration.html", context, status=status)


def _admit_number(request: MemberRequest, campaign: Campaign, typed: str) -> None:
    if not (typed.isascii() and typed.isdigit() and len(typed) < 6):
        raise MissingError("There is no reviewer with this number in the campaign.")
    called = admit_by_number(campaign=campaign, number=int(typed), by=request.user)
    messages.success(request, f"{called} is admitted.")


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_admit(request: MemberRequest, pk: int, campaign_reviewer: int) -> HttpResponse:
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    waiting = get_or_missing(
        CampaignReviewer.objects.select_related("user", "campaign__project"),
        pk=campaign_reviewer,
        campaign=campaign,
    )
    admit_by_name(campaign_reviewer=waiting, by=request.user)
    messages.success(request, f"{waiting.user} is admitted.")
    return redirect("campaign_calibration", slug=request.project.slug, pk=pk)
