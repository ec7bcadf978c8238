"""The disagreement finder: its form, its cases, and the campaign over them."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.pages import campaign_or_missing, chosen_reviewer_type, filter_problem_page
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.analysis.scores.finder import (
    METRIC_SIDES,
    SCORE_SIDES,
    Finder,
    MetricSide,
    ScoreSide,
    finder_from,
    ties_in_words,
)
from evalapp.analysis.scores.finder_campaign import pick_found
from evalapp.analysis.views.cases import CASES_PER_PAGE, list_query
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.datasets.models import Split
from evalapp.metrics.registry import COMPARED_METRICS, HEADLINE_METRIC
from evalapp.rubrics.models import Criterion

HELD_OUT_SPLITS = (Split.TEST, Split.VALIDATION)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def finder(request: MemberRequest, campaign_id: int) -> HttpResponse:
    view = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    return filter_problem_page(request, view) if view.problems else _render(request, view)


def _render(
    request: MemberRequest, view: ComparisonFilter, problem: ProblemError | None = None
) -> HttpResponse:
    campaign, reviewer_type = view.campaign, chosen_reviewer_type(request)
    cases = CaseList(view, {}, reviewer_type=reviewer_type)
    scores, wanted = cases.scores, None
    try:
        wanted = finder_from(scores, request.GET.dict())
        if wanted is not None:
            cases = cases.with_filters_of(request.GET.dict())
    except MissingError as error:
        problem, wanted = problem or error, None
    found = cases.found(wanted) if wanted is not None else None
    page = Paginator(cases if wanted is not None else [], CASES_PER_PAGE).get_page(request.GET.get("page"))
    filter_form = filter_form_of(request, view, names=scores.names, coverage=cases.coverage)
    context = {
        "campaign": campaign,
        "filter_form": filter_form,
        "wanted": wanted,
        "found": found,
        "ties": ties_in_words(wanted, found) if wanted is not None and found is not None else "",
        "chosen": _chosen(scores, request.GET, wanted),
        "metrics": cases.metrics,
        "metric": wanted.metric if wanted else COMPARED_METRICS[HEADLINE_METRIC],
        "metric_sides": [(side.value, words) for side, words in METRIC_SIDES.items()],
        "score_sides": [(side.value, words) for side, words in SCORE_SIDES.items()],
        "scales": scores.scales,
        "criteria": scores.criteria,
        "candidates": scores.candidates,
        "reviewers": [(number, name) for number, name, _ in filter_form.reviewers],
        "page": page,
        "rows": list(page.object_list),
        "list_query": list_query(request),
        "is_held_out": campaign.split in HELD_OUT_SPLITS,
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        "reviewer_type": reviewer_type,
        "problem": problem,
    }
    return render(request, "analysis/finder.html", context, status=problem.status if problem else 200)


def _chosen(scores: CampaignScores, query: Mapping[str, str], wanted: Finder | None) -> dict[str, Any]:
    """The choices that the form shows: those of the URL, or the usual question about a metric that is too
    favourable.
    """
    first = scores.scales[0] if scores.scales else None
    criterion = wanted.criterion if wanted else first
    side, score = _poor(criterion)
    usual = {
        "find": HEADLINE_METRIC,
        "find_is": MetricSide.TOP.value,
        "find_value": "",
        "criterion": criterion.key if criterion else "",
        "score_is": side.value,
        "score": str(score),
        "candidate": "",
        "reviewer": "",
    }
    return {name: query.get(name, value) for name, value in usual.items()}


def _poor(criterion: Criterion | None) -> tuple[ScoreSide, float]:
    """The scores that are usually searched for: those at the worse end of the scale."""
    if criterion is None:
        return ScoreSide.AT_MOST, 2
    side = ScoreSide.AT_LEAST if criterion.lower_is_better else ScoreSide.AT_MOST
    return side, criterion.rules.poor_number


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def finder_campaign(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Create a draft campaign over the results of the URL's finder in the URL's view."""
    view = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    cases = CaseList(view, {}, reviewer_type=chosen_reviewer_type(request))
    try:
        wanted = finder_from(cases.scores, request.GET.dict())
        if wanted is None:
            raise InvalidError("The URL has no finder parameters. Open the finder again from the results.")
        picked = pick_found(wanted=wanted, found=cases.found(wanted), view=view, by=request.user)
    except ProblemError as error:
        return _render(request, view, error)
    messages.success(request, "Created a draft over these items. Check its reviewers, then open it.")
    return redirect("campaign_detail", slug=request.project.slug, pk=picked.pk)
