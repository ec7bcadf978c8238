"""The candidate comparison of a campaign."""

from typing import Any

from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.agreement.measures import agreement_rows, correlation_rows
from evalapp.analysis.charts import hollow_words, human_against_metric, page_charts
from evalapp.analysis.comparison.campaign_list import filter_list
from evalapp.analysis.comparison.candidates import compare, reviewer_rows
from evalapp.analysis.comparison.differences import compare_pairs, find_contradiction
from evalapp.analysis.comparison.lines import comparison_lines
from evalapp.analysis.comparison.next_step import next_step_after
from evalapp.analysis.comparison.simpson import check_simpson
from evalapp.analysis.comparison.span_counts import marks_by_candidate
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

# Kept by every submission, of a review or of a review.
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
    campaign = campaign_or_missing(request, campaign_id)
    if campaign.compares:
        return redirect_kept(request, "pair_results", request.project.slug, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    wanted = read_filter(campaign, request.GET)
    if wanted.problems:
        return filter_refused(request, wanted)
    if is_large(campaign, reviewer_type=reviewer_type):
        context = _large_context(request, campaign, reviewer_type, wanted)
        return render(request, "analysis/comparison.html", context)
    filtered = load_filtered(wanted, reviewer_type=reviewer_type)
    originals = filtered.scores
    adjudicated = with_adjudicated(originals)
    shows_adjudicated = bool(adjudicated.decided) and request.GET.get("score_source") == "adjudicated"
    scores = adjudicated.scores if shows_adjudicated else originals
    comparison = compare(scores)
    contradiction = find_contradiction(scores, comparison)
    is_reviewing = is_reviewing_blind(campaign, request.user)
    criterion = chosen_scale(scores.scales, request.GET.get("criterion", ""), contradiction)
    metric = chosen_metric(comparison, request.GET.get("metric", ""))
    reference = chosen_reference(comparison, request.GET.get("against", ""), contradiction)
    pairs = compare_pairs(scores, comparison, reference, everything=True) if reference else []
    context = {
        "campaign": campaign,
        "freshness": None,
        "drawn_of": 0,
        "comparison": comparison,
        "contradiction": contradiction,
        "scales": scores.scales,
        "labels": label_columns(originals),
        "reference": reference,
        "pairs": pairs,
        "filter_form": filter_form_of(request, wanted, names=originals.names, coverage=filtered.coverage),
        "shared": None if wanted.candidates else shared_items_of(originals),
        "simpson": check_simpson(scores),
        "usage": usage_of(originals),
        "agreement": agreement_rows(originals),
        "reviewers": reviewer_rows(originals, request.user.pk),
        "is_reviewing": is_reviewing,
        "next_step": next_step_after(campaign),
        "unblinding": None if is_reviewing else unblinding_of(campaign),
        "marks": marks_by_candidate(originals, reviewer_type=reviewer_type, among=filtered.reviews),
        "reviewer_type": reviewer_type,
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "adjudicated_count": adjudicated.decided,
        "shows_adjudicated": shows_adjudicated,
        **page_charts(originals, comparison, pairs=pairs, reference=reference, criterion=criterion),
        **(_against_metric(scores, criterion, metric) if criterion and metric else {"metric": None}),
    }
    return render(request, "analysis/comparison.html", context)


def _against_metric(
    scores: CampaignScores, criterion: Criterion, metric: MetricDescription
) -> dict[str, Any]:
    """What the page says of people against one metric."""
    return {
        "criterion": criterion,
        "metric": metric,
        "chart": human_against_metric(scores, criterion, metric),
        "disagreements": find_disagreements(scores, criterion, metric),
        "correlations": correlation_rows(scores, metric),
    }


def _large_context(
    request: MemberRequest, campaign: Campaign, reviewer_type: str, chosen: ComparisonFilter
) -> dict[str, Any]:
    """The same page of a large campaign: the numbers that a job has stored, of the whole with
    counts of now.
    """
    score_source = "adjudicated" if request.GET.get("score_source") == "adjudicated" else "original"
    wanted = AnalysisRequest(AnalysisKind.COMPARISON, reviewer_type, score_source, chosen.view)
    found = large_comparison(campaign, wanted, reader_id=request.user.pk)
    comparison, contradiction = found.comparison, found.stored.contradiction
    scales = [each for each in comparison.criteria if each.rules.has_mean]
    criterion = chosen_scale(scales, request.GET.get("criterion", ""), contradiction)
    metric = chosen_metric(comparison, request.GET.get("metric", ""))
    reference = chosen_reference(comparison, request.GET.get("against", ""), contradiction)
    shown = found.chosen(reference=reference, criterion=criterion, metric=metric)
    differences, against = shown.differences, shown.against
    is_reviewing = is_reviewing_blind(campaign, request.user)
    return {
        "campaign": campaign,
        "freshness": found.freshness,
        "is_uncomputed_view": bool(chosen.view) and found.freshness.computed_at is None,
        "comparison": comparison,
        "contradiction": contradiction,
        "scales": scales,
        "reference": reference,
        "pairs": differences.pairs,
        "filter_form": filter_form_of(
            request,
            chosen,
            names=found.names,
            coverage=found.stored.coverage,
            candidates=found.subjects.candidates.values(),
        ),
        "shared": None if chosen.candidates else found.stored.shared,
        "simpson": found.stored.simpson,
        "usage": found.stored.usage,
        "agreement": found.stored.agreement,
        "reviewers": found.reviewers,
        "is_reviewing": is_reviewing,
        "next_step": next_step_after(campaign),
        "unblinding": None if is_reviewing else found.stored.unblinding,
        "marks": found.stored.marks,
        "labels": {},
        "ratings_chart": found.stored.ratings_chart,
        "differences_charts": differences.charts,
        "hollow_words": hollow_words(differences.pairs),
        "agreement_chart": shown.agreement_chart,
        "reviewer_type": reviewer_type,
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "adjudicated_count": found.stored.decided,
        "shows_adjudicated": score_source == "adjudicated",
        "criterion": criterion,
        "metric": metric if against else None,
        "chart": against.chart if against else None,
        "drawn_of": against.outputs if against and against.outputs > POINTS_DRAWN else 0,
        "disagreements": against.disagreements if against else None,
        "correlations": shown.correlations,
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
