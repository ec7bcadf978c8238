"""The disagreement finder: its form, what it finds, and the campaign over what was found."""

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.columns import HEADLINE_METRIC, METRICS
from evalapp.analysis.filters import ComparisonFilter
from evalapp.analysis.finder import (
    FINDER_PARTS,
    METRIC_SIDES,
    SCORE_SIDES,
    Finder,
    MetricSide,
    ScoreSide,
    finder_from,
)
from evalapp.analysis.picked import pick_campaign
from evalapp.analysis.scores import CampaignScores
from evalapp.analysis.views import CASES_PER_PAGE, campaign_or_missing, chosen_people
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import InvalidError, MissingError, ProblemError
from evalapp.datasets.models import Split
from evalapp.rubrics.models import Criterion

SEALED = (Split.TEST, Split.VALIDATION)
_PARTS = (*FINDER_PARTS, "criterion", "candidate", "reviewer", "people")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def finder(request: MemberRequest, campaign_id: int) -> HttpResponse:
    return _render(request, campaign_id)


def _render(request: MemberRequest, campaign_id: int, problem: ProblemError | None = None) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    people = chosen_people(request)
    cases = cases_at(ComparisonFilter(campaign), {}, people=people)
    scores, wanted = cases.scores, None
    try:
        wanted = finder_from(scores, request.GET.dict())
        if wanted is not None:
            cases = cases.narrowed_to(request.GET.dict())
    except MissingError as error:
        problem = problem or error
    page = Paginator(cases if wanted is not None else [], CASES_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "station": "compare",
        "campaign": campaign,
        "wanted": wanted,
        "found": cases.found(wanted) if wanted is not None else None,
        "chosen": _chosen(scores, request.GET, wanted),
        "metrics": cases.metrics,
        "metric": wanted.metric if wanted else METRICS[HEADLINE_METRIC],
        "metric_sides": [(side.value, words) for side, words in METRIC_SIDES.items()],
        "score_sides": [(side.value, words) for side, words in SCORE_SIDES.items()],
        "scales": scores.scales,
        "criteria": scores.criteria,
        "candidates": scores.candidates,
        "reviewers": [
            (number, scores.names.of(pk))
            for pk, number in sorted(scores.numbers.items(), key=lambda pair: pair[1])
        ],
        "page": page,
        "rows": list(page.object_list),
        "list_query": _query(request),
        "is_sealed": campaign.split in SEALED,
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        "has_simulated": cases.has_simulated,
        "people": people,
        "problem": problem,
    }
    return render(request, "analysis/finder.html", context, status=problem.status if problem else 200)


def _query(request: MemberRequest) -> str:
    kept = {name: request.GET[name] for name in _PARTS if request.GET.get(name)}
    return f"?{urlencode(kept)}" if kept else ""


def _chosen(scores: CampaignScores, query: Mapping[str, str], wanted: Finder | None) -> dict[str, Any]:
    """What the form shows: what is in the address, else the usual question of a metric that flatters."""
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


def _poor(criterion: Criterion | None) -> tuple[ScoreSide, int]:
    """Which scores are usually asked for: those that people give to what is poor."""
    if criterion is not None and criterion.lower_is_better:
        return ScoreSide.AT_LEAST, criterion.maximum
    low = 2 if criterion is None or criterion.low_threshold is None else criterion.low_threshold
    return ScoreSide.AT_MOST, low


@require_POST
@project_view(Permission.EDIT_CAMPAIGNS)
def finder_campaign(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """A draft over what the finder of the address finds."""
    campaign = campaign_or_missing(request, campaign_id)
    cases = cases_at(ComparisonFilter(campaign), {}, people=chosen_people(request))
    try:
        wanted = finder_from(cases.scores, request.GET.dict())
        if wanted is None:
            raise InvalidError("The address names no finder. Open it again from the comparison.")
        found = cases.found(wanted)
        picked = pick_campaign(
            source=campaign,
            item_output_ids=found.item_output_ids,
            because=f"{wanted.describe()}, in {campaign}",
            by=request.user,
        )
    except ProblemError as error:
        return _render(request, campaign_id, error)
    messages.success(request, "A draft over these items. Look at its people, then open it.")
    return redirect("campaign_detail", slug=request.project.slug, pk=picked.pk)
