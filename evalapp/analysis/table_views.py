"""A table of the analysis pages by its name, to be copied: as CSV or as Markdown, of exactly what is shown."""

from dataclasses import replace

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.adjudicated import with_adjudicated
from evalapp.analysis.choosing import chosen_metric, chosen_reference
from evalapp.analysis.comparison import compare
from evalapp.analysis.differences import find_contradiction
from evalapp.analysis.filters import ComparisonFilter, read_filter
from evalapp.analysis.named_tables import Shown, table_named
from evalapp.analysis.narrowing import load_narrowed
from evalapp.analysis.views import campaign_or_missing, chosen_people, filter_refused
from evalapp.core.tables import Table, csv_lines, markdown

FILTERED = "A filtered view: exploratory."


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_csv(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    wanted = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    if wanted.problems:
        return filter_refused(request, wanted)
    part = "-filtered" if wanted.is_narrowed else ""
    return as_csv(_table(request, wanted, name), f"{name}-{campaign_id}{part}")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_markdown(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    wanted = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    if wanted.problems:
        return filter_refused(request, wanted)
    table = _table(request, wanted, name)
    if wanted.is_narrowed:
        table = replace(table, note=f"{table.note} {FILTERED}".strip())
    return as_markdown(table)


def as_csv(table: Table, file_name: str) -> HttpResponse:
    """A file to keep, of that name."""
    response = HttpResponse("".join(csv_lines(table)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_name}.csv"'
    return response


def as_markdown(table: Table) -> HttpResponse:
    """Text in the browser."""
    return HttpResponse(markdown(table), content_type="text/plain; charset=utf-8")


def _table(request: MemberRequest, wanted: ComparisonFilter, name: str) -> Table:
    """With the choices of the page's address: what counts, which values, against whom, which metric."""
    people = chosen_people(request)
    narrowed = load_narrowed(wanted, people=people)
    originals = narrowed.scores
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
        reviews=narrowed.reviews,
        asked=request.GET.dict(),
    )
    return table_named(shown, name)
