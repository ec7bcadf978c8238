"""The page on what a campaign's metrics are worth: which to trust, and how far they narrow human means."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.filters import read_filter
from evalapp.analysis.kept_metrics import ShownMetrics
from evalapp.analysis.metric_trust import has_direction
from evalapp.analysis.narrowing_form import narrowing_of
from evalapp.analysis.prediction_powered import why_none_narrowed
from evalapp.analysis.views import (
    PEOPLE,
    campaign_or_missing,
    chosen_people,
    filter_refused,
    people_choices,
)
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.stats.prediction_powered import ASSUMPTION


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def campaign_metrics(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Words on every metric and criterion, then each mean beside the one that the chosen metric narrows."""
    campaign = campaign_or_missing(request, campaign_id)
    people = chosen_people(request)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_refused(request, view)
    shown = ShownMetrics(view, people=people, reader_id=request.user.pk)
    metric = shown.metric(request.GET.get("metric", ""))
    narrowed = shown.means_with(metric) if metric and shown.has_answers else []
    context = {
        "station": "compare",
        "campaign": campaign,
        "standing": shown.standing,
        "narrowing": narrowing_of(request, view, names=shown.names, kept=shown.kept),
        "unweighted": [each.name for each in shown.scales if not has_direction(each)],
        "trust": shown.trust if metric and shown.has_answers else [],
        "narrowed": narrowed,
        "why_none_narrowed": why_none_narrowed(narrowed or []),
        "has_answers": shown.has_answers,
        "metrics": shown.metrics,
        "metric": metric,
        "assumption": ASSUMPTION,
        "has_simulated": shown.has_simulated,
        "people": people,
        "people_label": PEOPLE[people],
        "people_choices": people_choices(request, people),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/metric_trust.html", context)
