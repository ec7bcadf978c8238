"""The calibration round where answers are compared: verdicts side by side, and the admission."""

from typing import cast
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from evalapp.accounts.access import MemberRequest, project_view, signed_in_view
from evalapp.accounts.models import User
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.calibration import start_round
from evalapp.campaigns.queries import campaigns_of
from evalapp.campaigns.running import RUNNING
from evalapp.core.errors import MissingError, ProblemError
from evalapp.core.http import get_or_missing, show_problem
from evalapp.judgements.calibration import compared_side_by_side, people_in_round
from evalapp.judgements.queries import judging_seat
from evalapp.reviews.calibration import own_round_is_done
from evalapp.reviews.calibration_views import RoundForm, write_note


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_view
def judgement_calibration(request: HttpRequest, key: UUID) -> HttpResponse:
    """Everybody's verdicts on the calibration items, for a reviewer who has given all of theirs."""
    user = cast(User, request.user)
    seat = judging_seat(user, key)
    campaign = seat.campaign
    if not campaign.calibration_items:
        raise MissingError("There is no calibration in this campaign, or it is not yours.")
    is_done = own_round_is_done(seat)
    problem: ProblemError | None = None
    if request.method == "POST" and is_done:
        try:
            write_note(request, campaign, user, own_only=True)
        except ProblemError as error:
            problem = error
        else:
            return redirect("judgement_calibration", key=key)
    context = {
        "campaign": campaign,
        "seat": seat,
        "is_done": is_done,
        "items": compared_side_by_side(campaign, user, is_manager=False) if is_done else [],
        "problem": problem,
        "station": "reviews",
    }
    status = problem.status if problem else 200
    return render(request, "judgements/calibration.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def comparison_calibration(request: MemberRequest, pk: int) -> HttpResponse:
    """How everybody does in the calibration; a note, or another round."""
    campaign = get_or_missing(campaigns_of(request.project), pk=pk)
    if not campaign.compares:
        raise MissingError("This campaign rates answers one by one: see its own calibration.")
    is_note = "item" in request.POST
    form = RoundForm(request.POST if request.method == "POST" and not is_note else None)
    problem: ProblemError | None = None
    status = 200
    if request.method == "POST":
        status = 400
        try:
            if is_note:
                write_note(request, campaign, request.user, own_only=False)
                return redirect("comparison_calibration", slug=request.project.slug, pk=pk)
            if form.is_valid():
                people = start_round(campaign=campaign, wanted=form.cleaned_data["items"], by=request.user)
                messages.success(request, f"Another round: {people} {'person' if people == 1 else 'people'}.")
                return redirect("comparison_calibration", slug=request.project.slug, pk=pk)
        except ProblemError as error:
            status = error.status
            if error.fields and not is_note:
                show_problem(form, error)
            else:
                problem = error
    context = {
        "campaign": campaign,
        "people": people_in_round(campaign),
        "items": compared_side_by_side(campaign, request.user, is_manager=True),
        "is_running": campaign.state in RUNNING,
        "form": form,
        "problem": problem,
        "station": "campaigns",
    }
    return render(request, "judgements/campaign_calibration.html", context, status=status)
