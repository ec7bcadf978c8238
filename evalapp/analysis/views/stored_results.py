"""Requests to compute the analysis of a large campaign."""

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.models import AnalysisKind, ReviewerType, ScoreSource
from evalapp.analysis.pages import campaign_or_missing
from evalapp.analysis.stored.stored_results import AnalysisRequest, start_analysis, view_of
from evalapp.core.errors import InvalidError
from evalapp.core.http import field_errors

_PAGES = {
    AnalysisKind.COMPARISON: "result_detail",
    AnalysisKind.SEVERITY: "campaign_severity",
    AnalysisKind.AGREEMENT: "campaign_agreement",
    AnalysisKind.METRICS: "campaign_metrics",
}


class ComputeForm(forms.Form):
    kind = forms.ChoiceField(choices=AnalysisKind.choices)
    reviewer_type = forms.ChoiceField(choices=ReviewerType.choices, required=False)
    score_source = forms.ChoiceField(choices=ScoreSource.choices, required=False)
    view = forms.CharField(required=False)


@require_POST
@project_view(Permission.VIEW_ANALYSIS)
def analysis_compute(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Queue the analysis of the page and return to the page, which shows the progress."""
    campaign = campaign_or_missing(request, campaign_id)
    form = ComputeForm(request.POST)
    if not form.is_valid():
        raise InvalidError("Send the kind of analysis as the page does.", fields=field_errors(form))
    reviewer_type = form.cleaned_data["reviewer_type"] if request.project.is_demonstration else ""
    score_source = form.cleaned_data["score_source"]
    view = view_of(campaign, form.cleaned_data["view"]).view
    wanted = AnalysisRequest(
        AnalysisKind(form.cleaned_data["kind"]),
        reviewer_type or ReviewerType.ALL,
        score_source or ScoreSource.ORIGINAL,
        view,
    )
    start_analysis(campaign=campaign, request=wanted, by=request.user)
    messages.success(request, "Started. The page shows the new results when they are ready.")
    url = reverse(_PAGES[wanted.kind], args=[request.project.slug, campaign.pk])
    chosen = {
        "reviewer_type": reviewer_type,
        "score_source": score_source if score_source == ScoreSource.ADJUDICATED else "",
    }
    parts = (urlencode({name: value for name, value in chosen.items() if value}), view)
    query = "&".join(part for part in parts if part)
    return redirect(f"{url}?{query}" if query else url)
