"""The page on how severe a campaign's reviewers are, and what that does to its candidates' scores."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.kept_severity import severity_shown
from evalapp.analysis.views import PEOPLE, campaign_or_missing, chosen_people, people_choices
from evalapp.campaigns.queries import is_reviewing_blind


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_severity(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Adjusted scores beside the raw means, and each reviewer's severity, with their standard errors."""
    campaign = campaign_or_missing(request, campaign_id)
    people = chosen_people(request)
    found = severity_shown(campaign, people=people, reader_id=request.user.pk)
    context = {
        "station": "compare",
        "campaign": campaign,
        "severity": found.severity,
        "standing": found.standing,
        "has_simulated": found.has_simulated,
        "people": people,
        "people_label": PEOPLE[people],
        "people_choices": people_choices(campaign, people),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/severity.html", context)
