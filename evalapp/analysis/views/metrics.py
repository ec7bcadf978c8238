"""The metrics page: which metric to trust, and prediction-powered human means."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.metrics.metric_trust import has_direction
from evalapp.analysis.metrics.prediction_powered import why_none_gain
from evalapp.analysis.metrics.run_metrics import run_metrics as metrics_of_run
from evalapp.analysis.pages import (
    REVIEWER_TYPES,
    campaign_or_missing,
    chosen_reviewer_type,
    filter_problem_page,
    reviewer_type_choices,
)
from evalapp.analysis.scores.filter_form import filter_form_of
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.stored.metrics_result import MetricsResult
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.http import get_or_missing
from evalapp.runs.models import TRAINING_KINDS
from evalapp.runs.queries import runs_of
from evalapp.stats.prediction_powered import ASSUMPTION


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_metrics(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The verdict on every metric and criterion, and each mean beside its prediction-powered mean by the
    chosen metric.
    """
    campaign = campaign_or_missing(request, campaign_id)
    reviewer_type = chosen_reviewer_type(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    shown = MetricsResult(view, reviewer_type=reviewer_type, reader_id=request.user.pk)
    metric = shown.metric(request.GET.get("metric", ""))
    prediction_powered = shown.means_with(metric) if metric and shown.has_answers else []
    context = {
        "campaign": campaign,
        "freshness": shown.freshness,
        "filter_form": filter_form_of(request, view, names=shown.names, coverage=shown.coverage),
        "unweighted": [each.name for each in shown.scales if not has_direction(each)],
        "trust": shown.trust if metric and shown.has_answers else [],
        "prediction_powered": prediction_powered,
        "why_none_gain": why_none_gain(prediction_powered or []),
        "has_answers": shown.has_answers,
        "metrics": shown.metrics,
        "metric": metric,
        "assumption": ASSUMPTION,
        "reviewer_type": reviewer_type,
        "reviewer_type_label": REVIEWER_TYPES[reviewer_type],
        "reviewer_type_choices": reviewer_type_choices(request, reviewer_type),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/metric_trust.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def run_metrics(request: MemberRequest, run_id: int) -> HttpResponse:
    """Automatic metrics, rule checks and labels over all outputs of a generation or an import."""
    run = get_or_missing(runs_of(request.project).exclude(kind__in=TRAINING_KINDS), pk=run_id)
    return render(request, "analysis/run_metrics.html", {"run": run, "found": metrics_of_run(run)})
