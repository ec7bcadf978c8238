"""The page on a campaign's accepted corrections: edit rates, and the metrics against them."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.pages import campaign_or_missing
from evalapp.analysis.scores.campaign_scores import load_scores
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.exports.correction_report import MOST_OUTPUTS, correction_report
from evalapp.exports.correction_scoring import start_measuring


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_corrections(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """How much each candidate's answers had to be changed; then each metric on one criterion, in words."""
    campaign = campaign_or_missing(request, campaign_id)
    scores = load_scores(campaign)
    wanted = request.GET.get("criterion", "")
    first = scores.scales[0] if scores.scales else None
    criterion = next((each for each in scores.scales if each.key == wanted), first)
    report = correction_report(scores, criterion)
    context = {
        "campaign": campaign,
        "report": report,
        "scales": scores.scales,
        "most": MOST_OUTPUTS,
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "exports/corrections.html", context)


@require_POST
@project_view(Permission.START_RUNS)
def corrections_measure(request: MemberRequest, campaign_id: int) -> HttpResponse:
    job = start_measuring(campaign=campaign_or_missing(request, campaign_id), by=request.user)
    return redirect("job_detail", request.project.slug, job.pk)
