"""Pages of a running campaign: its deadline, quotas and assignments."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.campaigns.forms import DeadlineForm, QuotaForm, ReassignForm
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.campaigns.queries import campaigns_of, reviewers_with_assignments, waiting_for_anybody
from evalapp.campaigns.running import RUNNING, reassign, release_claimed, set_deadline, set_quota
from evalapp.core.errors import InvalidError
from evalapp.core.http import RefusalsOn, field_errors, get_or_missing, status_of


def _campaign(request: MemberRequest, pk: int) -> Campaign:
    return get_or_missing(campaigns_of(request.project), pk=pk)


def _campaign_reviewer(campaign: Campaign, pk: int) -> CampaignReviewer:
    campaign_reviewers = CampaignReviewer.objects.select_related("user", "campaign__project")
    return get_or_missing(campaign_reviewers, pk=pk, campaign=campaign)


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_assignments(request: MemberRequest, pk: int) -> HttpResponse:
    """Each person's waiting assignments, and a form that moves those that nobody has started."""
    campaign = _campaign(request, pk)
    form = ReassignForm(request.POST or None, campaign=campaign)
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            moved = reassign(campaign=campaign, by=request.user, **form.cleaned_data)
            messages.success(request, _moved_message(moved, shows_count=request.project.shows_reviewer_names))
            return redirect("campaign_assignments", slug=request.project.slug, pk=pk)
    context = {
        "campaign": campaign,
        "form": form,
        "campaign_reviewers": list(reviewers_with_assignments(campaign)),
        "for_anybody": waiting_for_anybody(campaign),
        "can_release": campaign.state in RUNNING,
    }
    return render(request, "campaigns/assignments.html", context, status=status_of(form))


def _moved_message(moved: int, *, shows_count: bool) -> str:
    if not moved:
        return "Nothing was moved: the remaining items are started, or the person has them already."
    if not shows_count:
        # The number could reveal which number this person has on the progress page.
        return "Items that nobody had started were moved, up to the number you gave."
    return f"{moved:,} item{'s' if moved > 1 else ''} moved."


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_deadline(request: MemberRequest, pk: int) -> HttpResponse:
    campaign = _campaign(request, pk)
    form = DeadlineForm(request.POST or None, initial={"deadline": campaign.deadline})
    if request.method == "POST" and form.is_valid():
        with RefusalsOn(form):
            set_deadline(campaign=campaign, deadline=form.cleaned_data["deadline"], by=request.user)
            messages.success(request, "The deadline is moved.")
            return redirect("campaign_detail", slug=request.project.slug, pk=pk)
    return render(
        request, "campaigns/deadline.html", {"campaign": campaign, "form": form}, status=status_of(form)
    )


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_quota(request: MemberRequest, pk: int, campaign_reviewer: int) -> HttpResponse:
    """Set one person's quota; empty for the campaign's."""
    person = _campaign_reviewer(_campaign(request, pk), campaign_reviewer)
    form = QuotaForm(request.POST)
    if not form.is_valid():
        errors = field_errors(form)
        raise InvalidError(f"The quota of {person.user}: {errors['quota'][0]}", fields=errors)
    set_quota(campaign_reviewer=person, quota=form.cleaned_data["quota"], by=request.user)
    messages.success(request, f"The quota of {person.user} is set.")
    return redirect("campaign_assignments", slug=request.project.slug, pk=pk)


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def campaign_release(request: MemberRequest, pk: int, campaign_reviewer: int) -> HttpResponse:
    """Release one person's assignments in progress."""
    person = _campaign_reviewer(_campaign(request, pk), campaign_reviewer)
    released = release_claimed(campaign_reviewer=person, by=request.user)
    if not request.project.shows_reviewer_names:
        # The number could reveal which number this person has on the progress page.
        words = f"The items of {person.user} are available to others."
    elif released:
        words = (
            f"{released:,} item{'s' if released > 1 else ''} of {person.user}"
            f" go{'' if released > 1 else 'es'} to others."
        )
    else:
        words = f"{person.user} has no item in progress now."
    messages.success(request, words)
    return redirect("campaign_assignments", slug=request.project.slug, pk=pk)
