"""The subjects of disputes: an output that people rated, or a comparison."""

from typing import Any

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput
from evalapp.reviews.models import Review, subject_field

Subject = ItemOutput | Comparison


def as_field(subject: Subject) -> dict[str, Any]:
    """The subject, under the name of its field in messages and records."""
    return {"comparison" if isinstance(subject, Comparison) else "item_output": subject}


def reviews_about(subject: Subject) -> QuerySet[Review]:
    """The reviews of the output or the comparison, whatever their purpose."""
    return Review.objects.filter(**as_field(subject))


def rated_outputs(campaign: Campaign) -> QuerySet[ItemOutput]:
    """The outputs on which reviewers can differ individually; none in a campaign of comparisons."""
    outputs = ItemOutput.objects.filter(item__campaign=campaign)
    return outputs.none() if campaign.compares else outputs


def subject_ids_reviewed_by(person: User, campaign: Campaign) -> set[int]:
    """The ids of the campaign's subjects that the person has reviewed."""
    given = person.reviews.filter(campaign=campaign)
    return set(given.values_list(f"{subject_field(campaign)}_id", flat=True))
