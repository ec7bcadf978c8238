"""The page on what a campaign's metrics are worth: which to trust, and how far they narrow human means."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.columns import HEADLINE_METRIC
from evalapp.analysis.filters import read_filter
from evalapp.analysis.metric_trust import MOST_OUTPUTS, has_direction, metric_trust
from evalapp.analysis.narrowing import load_narrowed
from evalapp.analysis.narrowing_form import narrowing_of
from evalapp.analysis.prediction_powered import narrowed_means
from evalapp.analysis.views import (
    PEOPLE,
    campaign_or_missing,
    chosen_people,
    filter_refused,
    people_choices,
)
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.reviews.pseudonyms import shown_names
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
    scores, kept, _ = load_narrowed(view, people=people)
    names = shown_names(campaign, numbers=scores.numbers, reader_id=request.user.pk)
    computed = [
        metric
        for metric in scores.metrics.values()
        if any(metric.name in output.metrics for output in scores.outputs)
    ]
    wanted = (request.GET.get("metric", ""), HEADLINE_METRIC, *scores.metrics)
    by_name = {metric.name: metric for metric in computed}
    chosen = next((by_name[name] for name in wanted if name in by_name), None)
    is_large = len(scores.outputs) > MOST_OUTPUTS
    has_answers = bool(scores.answers and scores.scales)
    context = {
        "station": "compare",
        "campaign": campaign,
        "narrowing": narrowing_of(request, view, names=names, kept=kept),
        "unweighted": [each.name for each in scores.scales if not has_direction(each)],
        "trust": metric_trust(scores) if computed and has_answers and not is_large else [],
        "narrowed": narrowed_means(scores, chosen, is_view=view.is_narrowed)
        if chosen and has_answers
        else [],
        "is_large": is_large,
        "most": MOST_OUTPUTS,
        "has_answers": has_answers,
        "metrics": computed,
        "metric": chosen,
        "assumption": ASSUMPTION,
        "has_simulated": any(answer.is_simulated for answer in scores.answers),
        "people": people,
        "people_label": PEOPLE[people],
        "people_choices": people_choices(request, people),
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "analysis/metric_trust.html", context)
