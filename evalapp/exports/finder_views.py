"""What the disagreement finder finds, on its way to training data."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from evalapp.accounts.access import MemberRequest, project_view
from evalapp.accounts.permissions import Permission
from evalapp.analysis.case_lists import cases_at
from evalapp.analysis.filters import read_filter
from evalapp.analysis.finder import finder_from
from evalapp.analysis.views import campaign_or_missing, chosen_people, filter_refused
from evalapp.core.errors import InvalidError
from evalapp.core.names import LONGEST_NAME
from evalapp.exports.services import open_tray


@require_POST
@project_view(Permission.EDIT_EXPORTS)
def finder_tray(request: MemberRequest, campaign_id: int) -> HttpResponse:
    """A tray with all feedback on what the finder of the address finds in the view of the address.

    A sealed split is refused.
    """
    campaign = campaign_or_missing(request, campaign_id)
    view = read_filter(campaign, request.GET)
    if view.problems:
        return filter_refused(request, view)
    cases = cases_at(view, {}, people=chosen_people(request))
    wanted = finder_from(cases.scores, request.GET.dict())
    if wanted is None:
        raise InvalidError("The address names no finder. Open it again from the comparison.")
    found = cases.found(wanted)
    if not found.count:
        raise InvalidError("No output meets both conditions, so there is nothing to export. Widen them.")
    number = request.project.exports.count() + 1
    name = f"Found in {campaign.name}"[: LONGEST_NAME - 8]
    export = open_tray(
        campaign=campaign,
        by=request.user,
        name=f"{name} ({number})",
        only=found.item_output_ids,
        picked_because=wanted.describe() + view.told,
    )
    messages.success(request, f"The feedback on {found.count} outputs waits in the tray.")
    return redirect("export_detail", request.project.slug, export.pk)
