"""Pages of campaigns that compare answers: results, the preferences behind a number, and a file."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.charts import strengths_chart
from evalapp.analysis.comparison.candidates import compare
from evalapp.analysis.comparison.usage import usage_of
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pages import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    reviewer_type_choices,
)
from evalapp.analysis.pairwise.differing_preferences import with_lines
from evalapp.analysis.pairwise.pair_lists import (
    FILTER_PARTS,
    as_lines,
    find_preferences,
    pair_filter,
    preference_csv,
)
from evalapp.analysis.pairwise.pairs import Preferences, load_preferences, pair_results
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError
from evalapp.core.http import attached
from evalapp.reviews.preferences.distance import differing_preferences

PREFERENCES_PER_PAGE = 50


def _comparing(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = campaign_or_missing(request, campaign_id)
    if not campaign.compares:
        raise MissingError("This campaign rates answers one by one: see its comparison.")
    return campaign


def _loaded(request: MemberRequest, campaign_id: int) -> Preferences:
    return load_preferences(_comparing(request, campaign_id), reviewer_type=chosen_reviewer_type(request))


def _context(request: MemberRequest, preferences: Preferences) -> dict[str, Any]:
    reviewer_type = chosen_reviewer_type(request)
    return {
        "campaign": preferences.campaign,
        "preferences": preferences,
        "reviewer_type": reviewer_type,
        "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "is_reviewing": is_reviewing_blind(preferences.campaign, request.user),
    }


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def pair_results_page(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Win rates, strengths and the position effect, with the metrics below."""
    preferences = _loaded(request, campaign_id)
    scores = load_scores(preferences.campaign)
    is_adjudicated = request.GET.get("score_source") == ScoreSource.ADJUDICATED
    score_source = ScoreSource.ADJUDICATED if is_adjudicated else ScoreSource.ORIGINAL
    results = pair_results(preferences, score_source=score_source)
    context = {
        **_context(request, preferences),
        "results": results,
        "shows_adjudicated": is_adjudicated and bool(results.adjudicated),
        "strengths_chart": strengths_chart(results),
        "comparison": compare(scores),
        "usage": usage_of(scores),
    }
    return render(request, "analysis/pair_results.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def preference_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The preferences behind a number of the results."""
    preferences = _loaded(request, campaign_id)
    wanted = pair_filter(preferences, request.GET.dict())
    # The rows are in memory already, so numbered pages cost nothing.
    page = Paginator(find_preferences(preferences, wanted), PREFERENCES_PER_PAGE).get_page(
        request.GET.get("page")
    )
    kept = {name: request.GET[name] for name in (*FILTER_PARTS, "reviewer_type") if request.GET.get(name)}
    context = {
        **_context(request, preferences),
        "wanted": wanted,
        "page": page,
        "lines": as_lines(preferences, list(page.object_list)),
        "list_query": f"?{urlencode(kept)}" if kept else "",
    }
    return render(request, "analysis/preferences.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def differing_preferences_page(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Differing preferences on the same answers, the most different first."""
    preferences = _loaded(request, campaign_id)
    page = Paginator(differing_preferences(preferences.rows), PREFERENCES_PER_PAGE).get_page(
        request.GET.get("page")
    )
    context = {
        **_context(request, preferences),
        "page": page,
        "rows": with_lines(preferences, list(page.object_list)),
    }
    return render(request, "analysis/differing_preferences.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def preference_file(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Every review as CSV, reviewers by pseudonym."""
    preferences = _loaded(request, campaign_id)
    # All rows are in memory, as for the comparison's table.
    response = HttpResponse("".join(preference_csv(preferences)), content_type="text/csv; charset=utf-8")
    return attached(response, f"preferences-{preferences.campaign.pk}.csv")
