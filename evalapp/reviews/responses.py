"""Responses of the review pages."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from evalapp.campaigns.allocation import NextReview, NoWork
from evalapp.campaigns.models import CampaignReviewer
from evalapp.reviews.flags import flag_item
from evalapp.reviews.forms import SkipForm, is_json, json_body
from evalapp.reviews.models import Review
from evalapp.reviews.prefetch import prefetched_task
from evalapp.reviews.presentation import NO_WORK_WORDS, closing_url, no_work_payload, progress_payload
from evalapp.reviews.queries import ReviewContext
from evalapp.reviews.services import KeptDraft


def no_work_response(
    request: HttpRequest, campaign_reviewer: CampaignReviewer, found: NoWork
) -> HttpResponse:
    """The reason why there is no task, and when to come back."""
    progress = progress_payload(campaign_reviewer, found)
    if is_json(request):
        return JsonResponse({**no_work_payload(found, campaign_reviewer), "progress": progress})
    title, text = NO_WORK_WORDS[found.reason]
    context = {
        "campaign_reviewer": campaign_reviewer,
        "no_work": found,
        "is_time_to_look": found.come_back_at is not None and found.come_back_at <= timezone.now(),
        "title": title,
        "text": text,
        "progress": progress,
        "closing_url": closing_url(campaign_reviewer),
        "out_of": f"of {progress['total']:,}",
    }
    return render(request, "reviews/no_work.html", context)


def submitted_response(
    request: HttpRequest,
    stored: Review,
    *,
    is_replay: bool,
    campaign_reviewer: Callable[[], CampaignReviewer],
    payload: Callable[[CampaignReviewer, NextReview], dict[str, Any]],
) -> HttpResponse:
    """For a script: that the review is stored, and the next task if requested."""
    at = stored.revised_at or stored.submitted_at
    body = {
        "saved_at": at.isoformat(),
        "revision": stored.revision,
        "is_replay": is_replay,
        **prefetched_task(request, campaign_reviewer, payload),
    }
    return JsonResponse(body, status=200 if is_replay or stored.revision > 1 else 201)


def draft_kept_response(kept: KeptDraft) -> HttpResponse:
    return JsonResponse(
        {
            "draft_revision": kept.revision,
            "saved_at": kept.saved_at.isoformat(),
            "is_claimed": kept.is_claimed,
        }
    )


def skip_reason(request: HttpRequest) -> str:
    """The reason for skipping an item, from a script or the form."""
    if request.content_type == "application/json":
        return str(json_body(request).get("reason", ""))
    return SkipForm(request.POST).reason_given()


def skipped_response(request: HttpRequest, review_context: ReviewContext) -> HttpResponse:
    if is_json(request):
        return JsonResponse({"skipped": True})
    messages.success(request, "Skipped. The item goes to another reviewer and does not come back to you.")
    return redirect("review_next", key=review_context.assignment.campaign.key)


def store_flag(request: HttpRequest, review_context: ReviewContext) -> HttpResponse:
    """Store a reviewer's note to the manager; its page is the URL without ``flag/``."""
    body = json_body(request) if request.content_type == "application/json" else request.POST
    flag_item(
        review_context=review_context,
        by=review_context.campaign_reviewer.user,
        note=str(body.get("note", "")),
    )
    if is_json(request):
        return JsonResponse({"flagged": True})
    messages.success(request, "Flagged: the manager sees your note. The item stays assigned to you.")
    return redirect(request.path.removesuffix("flag/"))


def reopened_response(request: HttpRequest, url: str) -> HttpResponse:
    """The URL of the latest submission."""
    return JsonResponse({"url": url}) if is_json(request) else redirect(url)
