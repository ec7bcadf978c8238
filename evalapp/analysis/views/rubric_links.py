"""Comparison of two versions of a rubric."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.comparison.version_link import MARGIN, link_versions
from evalapp.core.http import get_or_missing


@require_safe
@project_view(Permission.VIEW_ANALYSIS)
def rubric_link(request: MemberRequest, rubric_id: int) -> HttpResponse:
    """Compare two versions of a rubric on outputs that the same people scored under both; the latest two by
    default.
    """
    rubric = get_or_missing(request.project.rubrics.all(), pk=rubric_id)
    versions = list(rubric.versions.filter(frozen_at__isnull=False).order_by("number"))
    by_number = {str(version.number): version for version in versions}
    after = by_number.get(request.GET.get("to", ""), versions[-1] if versions else None)
    earlier = [version for version in versions if after is not None and version.number < after.number]
    before = by_number.get(request.GET.get("from", ""), earlier[-1] if earlier else None)
    link = None
    if before is not None and after is not None and before.number < after.number:
        link = link_versions(before, after)
    context = {"rubric": rubric, "versions": versions, "link": link, "margin": MARGIN}
    return render(request, "analysis/rubric_link.html", context)
