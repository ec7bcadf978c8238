"""Lists of cases, and the case page."""

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.cases.case import load_case
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.cases.cases import FILTER_PARTS, column_metric
from evalapp.analysis.pages import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    filter_problem_page,
)
from evalapp.analysis.pairwise.compared_case import comparisons_of_item
from evalapp.analysis.scores.filter_form import filter_part
from evalapp.analysis.scores.filters import read_filter
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError

# Fills a screen of 900 px; on a phone the page stays under 3,000 px.
CASES_PER_PAGE = 12


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def case_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    cases = CaseList(view, request.GET.dict(), reviewer_type=reviewer_type)
    page = Paginator(cases, CASES_PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "analysis/cases.html",
        {
            "campaign": campaign,
            "wanted": cases.wanted,
            "view_words": view.describe(),
            "metric": column_metric(cases.wanted),
            "list_query": list_query(request),
            "page": page,
            "rows": list(page.object_list),
            "criteria": cases.scores.criteria,
            "reviewer_type": reviewer_type,
            "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
            "is_reviewing": is_reviewing_blind(campaign, request.user),
        },
    )


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def case_detail(request: MemberRequest, campaign_id: int, item_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    query = list_query(request)
    listed = _listed_items(request, campaign, item_id) if query else None
    case = load_case(
        campaign, item_id, reader_id=request.user.pk, walk=list(listed) if listed is not None else None
    )
    compared = comparisons_of_item(campaign, item_id, reader=request.user)
    judged = [line for each in compared for line in each.lines]
    context = {
        "campaign": campaign,
        "case": case,
        "judged": sorted(judged, key=lambda line: line.review.pk),
        "compared": compared,
        "list_query": query,
        "listed": listed or {},
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/case.html", context)


def list_query(request: MemberRequest) -> str:
    """The part of a URL that selects the list of cases and its view, such as "?low=1&split=test"."""
    kept = {name: request.GET[name] for name in (*FILTER_PARTS, "reviewer_type") if request.GET.get(name)}
    parts = [part for part in (urlencode(kept), filter_part(request.GET)) if part]
    return f"?{'&'.join(parts)}" if parts else ""


def _listed_items(request: MemberRequest, campaign: Campaign, item_id: int) -> dict[int, int]:
    """The item and its neighbours in the list, each with the candidate shown first."""
    view = read_filter(campaign, request.GET)
    if view.problems:
        raise MissingError(" ".join(problem.message for problem in view.problems))
    return CaseList(view, request.GET.dict(), reviewer_type=chosen_reviewer_type(request)).around(item_id)
