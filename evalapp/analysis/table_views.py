"""A table of the analysis pages by its name, to be copied: as CSV or as Markdown, of exactly what is shown."""

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.adjudicated import with_adjudicated
from evalapp.analysis.comparison import compare
from evalapp.analysis.differences import find_contradiction
from evalapp.analysis.named_tables import Shown, table_named
from evalapp.analysis.scores import load_scores
from evalapp.analysis.views import (
    campaign_or_missing,
    chosen_metric,
    chosen_people,
    chosen_reference,
)
from evalapp.core.tables import Table, csv_lines, markdown


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_csv(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    table = _table(request, campaign_id, name)
    response = HttpResponse("".join(csv_lines(table)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{table.name}-{campaign_id}.csv"'
    return response


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_markdown(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    table = _table(request, campaign_id, name)
    return HttpResponse(markdown(table), content_type="text/plain; charset=utf-8")


def _table(request: MemberRequest, campaign_id: int, name: str) -> Table:
    """With the choices of the page's address: whose reviews, which values, against whom, which metric."""
    people = chosen_people(request)
    originals = load_scores(campaign_or_missing(request, campaign_id), people=people)
    wants_adjudicated = request.GET.get("values") == "adjudicated"
    scores = with_adjudicated(originals).scores if wants_adjudicated else originals
    comparison = compare(scores)
    contradiction = find_contradiction(scores, comparison) if name == "differences" else None
    shown = Shown(
        scores,
        originals=originals,
        people=people,
        comparison=comparison,
        reference=chosen_reference(comparison, request.GET.get("against", ""), contradiction),
        metric=chosen_metric(comparison, request.GET.get("metric", "")),
    )
    return table_named(shown, name)
