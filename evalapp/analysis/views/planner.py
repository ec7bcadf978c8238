"""The planner's page: items, reviewers and reviewers per item for an expected result."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.planning.forms import PlanForm
from evalapp.analysis.planning.planner import Plan, design_of_campaign, detectable, plan, variances_of
from evalapp.analysis.planning.tables import PLAN_TABLES
from evalapp.analysis.stored.item_sample import sampled_scores
from evalapp.analysis.views.tables import as_csv, as_markdown
from evalapp.campaigns.models import Campaign, CampaignCandidate, CampaignState, Method, Purpose
from evalapp.core.errors import MissingError
from evalapp.core.tables import Table, table_of
from evalapp.reviews.models import Review
from evalapp.rubrics.kinds import with_mean
from evalapp.rubrics.models import RubricVersion


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def planner(request: MemberRequest) -> HttpResponse:
    """The planner; nothing is stored, because a plan is its URL, which can be shared."""
    context = _context(request)
    is_refused = "form" in context and context["form"].errors
    return render(request, "analysis/planner.html", context, status=400 if is_refused else 200)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def planner_table_csv(request: MemberRequest, name: str) -> HttpResponse:
    return as_csv(_table(request, name), name)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def planner_table_markdown(request: MemberRequest, name: str) -> HttpResponse:
    return as_markdown(_table(request, name))


def _table(request: MemberRequest, name: str) -> Table:
    """The page's table of that name, for the plan in the URL."""
    return table_of(PLAN_TABLES, _context(request), name, owner="plan")


def _context(request: MemberRequest) -> dict[str, Any]:
    campaigns = (
        request.project.campaigns.exclude(state=CampaignState.DRAFT)
        .filter(method=Method.POINTWISE)
        .select_related("project", "rubric_version__rubric")
        .annotate(
            is_reviewed=Exists(Review.objects.filter(campaign=OuterRef("pk"), purpose=Purpose.REVIEW)),
            # A campaign of a weekly sample has one candidate, so no differences.
            is_comparison=Exists(CampaignCandidate.objects.filter(campaign=OuterRef("pk"), position=1)),
        )
        .order_by("-is_reviewed", "-is_comparison", "-pk")
    )
    versions = (
        RubricVersion.objects.filter(rubric__project=request.project, frozen_at__isnull=False)
        .select_related("rubric")
        .order_by("-pk")
    )
    campaign, version = _source(request, list(campaigns), list(versions))
    context: dict[str, Any] = {
        "campaigns": campaigns,
        "versions": versions,
        "campaign": campaign,
        "version": version,
    }
    if version is not None:
        context |= _planned(request, campaign, version)
    return context


def _source(
    request: MemberRequest, campaigns: list[Campaign], versions: list[RubricVersion]
) -> tuple[Campaign | None, RubricVersion | None]:
    """Source of criteria and variances: the requested one, else the first campaign (the newest with reviews
    of two candidates, because only such a campaign has all variances), else the newest rubric.
    """
    source = request.GET.get("source", "")
    if asked := request.GET.get("campaign", ""):
        source = f"campaign-{asked}"
    if source:
        by_name = {f"campaign-{each.pk}": (each, each.rubric_version) for each in campaigns}
        rubrics = {f"rubric-{each.pk}": (None, each) for each in versions}
        found = by_name.get(source) or rubrics.get(source)
        if found is None:
            raise MissingError("There is no such campaign or rubric to plan from.")
        return found
    if campaigns:
        return campaigns[0], campaigns[0].rubric_version
    return None, versions[0] if versions else None


def _planned(request: MemberRequest, campaign: Campaign | None, version: RubricVersion) -> dict[str, Any]:
    criteria = list(version.criteria.filter(kind__in=with_mean()).order_by("position"))
    found = sampled_scores(campaign) if campaign is not None else None
    variances = variances_of(found.scores) if found is not None else []
    design = design_of_campaign(campaign) if campaign is not None else None
    by_key = {each.criterion.key: each for each in variances}
    planned: Plan | None = None
    population = request.project.population
    if "items" in request.GET:
        form = PlanForm(request.GET, criteria=criteria, variances=by_key, population=population)
        if form.is_valid() and form.aims:
            planned = plan(form.aims, form.design, level=form.cleaned_data["level"])
    else:
        initial: dict[str, Any] = {"items": 100, "reviewers": 3, "level": 0.05}
        if design is not None:
            initial |= {
                "items": design.items,
                "reviewers": design.reviewers,
                "overlap": design.each,
                "groups": design.groups,
            }
        form = PlanForm(initial=initial, criteria=criteria, variances=by_key, population=population)
    return {
        "form": form,
        "planned": planned,
        "variances": variances,
        "sample": found.sample if found is not None else None,
        "design": design,
        "detectable": detectable(variances, design) if design is not None else [],
    }
