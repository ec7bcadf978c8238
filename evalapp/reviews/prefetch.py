"""The next task, prefetched by the review page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Assignment, CampaignReviewer
from evalapp.core.errors import InvalidError, ProblemError


def task_on_screen(request: HttpRequest) -> tuple[UUID, int] | None:
    """The assignment and slot on the screen (``?assignment=&slot=``), which must not be offered again."""
    assignment, slot = request.GET.get("assignment", ""), request.GET.get("slot", "")
    if not assignment:
        return None
    try:
        return UUID(assignment), int(slot)
    except ValueError as error:
        raise InvalidError("assignment and slot must be those of a task's URL.") from error


def prefetched_task(
    request: HttpRequest,
    campaign_reviewer_of: Callable[[], CampaignReviewer],
    payload_of: Callable[[CampaignReviewer, NextReview], dict[str, Any]],
) -> dict[str, Any]:
    """``{"ahead": task, "is_shown_taken": bool}`` for the response to a submission with ``?ahead``, else {}.

    ``is_shown_taken``: whether the task that the page now shows went to another reviewer. ``ahead`` is None
    if there is no next task or it cannot be determined, because the submission is stored in any case.
    """
    if "ahead" not in request.GET:
        return {}
    try:
        campaign_reviewer = campaign_reviewer_of()
        shown = task_on_screen(request)
        found = next_review(campaign_reviewer=campaign_reviewer, showing=shown)
        ahead = payload_of(campaign_reviewer, found) if isinstance(found, NextReview) else None
        is_taken = shown is not None and _is_taken_by_another(shown[0], campaign_reviewer)
    except ProblemError:
        return {"ahead": None}
    return {"ahead": ahead, "is_shown_taken": is_taken}


def _is_taken_by_another(key: UUID, campaign_reviewer: CampaignReviewer) -> bool:
    """False if its lease ended but nobody has taken it: a submission then still counts."""
    taken = Assignment.objects.filter(key=key, reviewer__isnull=False).exclude(
        reviewer=campaign_reviewer.user_id
    )
    return taken.exists()
