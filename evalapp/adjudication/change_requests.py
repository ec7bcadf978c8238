"""Shared by the page and the API for change requests."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.adjudication.rights import require_done, require_may_read
from evalapp.campaigns.models import Campaign, Purpose
from evalapp.reviews.kinds import kind_of
from evalapp.reviews.models import Review
from evalapp.reviews.preferences.checks import candidate_names, preference_by_name
from evalapp.reviews.preferences.tasks import preference_of


def require_reader(person: User, campaign: Campaign, review: Review | None = None) -> None:
    """Raises NotAllowedError for people who may not see reviews of the campaign's comparisons, or the
    ``review``.
    """
    if campaign.compares:
        require_done(campaign, person)
    elif review is not None:
        require_may_read(person=person, campaign=campaign, subject=review.subject)


def reviews_to_change(campaign: Campaign) -> QuerySet[Review]:
    """The reviews to which changes may be requested, with all that a page shows of them."""
    reviews = kind_of(campaign).with_answers(campaign.reviews.filter(purpose=Purpose.REVIEW))
    of_it = ("comparison",) if campaign.compares else ("item_output__output",)
    return reviews.select_related(*of_it, "assignment__item__example", "reviewer")


def review_text_context(campaign: Campaign, review: Review) -> dict[str, Any]:
    """The template of a review's content, and its context."""
    if not campaign.compares:
        return {"said": "reviews/said.html", "review": review}
    names = candidate_names(campaign)
    entries = review.assignment.item.outputs.select_related("candidate")
    owners = {entry.pk: entry.candidate.model_version_id for entry in entries}
    shown = [names[owners[pk]] for pk in review.preference.outputs]
    return {
        "said": "reviews/preferences/said.html",
        "review": review,
        "preference": preference_by_name(preference_of(review), shown),
    }


def case_of(campaign: Campaign, review: Review) -> str:
    """The anchor of a review on the page of its case. Reads its assignment."""
    url = reverse("case_detail", args=[campaign.project.slug, campaign.pk, review.assignment.item_id])
    return f"{url}#review-{review.pk}"
