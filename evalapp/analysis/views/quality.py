"""The page on the quality of a campaign while it runs."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.quality.campaign_quality import quality_of
from evalapp.campaigns.models import CampaignState
from evalapp.core.http import get_or_missing


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_quality(request: MemberRequest, pk: int) -> HttpResponse:
    """Agreement so far, outputs on which reviewers differ, and hints with their evidence."""
    opened = request.project.campaigns.exclude(state=CampaignState.DRAFT)
    campaign = get_or_missing(opened.select_related("project", "rubric_version"), pk=pk)
    context = {
        "campaign": campaign,
        "quality": quality_of(campaign, reader=request.user.pk),
    }
    return render(request, "analysis/quality.html", context)
