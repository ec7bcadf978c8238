import csv
from pathlib import Path

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from evalapp.accounts.access import MemberRequest, project_view, signed_in_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.agreement import agreement_rows, correlation_rows
from evalapp.analysis.cases import filter_from, find_cases, find_disagreements, load_case
from evalapp.analysis.charts import human_against_metric
from evalapp.analysis.comparison import (
    HEADLINE_METRIC,
    METRICS,
    SEGMENT_METRICS,
    CandidateRow,
    Comparison,
    compare,
    compare_pairs,
    reviewer_rows,
)
from evalapp.analysis.scores import CampaignScores, load_scores
from evalapp.analysis.tables import comparison_lines
from evalapp.campaigns.models import Campaign, CampaignState
from evalapp.core.errors import MissingError
from evalapp.rubrics.models import Criterion

NOTES = Path(settings.BASE_DIR) / "docs" / "measures.md"
PEOPLE = {"all": "Everybody", "human": "People only", "simulated": "Simulated only"}
CASES_PER_PAGE = 50


def _campaign_or_missing(request: MemberRequest, campaign_id: int) -> Campaign:
    campaign = (
        request.project.campaigns.select_related(
            "project", "rubric_version__rubric", "dataset_version__dataset"
        )
        .filter(pk=campaign_id)
        .first()
    )
    if campaign is None:
        raise MissingError("There is no such campaign in this project.")
    return campaign


def _people(request: MemberRequest) -> str:
    chosen = request.GET.get("people", "all")
    return chosen if chosen in PEOPLE else "all"


@require_GET
@project_view(Permission.VIEW_ANALYSIS)
def comparison_list(request: MemberRequest) -> HttpResponse:
    campaigns = (
        request.project.campaigns.exclude(state=CampaignState.DRAFT)
        .select_related("dataset_version__dataset", "rubric_version__rubric")
        .annotate(review_count=Count("reviews"))
        .order_by("-id")[:100]
    )
    return render(request, "analysis/list.html", {"station": "compare", "campaigns": campaigns})


@require_GET
@project_view(Permission.VIEW_ANALYSIS)
def comparison_detail(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = _campaign_or_missing(request, campaign_id)
    people = _people(request)
    scores = load_scores(campaign, people=people)
    comparison = compare(scores)
    criterion = _chosen_criterion(scores, request.GET.get("criterion", ""), comparison)
    metric = METRICS.get(request.GET.get("metric", ""), METRICS[HEADLINE_METRIC])
    champion = _chosen_champion(comparison, request.GET.get("against", ""))
    return render(
        request,
        "analysis/comparison.html",
        {
            "station": "compare",
            "campaign": campaign,
            "comparison": comparison,
            "design": comparison.design,
            "criteria": scores.criteria,
            "scales": scores.scales,
            "metrics": [
                each for each in SEGMENT_METRICS if any(each.name in row.metrics for row in comparison.rows)
            ],
            "corpus_metrics": sorted({name for row in comparison.rows for name in row.corpus}),
            "criterion": criterion,
            "metric": metric,
            "chart": human_against_metric(scores, criterion, metric) if criterion else None,
            "disagreements": find_disagreements(scores, criterion, metric) if criterion else None,
            "champion": champion,
            "pairs": compare_pairs(scores, comparison, champion) if champion else [],
            "agreement": agreement_rows(scores),
            "correlations": correlation_rows(scores, metric),
            "reviewers": reviewer_rows(scores, request.user.pk),
            "people": people,
            "people_choices": [
                {"label": label, "href": f"?people={key}", "on": key == people}
                for key, label in PEOPLE.items()
            ]
            if campaign.project.is_demonstration
            else [],
        },
    )


def _chosen_criterion(scores: CampaignScores, key: str, comparison: Comparison) -> Criterion | None:
    named = next((criterion for criterion in scores.scales if criterion.key == key), None)
    if named is None and comparison.contradiction is not None:
        named = comparison.contradiction.cell.criterion
    return named or (scores.scales[0] if scores.scales else None)


def _chosen_champion(comparison: Comparison, chosen: str) -> CandidateRow | None:
    """The candidate the others are compared against: as asked, else the first by the metric, else the first."""
    for row in comparison.rows:
        if str(row.candidate.pk) == chosen:
            return row
    if comparison.contradiction is not None:
        return comparison.contradiction.metric_first
    return comparison.rows[0] if comparison.rows else None


@require_GET
@project_view(Permission.VIEW_ANALYSIS)
def comparison_csv(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = _campaign_or_missing(request, campaign_id)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="comparison-{campaign.pk}.csv"'
    writer = csv.writer(response)
    writer.writerows(comparison_lines(compare(load_scores(campaign, people=_people(request)))))
    return response


@require_GET
@project_view(Permission.VIEW_ANALYSIS)
def case_list(request: MemberRequest, campaign_id: int) -> HttpResponse:
    campaign = _campaign_or_missing(request, campaign_id)
    people = _people(request)
    scores = load_scores(campaign, people=people)
    wanted = filter_from(scores, request.GET.dict())
    # The rows are in memory already, so pages by number cost nothing here.
    page = Paginator(find_cases(scores, wanted), CASES_PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "analysis/cases.html",
        {
            "station": "compare",
            "campaign": campaign,
            "wanted": wanted,
            "page": page,
            "criteria": scores.criteria,
            "has_simulated": scores.has_simulated,
        },
    )


@require_GET
@project_view(Permission.VIEW_ANALYSIS)
def case_detail(request: MemberRequest, campaign_id: int, item_id: int) -> HttpResponse:
    campaign = _campaign_or_missing(request, campaign_id)
    case = load_case(campaign, item_id, reader_id=request.user.pk)
    items = campaign.items.order_by("pk")
    return render(
        request,
        "analysis/case.html",
        {
            "station": "compare",
            "campaign": campaign,
            "case": case,
            "previous": items.filter(pk__lt=item_id).last(),
            "following": items.filter(pk__gt=item_id).first(),
            "has_simulated": any(
                given.review.is_simulated for output in case.outputs for given in output.reviews
            ),
        },
    )


@require_GET
@signed_in_view
def measure_notes(request: HttpRequest) -> HttpResponse:
    """What every statistic is and how to read it: the documentation's own page."""
    return render(request, "analysis/measures.html", {"notes": NOTES.read_text(encoding="utf-8")})
