"""The next task, prefetched by the review page."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from evalapp.campaigns.allocation import NextReview, next_review
from evalapp.campaigns.models import Assignment, CampaignReviewer
from evalapp.core.errors import InvalidError, ProblemError


def showing(request: HttpRequest) -> tuple[UUID, int] | None:
    """The assignment and slot on the screen (``?assignment=&slot=``), which are not offered again."""
    assignment, slot = request.GET.get("assignment", ""), request.GET.get("slot", "")
    if not assignment:
        return None
    try:
        return UUID(assignment), int(slot)
    except ValueError as error:
        raise InvalidError("assignment and slot must be those of a task's URL.") from error


def ahead_of(
    request: HttpRequest,
    campaign_reviewer_of: Callable[[], CampaignReviewer],
    payload_of: Callable[[CampaignReviewer, NextReview], dict[str, Any]],
) -> dict[str, Any]:
    """``{"ahead": task, "is_shown_taken": bool}`` for the answer to a submission that asks for it
    (``?ahead``), else nothing. The second says whether what the page shows meanwhile went to somebody else.

    None where nothing comes or it cannot be told: the submission is stored, and its answer says so.
    """
    if "ahead" not in request.GET:
        return {}
    try:
        campaign_reviewer = campaign_reviewer_of()
        shown = showing(request)
        found = next_review(campaign_reviewer=campaign_reviewer, showing=shown)
        ahead = payload_of(campaign_reviewer, found) if isinstance(found, NextReview) else None
        is_taken = shown is not None and _is_somebody_elses(shown[0], campaign_reviewer)
    except ProblemError:
        return {"ahead": None}
    return {"ahead": ahead, "is_shown_taken": is_taken}


def _is_somebody_elses(key: UUID, campaign_reviewer: CampaignReviewer) -> bool:
    """Not where its lease ended and nobody has it: what they submit of it counts."""
    taken = Assignment.objects.filter(key=key, reviewer__isnull=False).exclude(
        reviewer=campaign_reviewer.user_id
    )
    return taken.exists()
