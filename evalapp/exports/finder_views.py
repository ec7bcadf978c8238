"""Proposed training rows from the disagreement finder."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.cases.case_lists import CaseList
from evalapp.analysis.pages import campaign_or_missing, chosen_reviewer_type, filter_problem_page
from evalapp.analysis.scores.filters import read_filter
from evalapp.analysis.scores.finder import finder_from
from evalapp.core.errors import InvalidError
from evalapp.core.names import LONGEST_NAME
from evalapp.exports.queries import RowCounts, row_counts
from evalapp.exports.services import propose_rows


@require_POST
@project_view(Permission.EDIT_EXPORTS)
def finder_propose(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """Proposed rows with all feedback on what the finder of the URL finds in the view of the URL.

    A held-out split is refused.
    """
    campaign = campaign_or_missing(request, campaign_id)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_problem_page(request, view)
    cases = CaseList(view, {}, reviewer_type=chosen_reviewer_type(request))
    wanted = finder_from(cases.scores, request.GET.dict())
    if wanted is None:
        raise InvalidError("The URL has no finder parameters. Open the finder again from the results.")
    found = cases.found(wanted)
    if not found.count:
        raise InvalidError("No output meets both conditions, so there is nothing to export. Loosen them.")
    number = request.project.exports.count() + 1
    name = f"Found in {campaign.name}"[: LONGEST_NAME - 8]
    export = propose_rows(
        campaign=campaign,
        by=request.user,
        name=f"{name} ({number})",
        only=found.item_output_ids,
        picked_because=wanted.describe() + view.words_in_brackets,
    )
    show = messages.success if row_counts(export).included else messages.warning
    show(request, _told(found.count, row_counts(export)))
    return redirect("export_detail", request.project.slug, export.pk)


def _told(outputs: int, counts: RowCounts) -> str:
    of = f"the feedback on {outputs:,} output{'' if outputs == 1 else 's'}"
    left_out = f"{counts.left_out:,} left out, each with its reason"
    if counts.included:
        return (
            f"Rows are proposed from {of}: {counts.included:,} row{'' if counts.included == 1 else 's'} in,"
            f" {left_out}."
        )
    return (
        f"Rows are proposed from {of}, but none can be used for training: {left_out}. If answers are poor,"
        " have them corrected first in a campaign over these items."
    )
