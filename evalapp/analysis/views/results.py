"""The candidate comparison of a campaign."""

from collections.abc import Callable
from functools import cache, partial
from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.comparison.campaign_list import filter_list
from evalapp.analysis.comparison.candidates import Comparison
from evalapp.analysis.comparison.lines import comparison_lines
from evalapp.analysis.comparison.next_step import next_step_after
from evalapp.analysis.comparison.subgroups import harmed
from evalapp.analysis.comparison.summary import (
    best_of,
    conclusion_of,
    elsewhere_words,
    metric_preference,
    summaries_of,
)
from evalapp.analysis.models import ScoreSource
from evalapp.analysis.pages import (
    campaign_or_missing,
    chosen_reviewer_type,
    filter_problem_page,
    redirect_with_query,
    reviewer_type_choices,
)
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.analysis.stored.comparison_result import comparison_result
from evalapp.analysis.stored.computed_comparison import POINTS_DRAWN, ComputedAgainstMetric
from evalapp.analysis.stored.stored_comparison import CriterionAgainstMetric
from evalapp.analysis.tables.choices import chosen_metric, chosen_reference, chosen_scale
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.http import attached
from evalapp.core.paging import keyset_page
from evalapp.metrics.metric import MetricDescription

# Attributes of a comparison that the templates use, by their names.
FIGURES = (
    *("simpson", "counterfactuals", "usage", "agreement", "unblinding", "marks", "worst", "ranks", "labels"),
    "ratings_chart",
)
# Parameters of a URL that choose among everything on the page.
CHOICES = {"candidate", "against", "criterion", "metric"}
# Counts that every submission updates.
_REVIEWS_DONE = (
    CampaignReviewer.objects.filter(campaign=OuterRef("pk"))
    .order_by()
    .values("campaign")
    .annotate(done=Sum("reviews_done"))
    .values("done")
)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def result_list(request: MemberRequest) -> HttpResponse:
    # Campaigns of weekly samples are on the page of their stream.
    campaigns = (
        request.project.campaigns.filter(weekly_sample=None)
        .exclude(state=CampaignState.DRAFT)
        .select_related("dataset_version__dataset", "rubric_version__rubric")
        .annotate(review_count=Coalesce(Subquery(_REVIEWS_DONE), 0))
    )
    listing = filter_list(request.project, campaigns, request.GET)
    context = {
        "page": keyset_page(listing.campaigns, request),
        "listing": listing,
    }
    return render(request, "analysis/list.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def result_detail(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The first screen: the campaign's findings."""
    return _results_page(request, campaign_id, "analysis/summary.html")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def who_is_better(request: MemberRequest, campaign_id: int) -> HttpResponse:
    return _results_page(request, campaign_id, "analysis/who_is_better.html")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def can_i_trust_it(request: MemberRequest, campaign_id: int) -> HttpResponse:
    return _results_page(request, campaign_id, "analysis/can_i_trust_it.html")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def what_to_fix(request: MemberRequest, campaign_id: int) -> HttpResponse:
    return _results_page(request, campaign_id, "analysis/what_to_fix.html")


def _results_page(request: MemberRequest, campaign_id: int, template: str) -> HttpResponse:
    """One of the pages of a campaign's results.

    They share a context whose functions a template calls when it needs a figure, so a number is the same on
    each.
    """
    campaign = campaign_or_missing(request, campaign_id)
    if campaign.compares:
        return redirect_with_query(request, "pair_results", request.project.slug, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    wanted = read_filter(campaign, request.GET)
    if wanted.problems:
        return filter_problem_page(request, wanted)
    is_reviewing = is_reviewing_blind(campaign, request.user)
    context = {
        "campaign": campaign,
        "is_reviewing": is_reviewing,
        "next_step": next_step_after(campaign),
        "reviewer_type": reviewer_type,
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        # The page states first that it is filtered.
        "is_narrowed": bool(request.GET.keys() - CHOICES),
        **_results_context(request, reviewer_type, wanted),
    }
    if is_reviewing:
        context["unblinding"] = None
    return render(request, template, {**context, **_summary_context(request, campaign, context)})


def _results_context(request: MemberRequest, reviewer_type: str, wanted: ComparisonFilter) -> dict[str, Any]:
    """The context of the results pages; its functions compute a figure when a template asks for it."""
    result = comparison_result(
        wanted,
        reviewer_type=reviewer_type,
        score_source=_score_source(request),
        reader_id=request.user.pk,
    )
    comparison, figures = result.comparison, result.figures
    criterion = chosen_scale(result.scales, request.GET.get("criterion", ""), figures.contradiction)
    metric = chosen_metric(comparison, request.GET.get("metric", ""))
    reference = chosen_reference(comparison, request.GET.get("against", ""), figures.contradiction)
    parts = result.chosen(reference=reference, criterion=criterion, metric=metric)
    return {
        "freshness": result.freshness,
        "is_uncomputed_view": bool(wanted.view) and not result.is_computed,
        "comparison": comparison,
        "contradiction": figures.contradiction,
        "scales": result.scales,
        "reference": reference,
        "pairs": parts.pairs,
        "filter_form": filter_form_of(
            request, wanted, names=result.names, coverage=figures.coverage, candidates=result.candidates
        ),
        "shared": None if wanted.candidates else figures.shared,
        "reviewers": _lazy_attribute(result, "reviewers"),
        **{name: _lazy_attribute(figures, name) for name in FIGURES},
        **{name: _lazy_attribute(parts, name) for name in ("subgroups", "agreement_chart", "correlations")},
        "adjudicated_count": figures.decided,
        "shows_adjudicated": result.shows_adjudicated,
        "criterion": criterion,
        **_against_metric(parts.against, metric),
    }


def _score_source(request: MemberRequest) -> ScoreSource:
    is_adjudicated = request.GET.get("score_source") == ScoreSource.ADJUDICATED
    return ScoreSource.ADJUDICATED if is_adjudicated else ScoreSource.ORIGINAL


def _against_metric(
    against: ComputedAgainstMetric | CriterionAgainstMetric | None, metric: MetricDescription | None
) -> dict[str, Any]:
    """The figures about people against one metric."""
    if against is None:
        return {"metric": None}
    return {
        "metric": metric,
        "chart": _lazy_attribute(against, "chart"),
        "drawn_of": against.outputs if against.outputs > POINTS_DRAWN else 0,
        "disagreements": _lazy_attribute(against, "disagreements"),
    }


def _lazy_attribute(source: object, name: str) -> Callable[[], Any]:
    return partial(getattr, source, name)


def _evaluated(value: Any) -> Any:
    """The value of a context's entry, as a template would get it."""
    return value() if callable(value) else value


def _summary_context(request: MemberRequest, campaign: Campaign, context: dict[str, Any]) -> dict[str, Any]:
    """Summaries of all candidates, and details of the one in focus: the requested one, else that with the
    highest total.
    """
    comparison: Comparison = context["comparison"]
    if context["reference"] is None:
        return {"summaries": [], "focus": None}
    summaries = summaries_of(context["pairs"], context["reference"])
    asked = request.GET.get("candidate", "")
    named = (each for each in summaries if str(each.challenger.candidate.pk) == asked)
    focus = next(named, best_of(summaries))
    if focus is None:
        return {"summaries": [], "focus": None}
    design = comparison.design
    metric = chosen_metric(comparison, "")
    shown = focus.challenger.candidate.pk
    return {
        "summaries": summaries,
        "focus": focus,
        "focus_pairs": [pair for pair in context["pairs"] if pair.challenger.candidate.pk == shown],
        "other_pairs": [pair for pair in context["pairs"] if pair.challenger.candidate.pk != shown],
        "conclusion": conclusion_of(
            focus,
            reviews=design.reviews,
            expected=campaign.reviews_total if campaign.state == CampaignState.OPEN else 0,
        ),
        "elsewhere_words": elsewhere_words(focus, design),
        "preference": metric_preference(focus, metric),
        "unfair": cache(lambda: _evaluated(context["counterfactuals"]).worst_of(focus.challenger)),
        "harmed": cache(lambda: harmed(_evaluated(context["subgroups"]), focus.challenger, focus.pairs)),
    }


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def comparison_csv(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    wanted = read_filter(campaign, request.GET)
    if wanted.problems:
        return filter_problem_page(request, wanted)
    reviewer_type = chosen_reviewer_type(request)
    result = comparison_result(wanted, reviewer_type=reviewer_type)
    adjudicated = None
    if result.figures.decided:
        found = comparison_result(wanted, reviewer_type=reviewer_type, score_source=ScoreSource.ADJUDICATED)
        adjudicated = found.comparison if found.is_computed else None
    lines = comparison_lines(result.comparison, adjudicated, usage=result.figures.usage)
    response = HttpResponse("".join(lines), content_type="text/csv; charset=utf-8")
    part = "-filtered" if wanted.is_filtered else ""
    return attached(response, f"comparison-{campaign.pk}{part}.csv")
