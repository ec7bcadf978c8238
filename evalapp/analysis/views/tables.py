"""The tables of the analysis pages as CSV and Markdown."""

from dataclasses import replace

from django.http import HttpResponse
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.pages import campaign_or_missing, chosen_reviewer_type, filter_problem_page
from evalapp.analysis.scores.filters import ComparisonFilter, read_filter
from evalapp.analysis.tables.named_tables import table_named
from evalapp.analysis.tables.page_tables import PageTables
from evalapp.core.http import attached
from evalapp.core.tables import Table, csv_lines, markdown


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_csv(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    wanted = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    if wanted.problems:
        return filter_problem_page(request, wanted)
    part = "-filtered" if wanted.is_filtered else ""
    return as_csv(table_named(_source(request, wanted), name), f"{name}-{campaign_id}{part}")


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def table_markdown(request: MemberRequest, campaign_id: int, name: str) -> HttpResponse:
    wanted = read_filter(campaign_or_missing(request, campaign_id), request.GET)
    if wanted.problems:
        return filter_problem_page(request, wanted)
    source = _source(request, wanted)
    table = table_named(source, name)
    return as_markdown(replace(table, note=f"{table.note} {source.note}".strip()))


def as_csv(table: Table, file_name: str) -> HttpResponse:
    """The table as a CSV file with this name."""
    response = HttpResponse("".join(csv_lines(table)), content_type="text/csv; charset=utf-8")
    return attached(response, f"{file_name}.csv")


def as_markdown(table: Table) -> HttpResponse:
    """The table as Markdown, shown as text."""
    return HttpResponse(markdown(table), content_type="text/plain; charset=utf-8")


def _source(request: MemberRequest, wanted: ComparisonFilter) -> PageTables:
    return PageTables(wanted, reviewer_type=chosen_reviewer_type(request), query=request.GET.dict())
