"""Tags for saved views."""

from typing import Any

from django import template

from evalapp.campaigns.models import Campaign
from evalapp.decisions.saved_views import KEPT, views_for
from evalapp.decisions.view_forms import NewViewForm

register = template.Library()

MOST_SHOWN = 20


@register.inclusion_tag("decisions/views_of_comparison.html", takes_context=True)
def saved_views(context: template.Context, campaign: Campaign) -> dict[str, Any]:
    """The saved views of this comparison that the reader may open, and the form that saves the current
    one.
    """
    request = context["request"]
    filter_form = context["filter_form"]
    carried = [(name, request.GET[name]) for name in KEPT if request.GET.get(name)]
    mine = views_for(request.user, campaign.project).filter(campaign=campaign).order_by("name", "pk")
    # Without the related objects, whose joins take longer than the rest of the query.
    views = list(mine.select_related(None).only("name", "is_shared"))
    query = request.GET.urlencode() if filter_form.query or carried else ""
    return {
        "project": campaign.project,
        "campaign": campaign,
        "views": views[:MOST_SHOWN],
        "more": len(views) - MOST_SHOWN,
        "form": NewViewForm(initial={"query": query}, auto_id="view_%s") if query else None,
        "csrf_token": context.get("csrf_token"),
    }
