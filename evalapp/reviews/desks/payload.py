"""Data for the review page's script: a slot as JSON, and its configuration."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.crypto import salted_hmac

from evalapp.accounts.models import User
from evalapp.accounts.review_keys import keys_of
from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.conversations.text import other_texts
from evalapp.metrics.automatic.numbers import unsupported_numbers
from evalapp.reviews.desks import desk_of
from evalapp.reviews.models import Review
from evalapp.reviews.presentation import progress_payload

# Checking longer outputs would take a noticeable part of a second.
LONGEST_CHECKED = 50_000


def task_payload(
    *, url: str, task: Any, campaign_reviewer: CampaignReviewer, review: Review | None = None
) -> dict[str, Any]:
    """A slot for the page's script; ``review``: the review submitted there earlier, with its answers."""
    desk = desk_of(campaign_reviewer.campaign)
    draft, saved_at = desk.draft_of(task), task.draft_saved_at
    return {
        "url": url,
        "client_id": str(uuid4()),
        "revision": review.revision if review else 0,
        "source_html": render_to_string("reviews/source.html", {"task": task}),
        **desk.shown(task),
        "unsupported_numbers": _unsupported(
            task, [str(shown["answer"]) for shown in desk.answers_shown(task)]
        ),
        "answers": desk.kind.answers_of(review).as_dict() if review else None,
        "draft": draft.as_dict() if draft is not None else None,
        "draft_seconds": task.draft_seconds,
        "draft_revision": task.draft_revision,
        "draft_saved_at": saved_at.isoformat() if saved_at else None,
        "progress": progress_payload(campaign_reviewer),
    }


def _unsupported(task: Any, answers: Sequence[str]) -> list[str] | None:
    """The numbers and dates of the outputs that are not in request or context, as the metric finds them; None
    if the outputs are too long to check.
    """
    if sum(map(len, answers)) > LONGEST_CHECKED:
        return None
    given = [task.context, *(message["content"] for message in task.messages)]
    if task.conversation is not None:
        given += other_texts(task.conversation).values()
    return list(dict.fromkeys(span.text for text in answers for span in unsupported_numbers(text, given)))


def page_config(
    *, campaign: Campaign, user: User, task: dict[str, Any], fields: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """The configuration of the page's script; without secrets and ids."""
    desk = desk_of(campaign)
    return {
        "task": task,
        "next_url": reverse("review_next", args=[campaign.key]),
        "undo_url": reverse("review_undo", args=[campaign.key]),
        "keys_url": reverse("review_keys"),
        "keys": keys_of(user, without=desk.unused_keys(campaign)),
        # Keeps apart the drafts of two people in one browser; the real id stays on the server.
        "reviewer": salted_hmac("evalapp.reviews.drafts", str(user.pk)).hexdigest()[:16],
        **desk.config(campaign),
        "errors": dict(fields or {}),
    }
