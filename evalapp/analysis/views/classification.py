from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.metrics.classification import classification_of
from evalapp.analysis.pages import campaign_or_missing
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.queries import is_reviewing_blind


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_classification(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """F1 and the confusion matrix of every candidate."""
    campaign = campaign_or_missing(request, campaign_id)
    context = {
        "campaign": campaign,
        "candidates": classification_of(load_scores(campaign)),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/classification.html", context)
