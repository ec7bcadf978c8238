"""Submits a simulated person's review through the service that the pages use, marked as simulated."""

import uuid

from evalapp.campaigns.allocation import NextReview
from evalapp.campaigns.models import Assignment, CampaignReviewer
from evalapp.reviews.answers import ReviewAnswers
from evalapp.reviews.queries import ReviewContext
from evalapp.reviews.services import submit_at

NAMESPACE = uuid.UUID("5d9f2f4e-0c5b-4b53-9a8a-2f1a3d6f7c10")
SECONDS_A_WORD = 0.25
"""A simulated reviewer's reading time, so that time columns have values."""


def submit_simulated(
    upcoming: NextReview, campaign_reviewer: CampaignReviewer, *, text: str, answers: ReviewAnswers
) -> None:
    """Submit a review of ``text``. Idempotent."""
    assignment = Assignment.objects.select_related("campaign__project", "campaign__rubric_version").get(
        pk=upcoming.assignment.id
    )
    submit_at(
        review_context=ReviewContext(assignment, upcoming.slot, campaign_reviewer),
        client_id=uuid.uuid5(NAMESPACE, f"{assignment.key}:{upcoming.slot}:{campaign_reviewer.user_id}"),
        answers=answers,
        seconds_active=round(20 + SECONDS_A_WORD * len(text.split()), 1),
        is_simulated=True,
    )
    campaign_reviewer.refresh_from_db(fields=["cursor", "recent_items"])
