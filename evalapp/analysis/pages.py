"""Shared by the pages of a campaign's results."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from evalapp.accounts.access import MemberRequest
from evalapp.analysis.models import ReviewerType
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import MissingError
from evalapp.reviews.pseudonyms import shown_names

REVIEWER_TYPES = dict(ReviewerType.choices)


def campaign_or_missing(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = (
        request.project.campaigns.exclude(state=CampaignState.DRAFT)
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .filter(pk=campaign_id)
        .first()
    )
    if campaign is None:
        raise MissingError("There is no opened campaign at this URL.")
    return campaign


def chosen_reviewer_type(request: MemberRequest) -> str:
    """Whose reviews count; a choice only in projects where simulated reviews are read."""
    chosen = request.GET.get("reviewer_type", "all")
    return chosen if chosen in REVIEWER_TYPES and request.project.is_demonstration else "all"


def redirect_with_query(request: MemberRequest, name: str, *args: object) -> HttpResponse:
    """Redirect to the page of that name, keeping the query of this URL."""
    query = request.GET.urlencode()
    return redirect(f"{reverse(name, args=args)}{'?' if query else ''}{query}")


def filter_problem_page(request: MemberRequest, wanted: ComparisonFilter) -> HttpResponse:
    """A page (status 400) that explains the problem with a URL's filter, with the form to choose another."""
    names = shown_names(wanted.campaign, reader_id=request.user.pk)
    context = {
        "campaign": wanted.campaign,
        "filter_form": filter_form_of(request, wanted, names=names),
    }
    return render(request, "analysis/filter_refused.html", context, status=400)


def reviewer_type_choices(request: MemberRequest, reviewer_type: str) -> list[dict[str, Any]]:
    """The choices of reviewer type, each with its URL of the same view."""
    if not request.project.is_demonstration:
        return []
    choices = []
    for key, label in REVIEWER_TYPES.items():
        query = request.GET.copy()
        query["reviewer_type"] = key
        choices.append({"label": label, "href": f"?{query.urlencode()}", "on": key == reviewer_type})
    return choices
