"""The pages of campaigns whose answers are compared: results, the judgements behind a number, a file."""

from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.charts import strengths_chart
from evalapp.analysis.comparison import compare
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pair_lists import FILTER_PARTS, as_lines, find_judgements, judgement_csv, pair_filter
from evalapp.analysis.pairs import Judgements, load_judgements, pair_results
from evalapp.analysis.scores import load_scores
from evalapp.analysis.usage import usage_of
from evalapp.analysis.verdicts_apart import verdicts_apart, with_lines
from evalapp.analysis.views import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    reviewer_type_choices,
)
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError

JUDGEMENTS_PER_PAGE = 50


def _comparing(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = campaign_or_missing(request, campaign_id)
    if not campaign.compares:
        raise MissingError("This campaign rates answers one by one: see its comparison.")
    return campaign


def _loaded(request: MemberRequest, campaign_id: int) -> Judgements:
    return load_judgements(_comparing(request, campaign_id), reviewer_type=chosen_reviewer_type(request))


def _context(request: MemberRequest, judgements: Judgements) -> dict[str, Any]:
    reviewer_type = chosen_reviewer_type(request)
    return {
        "station": "compare",
        "campaign": judgements.campaign,
        "judgements": judgements,
        "reviewer_type": reviewer_type,
        "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "is_reviewing": is_reviewing_blind(judgements.campaign, request.user),
    }


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def pair_results_page(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Who wins against whom, how strong each candidate is, what the side does; below it what metrics say."""
    judgements = _loaded(request, campaign_id)
    scores = load_scores(judgements.campaign)
    is_adjudicated = request.GET.get("score_source") == ScoreSource.ADJUDICATED
    score_source = ScoreSource.ADJUDICATED if is_adjudicated else ScoreSource.ORIGINAL
    results = pair_results(judgements, score_source=score_source)
    context = {
        **_context(request, judgements),
        "results": results,
        "shows_adjudicated": is_adjudicated and bool(results.adjudicated),
        "strengths_chart": strengths_chart(results),
        "comparison": compare(scores),
        "usage": usage_of(scores),
    }
    return render(request, "analysis/pair_results.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def judgement_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The judgements behind a number of the results."""
    judgements = _loaded(request, campaign_id)
    wanted = pair_filter(judgements, request.GET.dict())
    # The rows are in memory already, so pages by number cost nothing here.
    page = Paginator(find_judgements(judgements, wanted), JUDGEMENTS_PER_PAGE).get_page(
        request.GET.get("page")
    )
    kept = {name: request.GET[name] for name in (*FILTER_PARTS, "reviewer_type") if request.GET.get(name)}
    context = {
        **_context(request, judgements),
        "wanted": wanted,
        "page": page,
        "lines": as_lines(judgements, list(page.object_list)),
        "list_query": f"?{urlencode(kept)}" if kept else "",
    }
    return render(request, "analysis/judgements.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def verdicts_apart_page(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Where verdicts on the same answers differ, the most different first."""
    judgements = _loaded(request, campaign_id)
    page = Paginator(verdicts_apart(judgements), JUDGEMENTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        **_context(request, judgements),
        "page": page,
        "rows": with_lines(judgements, list(page.object_list)),
    }
    return render(request, "analysis/verdicts_apart.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def judgement_file(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Every judgement as CSV, reviewers by pseudonym."""
    judgements = _loaded(request, campaign_id)
    # All its rows are in memory, as those of the comparison's table are.
    response = HttpResponse("".join(judgement_csv(judgements)), content_type="text/csv; charset=utf-8")
    name = f"judgements-{judgements.campaign.pk}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
