"""The page on how severe a campaign's reviewers are, and what that does to its candidates' scores."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.scores import load_scores
from evalapp.analysis.severity import severity_of
from evalapp.analysis.views import PEOPLE, campaign_or_missing, chosen_people, people_choices
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.pseudonyms import shown_names


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_severity(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Adjusted scores beside the raw means, and each reviewer's severity, with their standard errors."""
    campaign = campaign_or_missing(request, campaign_id)
    people = chosen_people(request)
    scores = load_scores(campaign, people=people)
    names = shown_names(campaign, numbers=scores.numbers, reader_id=request.user.pk)
    context = {
        "station": "compare",
        "campaign": campaign,
        "severity": severity_of(scores, names=names),
        "has_simulated": any(answer.is_simulated for answer in scores.answers),
        "people": people,
        "people_label": PEOPLE[people],
        "people_choices": people_choices(campaign, people),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/severity.html", context)
