"""The severity page: reviewers' severity and adjusted scores."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.pages import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    filter_problem_page,
    reviewer_type_choices,
)
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored.severity_result import severity_result
from evalapp.campaigns.queries import is_reviewing_blind


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_severity(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Adjusted scores beside the raw means, and each reviewer's severity, with their standard errors."""
    campaign = campaign_or_missing(request, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    found = severity_result(view, reviewer_type=reviewer_type, reader_id=request.user.pk)
    context = {
        "campaign": campaign,
        "severity": found.severity,
        "freshness": found.freshness,
        "filter_form": filter_form_of(request, view, names=found.names, coverage=found.coverage),
        "reviewer_type": reviewer_type,
        "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/severity.html", context)
