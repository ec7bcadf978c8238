from typing import cast

from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.models import ReviewerType
from evalapp.analysis.pages import campaign_or_missing
from evalapp.campaigns.queries import is_reviewing_blind
from evalapp.core.http import get_or_missing
from evalapp.core.paging import keyset_page
from evalapp.reports.models import Report
from evalapp.reports.queries import reports_of
from evalapp.reports.services import start_report
from evalapp.reports.writing import CONTENT_TYPES, open_file


@require_http_methods(["GET", "HEAD", "POST"])
@project_view(Permission.VIEW_ANALYSIS)
def campaign_reports(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """The campaign's reports; a POST starts a new one."""
    campaign = campaign_or_missing(request, campaign_id)
    if request.method == "POST":
        reviewer_type = request.POST.get("reviewer_type", "all")
        report = start_report(
            campaign=campaign,
            by=request.user,
            reviewer_type=reviewer_type if reviewer_type in ReviewerType.values else "all",
            view=request.POST.get("view", ""),
        )
        return redirect("report_detail", request.project.slug, report.pk)
    page = keyset_page(reports_of(request.project).filter(campaign=campaign), request)
    context = {
        "campaign": campaign,
        "page": page,
        "is_reviewing": is_reviewing_blind(campaign, request.user),
    }
    return render(request, "reports/list.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def report_detail(request: MemberRequest, report_id: int) -> HttpResponse:
    report = _report(request, report_id)
    context = {
        "report": report,
        "campaign": report.campaign,
        "is_reviewing": is_reviewing_blind(report.campaign, request.user),
    }
    return render(request, "reports/detail.html", context)


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def report_file(request: MemberRequest, report_id: int, name: str) -> HttpResponse:
    """A report's file as a download; never shown on this site's domain, because it contains user text."""
    report = _report(request, report_id)
    response = FileResponse(
        open_file(report, name),
        as_attachment=True,
        filename=f"report-{report.pk}{name.removeprefix('report')}",
        content_type=CONTENT_TYPES.get(name, "application/octet-stream"),
    )
    return cast(HttpResponse, response)  # a stream; the decorators require only a response


def _report(request: MemberRequest, report_id: int) -> Report:
    return get_or_missing(reports_of(request.project), pk=report_id)
