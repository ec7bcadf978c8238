"""The page “is tuning better than a good prompt?”"""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission, allows
from evalapp.analysis.pages import chosen_reviewer_type, filter_problem_page, reviewer_type_choices
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import ComparisonFilter
from evalapp.analysis.tuning.contest import (
    campaigns_between,
    chosen_campaign,
    chosen_tuned,
    contest_filter,
    imported_candidates,
    imported_pair,
    prompts_over_base_of,
    tuned_candidates,
)
from evalapp.analysis.tuning.evidence import evidence_of
from evalapp.analysis.tuning.steps import steps_to_answer
from evalapp.campaigns.models import Campaign
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.registry.models import ModelVersion
from evalapp.reviews.pseudonyms import shown_names

MOST_OFFERED = 200


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def tuning(request: MemberRequest) -> HttpResponse:
    """``candidate`` is a tuned model version, ``campaign`` the campaign that compares it, ``with`` its other
    candidates to compare with; missing values are proposed. With ``prompt``, an imported candidate that is
    stated to be a prompt, ``candidate`` is one that is stated to be tuned. The filters of a comparison apply
    here, too.
    """
    asked, prompt = request.GET.get("candidate", ""), None
    imported = list(imported_candidates(request.project)[:MOST_OFFERED])
    tuned: ModelVersion | None
    if "prompt" in request.GET:
        tuned, prompt = imported_pair(request.project, asked, request.GET["prompt"])
    else:
        tuned = chosen_tuned(request.project, asked)
    campaigns = list(campaigns_between(tuned, prompt)) if tuned is not None else []
    campaign = chosen_campaign(campaigns, request.GET.get("campaign", ""))
    context: dict[str, Any] = {
        "tuned": tuned,
        "said_prompt": prompt,
        "imported": imported if len(imported) > 1 and (prompt or tuned is None) else [],
        "offered": tuned_candidates(request.project)[:MOST_OFFERED],
        "prompts": list(prompts_over_base_of(tuned)) if tuned is not None else [],
        "campaigns": [each for each in campaigns if not each.compares],
        "side_by_side": [each for each in campaigns if each.compares],
        "campaign": campaign,
        "reviewer_type": chosen_reviewer_type(request),
        "contest": None,
        "steps": [],
    }
    if tuned is not None and campaign is not None:
        wanted = contest_filter(campaign, tuned, request.GET, prompt)
        if wanted.problems:
            return filter_problem_page(request, wanted)
        context |= _evidence(request, campaign, tuned, wanted)
    if context["contest"] is None and prompt is None:
        role = request.membership.role
        may = {permission.name for permission in Permission if allows(role, permission)}
        context["steps"] = [
            step if not step.permission or step.permission in may else step._replace(href="")
            for step in steps_to_answer(request.project, tuned)
        ]
    return render(request, "analysis/tuning.html", context)


def _evidence(
    request: MemberRequest, campaign: Campaign, tuned: ModelVersion, wanted: ComparisonFilter
) -> dict[str, Any]:
    reviewer_type = chosen_reviewer_type(request)
    found = evidence_of(wanted, tuned, reviewer_type=reviewer_type, reader_id=request.user.pk)
    names = shown_names(campaign, reader_id=request.user.pk)
    chosen = {candidate.pk for candidate in wanted.candidates}
    contest = found.contest
    return {
        "comparison": found.comparison,
        "contest": contest,
        "freshness": found.freshness,
        "spent": found.spent,
        "usage": found.usage,
        "filter_form": filter_form_of(request, wanted, names=names, coverage=found.coverage),
        "others": [
            (entry, entry.pk in chosen)
            for entry in campaign.candidates.select_related("model_version").order_by("position")
            if entry.model_version_id != tuned.pk
        ],
        "is_reviewing": is_reviewing_blind(campaign, request.user),
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
    }
