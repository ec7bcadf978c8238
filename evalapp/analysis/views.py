from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.adjudicated_scores import with_adjudicated
from evalapp.analysis.agreement import agreement_rows, correlation_rows
from evalapp.analysis.case import load_case
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.cases import FILTER_PARTS, column_metric
from evalapp.analysis.charts import hollow_words, human_against_metric, page_charts
from evalapp.analysis.choosing import chosen_metric, chosen_reference, chosen_scale
from evalapp.analysis.classification import label_columns
from evalapp.analysis.compared_case import comparisons_of_item
from evalapp.analysis.comparison import compare, reviewer_rows
from evalapp.analysis.differences import compare_pairs, find_contradiction
from evalapp.analysis.disagreements import find_disagreements
from evalapp.analysis.filter_form import filter_form_of, filter_part
from evalapp.analysis.filtered_scores import load_filtered, shared_part
from evalapp.analysis.filters import ComparisonFilter, read_filter
from evalapp.analysis.large_comparison import large_comparison
from evalapp.analysis.listing import filter_list
from evalapp.analysis.models import AnalysisKind
from evalapp.analysis.next_step import next_step_after
from evalapp.analysis.scores import CampaignScores
from evalapp.analysis.simpson import check_simpson
from evalapp.analysis.span_counts import marks_by_candidate
from evalapp.analysis.stored_comparison import POINTS_DRAWN
from evalapp.analysis.stored_results import AnalysisRequest, is_large
from evalapp.analysis.tables import comparison_lines
from evalapp.analysis.unblinding import unblinding_of
from evalapp.analysis.usage import usage_of
from evalapp.analysis.version_link import MARGIN, link_versions
from evalapp.campaigns.models import Campaign, CampaignReviewer, CampaignState
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.errors import MissingError
from evalapp.core.http import get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.metrics.metric import MetricDescription
from evalapp.reviews.pseudonyms import shown_names
from evalapp.rubrics.models import Criterion

REVIEWER_TYPES = {"all": "Everybody", "human": "People only", "simulated": "Simulated only"}
CASES_PER_PAGE = 50
# Kept by every submission, of a review or of a review.
_REVIEWS_DONE = (
    CampaignReviewer.objects.filter(campaign=OuterRef("pk"))
    .order_by()
    .values("campaign")
    .annotate(done=Sum("reviews_done"))
    .values("done")
)


def campaign_or_missing(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = (
        request.project.campaigns.exclude(state=CampaignState.DRAFT)
        .select_related("project", "rubric_version__rubric", "dataset_version__dataset")
        .filter(pk=campaign_id)
        .first()
    )
    if campaign is None:
        raise MissingError("There is no campaign at this address that has been opened.")
    return campaign


def chosen_reviewer_type(request: MemberRequest) -> str:
    """Whose reviews count; a choice only where simulated ones are read at all."""
    chosen = request.GET.get("reviewer_type", "all")
    return chosen if chosen in REVIEWER_TYPES and request.project.is_demonstration else "all"


def redirect_kept(request: MemberRequest, name: str, *args: object) -> HttpResponse:
    """To the page of that name, with the query of this address."""
    query = request.GET.urlencode()
    return redirect(f"{reverse(name, args=args)}{'?' if query else ''}{query}")


def filter_refused(request: MemberRequest, wanted: ComparisonFilter) -> HttpResponse:
    """The page that says what is wrong with an address's filter, with the form to choose another; 400."""
    names = shown_names(wanted.campaign, reader_id=request.user.pk)
    context = {
        "campaign": wanted.campaign,
        "filter_form": filter_form_of(request, wanted, names=names),
    }
    return render(request, "analysis/filter_refused.html", context, status=400)


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
        "shared": None if wanted.candidates else shared_part(originals),
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


def reviewer_type_choices(request: MemberRequest, reviewer_type: str) -> list[dict[str, Any]]:
    """Whose reviews may count, each at the address of the same view."""
    if not request.project.is_demonstration:
        return []
    choices = []
    for key, label in REVIEWER_TYPES.items():
        query = request.GET.copy()
        query["reviewer_type"] = key
        choices.append({"label": label, "href": f"?{query.urlencode()}", "on": key == reviewer_type})
    return choices


def _large_context(
    request: MemberRequest, campaign: Campaign, reviewer_type: str, chosen: ComparisonFilter
) -> dict[str, Any]:
    """The same page of a large campaign: the figures that a job has stored, of the whole with
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


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def case_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = campaign_or_missing(request, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_refused(request, view)
    cases = cases_at(view, request.GET.dict(), reviewer_type=reviewer_type)
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
            "has_simulated": cases.has_simulated,
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
    """The part of an address that says which list of cases is walked, and of which view:
    "?low=1&split=test".
    """
    kept = {name: request.GET[name] for name in (*FILTER_PARTS, "reviewer_type") if request.GET.get(name)}
    parts = [part for part in (urlencode(kept), filter_part(request.GET)) if part]
    return f"?{'&'.join(parts)}" if parts else ""


def _listed_items(request: MemberRequest, campaign: Campaign, item_id: int) -> dict[int, int]:
    """The item and its neighbours in the list that is walked, each with the candidate to begin with."""
    view = read_filter(campaign, request.GET)
    if view.problems:
        raise MissingError(" ".join(problem.message for problem in view.problems))
    return cases_at(view, request.GET.dict(), reviewer_type=chosen_reviewer_type(request)).around(item_id)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def rubric_link(request: MemberRequest, rubric_id: int) -> HttpResponse:
    """Two versions of a rubric on the outputs that the same people scored under both; the
    latest two first.
    """
    rubric = get_or_missing(request.project.rubrics.all(), pk=rubric_id)
    versions = list(rubric.versions.filter(frozen_at__isnull=False).order_by("number"))
    by_number = {str(version.number): version for version in versions}
    after = by_number.get(request.GET.get("to", ""), versions[-1] if versions else None)
    earlier = [version for version in versions if after is not None and version.number < after.number]
    before = by_number.get(request.GET.get("from", ""), earlier[-1] if earlier else None)
    link = None
    if before is not None and after is not None and before.number < after.number:
        link = link_versions(before, after)
    context = {"rubric": rubric, "versions": versions, "link": link, "margin": MARGIN}
    return render(request, "analysis/rubric_link.html", context)
