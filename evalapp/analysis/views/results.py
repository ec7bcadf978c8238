"""The candidate comparison of a campaign."""

from functools import cache
from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.agreement.measures import agreement_rows, correlation_rows
from evalapp.analysis.charts import agreement_chart, human_against_metric, ratings_chart
from evalapp.analysis.comparison.campaign_list import filter_list
from evalapp.analysis.comparison.candidates import Comparison, compare, reviewer_rows
from evalapp.analysis.comparison.differences import compare_pairs, find_contradiction
from evalapp.analysis.comparison.lines import comparison_lines
from evalapp.analysis.comparison.next_step import next_step_after
from evalapp.analysis.comparison.ranks import ranks_of
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.comparison.span_counts import marks_by_candidate
from evalapp.analysis.comparison.subgroups import find_subgroups, harmed
from evalapp.analysis.comparison.summary import (
    conclusion_of,
    elsewhere_words,
    metric_preference,
    summaries_of,
    worst_cases,
)
from evalapp.analysis.comparison.unblinding import unblinding_of
from evalapp.analysis.comparison.usage import usage_of
from evalapp.analysis.metrics.classification import label_columns
from evalapp.analysis.metrics.disagreements import find_disagreements
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.pages import (
    campaign_or_missing,
    chosen_reviewer_type,
    filter_refused,
    redirect_kept,
    reviewer_type_choices,
)
from evalapp.analysis.scores.adjudicated_scores import with_adjudicated
from evalapp.analysis.scores.campaign_scores import CampaignScores
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filtered_scores import load_filtered, shared_items_of
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.analysis.stored.large_comparison import large_comparison
from evalapp.analysis.stored.stored_comparison import POINTS_DRAWN
from evalapp.analysis.stored.stored_results import AnalysisRequest, is_large
from evalapp.analysis.tables.choices import chosen_metric, chosen_reference, chosen_scale
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.paging import keyset_page
from evalapp.metrics.metric import MetricDescription
from evalapp.rubrics.models import Criterion

# What a URL chooses among all that is there.
CHOICES = {"candidate", "against", "criterion", "metric"}
# Kept by every submission.
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
    campaigns = (
        request.project.campaigns.exclude(state=CampaignState.DRAFT)
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
    """The first screen: what the campaign found."""
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
    """One of the pages of a campaign's results. They share what they can show (a context whose functions a
    template calls where it needs them), so a number is the same on each.
    """
    campaign = campaign_or_missing(request, campaign_id)
    if campaign.compares:
        return redirect_kept(request, "pair_results", request.project.slug, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    wanted = read_filter(campaign, request.GET)
    if wanted.problems:
        return filter_refused(request, wanted)
    context_of = _large_context if is_large(campaign, reviewer_type=reviewer_type) else _context
    is_reviewing = is_reviewing_blind(campaign, request.user)
    context = {
        "campaign": campaign,
        "is_reviewing": is_reviewing,
        "next_step": next_step_after(campaign),
        "reviewer_type": reviewer_type,
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        # What is shown is not all there is, so the page says so first.
        "is_narrowed": bool(request.GET.keys() - CHOICES),
        **context_of(request, campaign, reviewer_type, wanted),
    }
    if is_reviewing:
        context["unblinding"] = None
    return render(request, template, {**context, **_summary_context(request, campaign, context)})


def _context(
    request: MemberRequest, campaign: Campaign, reviewer_type: str, wanted: ComparisonFilter
) -> dict[str, Any]:
    """Computed while the reader waits."""
    filtered = load_filtered(wanted, reviewer_type=reviewer_type)
    originals = filtered.scores
    adjudicated = with_adjudicated(originals)
    shows_adjudicated = bool(adjudicated.decided) and request.GET.get("score_source") == "adjudicated"
    scores = adjudicated.scores if shows_adjudicated else originals
    comparison = compare(scores)
    contradiction = find_contradiction(scores, comparison)
    criterion = chosen_scale(scores.scales, request.GET.get("criterion", ""), contradiction)
    metric = chosen_metric(comparison, request.GET.get("metric", ""))
    reference = chosen_reference(comparison, request.GET.get("against", ""), contradiction)
    pairs = compare_pairs(scores, comparison, reference) if reference else []
    return {
        "freshness": None,
        "drawn_of": 0,
        "comparison": comparison,
        "contradiction": contradiction,
        "scales": scores.scales,
        "labels": cache(lambda: label_columns(originals)),
        "reference": reference,
        "pairs": pairs,
        "filter_form": filter_form_of(request, wanted, names=originals.names, coverage=filtered.coverage),
        "shared": None if wanted.candidates else shared_items_of(originals),
        "simpson": cache(lambda: check_simpson(scores)),
        "subgroups": cache(lambda: find_subgroups(scores, pairs, reference) if reference else []),
        "usage": cache(lambda: usage_of(originals)),
        "agreement": cache(lambda: agreement_rows(originals)),
        "reviewers": cache(lambda: reviewer_rows(originals, request.user.pk)),
        "unblinding": cache(lambda: unblinding_of(campaign)),
        "marks": cache(
            lambda: marks_by_candidate(originals, reviewer_type=reviewer_type, among=filtered.reviews)
        ),
        "worst": cache(lambda: worst_cases(scores)),
        "ranks": cache(lambda: ranks_of(scores)),
        "adjudicated_count": adjudicated.decided,
        "shows_adjudicated": shows_adjudicated,
        "ratings_chart": cache(lambda: ratings_chart(comparison)),
        "agreement_chart": cache(lambda: agreement_chart(originals, criterion) if criterion else None),
        "criterion": criterion,
        **(_against_metric(scores, criterion, metric) if criterion and metric else {"metric": None}),
    }


def _against_metric(
    scores: CampaignScores, criterion: Criterion, metric: MetricDescription
) -> dict[str, Any]:
    """What the pages say of people against one metric."""
    return {
        "metric": metric,
        "chart": cache(lambda: human_against_metric(scores, criterion, metric)),
        "disagreements": cache(lambda: find_disagreements(scores, criterion, metric)),
        "correlations": cache(lambda: correlation_rows(scores, metric)),
    }


def _large_context(
    request: MemberRequest, campaign: Campaign, reviewer_type: str, wanted: ComparisonFilter
) -> dict[str, Any]:
    """The same of a large campaign: the numbers that a job has stored, of the whole with counts of now."""
    score_source = "adjudicated" if request.GET.get("score_source") == "adjudicated" else "original"
    asked = AnalysisRequest(AnalysisKind.COMPARISON, reviewer_type, score_source, wanted.view)
    found = large_comparison(campaign, asked, reader_id=request.user.pk)
    comparison, contradiction = found.comparison, found.stored.contradiction
    scales = [each for each in comparison.criteria if each.rules.has_mean]
    criterion = chosen_scale(scales, request.GET.get("criterion", ""), contradiction)
    metric = chosen_metric(comparison, request.GET.get("metric", ""))
    reference = chosen_reference(comparison, request.GET.get("against", ""), contradiction)
    shown = found.chosen(reference=reference, criterion=criterion, metric=metric)
    against = shown.against
    return {
        "freshness": found.freshness,
        "is_uncomputed_view": bool(wanted.view) and found.freshness.computed_at is None,
        "comparison": comparison,
        "contradiction": contradiction,
        "scales": scales,
        "reference": reference,
        "pairs": shown.pairs,
        "filter_form": filter_form_of(
            request,
            wanted,
            names=found.names,
            coverage=found.stored.coverage,
            candidates=found.subjects.candidates.values(),
        ),
        "shared": None if wanted.candidates else found.stored.shared,
        "simpson": found.stored.simpson,
        "subgroups": shown.subgroups,
        "usage": found.stored.usage,
        "agreement": found.stored.agreement,
        "reviewers": found.reviewers,
        "unblinding": found.stored.unblinding,
        "marks": found.stored.marks,
        "worst": found.stored.worst,
        "ranks": found.stored.ranks,
        "labels": {},
        "ratings_chart": found.stored.ratings_chart,
        "agreement_chart": shown.agreement_chart,
        "adjudicated_count": found.stored.decided,
        "shows_adjudicated": score_source == "adjudicated",
        "criterion": criterion,
        "metric": metric if against else None,
        "chart": against.chart if against else None,
        "drawn_of": against.outputs if against and against.outputs > POINTS_DRAWN else 0,
        "disagreements": against.disagreements if against else None,
        "correlations": shown.correlations,
    }


def _called(value: Any) -> Any:
    """What a context's entry comes to, as in a template."""
    return value() if callable(value) else value


def _summary_context(request: MemberRequest, campaign: Campaign, context: dict[str, Any]) -> dict[str, Any]:
    """What the first screen says of every candidate, and in full of the one in focus: as asked, else the one
    with the highest total.
    """
    comparison: Comparison = context["comparison"]
    if context["reference"] is None:
        return {"summaries": [], "focus": None}
    summaries = summaries_of(context["pairs"], context["reference"])
    asked = request.GET.get("candidate", "")
    focus = next((each for each in summaries if str(each.challenger.candidate.pk) == asked), None)
    if focus is None:
        focus = max(summaries, key=lambda each: each.challenger.total.value or 0.0, default=None)
    if focus is None:
        return {"summaries": [], "focus": None}
    design = comparison.design
    metric = chosen_metric(comparison, "")
    return {
        "summaries": summaries,
        "focus": focus,
        "conclusion": conclusion_of(
            focus,
            reviews=design.reviews,
            expected=campaign.reviews_total if campaign.state == CampaignState.OPEN else 0,
        ),
        "elsewhere_words": elsewhere_words(focus, design),
        "preference": metric_preference(focus, metric),
        "harmed": cache(lambda: harmed(_called(context["subgroups"]), focus.challenger)),
    }


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def comparison_csv(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    wanted = read_filter(campaign, request.GET)
    if wanted.problems:
        return filter_refused(request, wanted)
    reviewer_type = chosen_reviewer_type(request)
    if is_large(campaign, reviewer_type=reviewer_type):
        kept = AnalysisRequest(AnalysisKind.COMPARISON, reviewer_type, view=wanted.view)
        found = large_comparison(campaign, kept, reader_id=request.user.pk)
        lines = comparison_lines(found.comparison, usage=found.stored.usage)
    else:
        scores = load_filtered(wanted, reviewer_type=reviewer_type).scores
        adjudicated, count = with_adjudicated(scores)
        lines = comparison_lines(
            compare(scores), compare(adjudicated) if count else None, usage=usage_of(scores)
        )
    response = HttpResponse("".join(lines), content_type="text/csv; charset=utf-8")
    part = "-filtered" if wanted.is_filtered else ""
    response["Content-Disposition"] = f'attachment; filename="comparison-{campaign.pk}{part}.csv"'
    return response
