"""The review revisions behind a gate evaluation, as the lines that its digest covers."""

from collections.abc import Iterator
from typing import Any

from evalapp.campaigns.models import Campaign, Purpose
from evalapp.dossier import canonical, digest
from evalapp.reviews.models import Review
from evalapp.reviews.pseudonyms import pseudonym_numbers
from evalapp.reviews.queries import ANSWERS, answers_of

_CHUNK = 2_000


def review_lines(campaign: Campaign, *, is_simulated: bool) -> list[str]:
    """The canonical text of each revision, in the order of reviews and revisions.

    ``sha256`` covers all content of the revision, texts included; only the scores are listed, so that means
    can be recomputed. Reviewers are numbers, as on the pages.
    """
    return [canonical(each) for each in _records(campaign, is_simulated=is_simulated)]


def _records(campaign: Campaign, *, is_simulated: bool) -> Iterator[dict[str, Any]]:
    numbers = pseudonym_numbers([campaign])[campaign.pk]
    reviews = (
        Review.objects.filter(
            campaign=campaign,
            purpose=Purpose.REVIEW,
            is_simulated=is_simulated,
            item_output__isnull=False,
        )
        .select_related("item_output__item__example", "item_output__candidate__model_version", "correction")
        .prefetch_related(*ANSWERS, "revisions")
        .order_by("pk")
    )
    for review in reviews.iterator(_CHUNK):
        output = review.rated
        about = {
            "review": review.pk,
            "item": output.item_id,
            "example": output.item.example.content_hash,
            "candidate": output.candidate.model_version.label,
            "reviewer": numbers[review.reviewer_id],
        }
        for earlier in sorted(review.revisions.all(), key=lambda each: each.revision):
            yield _record(about, earlier.revision, earlier.body, counts=False)
        yield _record(about, review.revision, answers_of(review).as_dict(), counts=True)


def _record(about: dict[str, Any], revision: int, body: dict[str, Any], *, counts: bool) -> dict[str, Any]:
    """``counts``: whether the scores of this revision were used."""
    return {
        **about,
        "revision": revision,
        "counts": counts,
        "scores": body.get("scores", {}),
        "sha256": digest(body),
    }
