"""What people may differ on: an output that they rated, or a comparison that they judged."""

from typing import Any

from django.db.models import QuerySet

from evalapp.accounts.models import User
from evalapp.campaigns.models import Campaign, Comparison, ItemOutput
from evalapp.judgements.models import Judgement
from evalapp.reviews.models import Review

Subject = ItemOutput | Comparison


def as_field(subject: Subject) -> dict[str, Any]:
    """The subject under the field by which messages and records name it."""
    return {"comparison" if isinstance(subject, Comparison) else "item_output": subject}


def given_about(subject: Subject) -> QuerySet[Any]:
    """The reviews of the output, or the judgements of the comparison, whatever their purpose."""
    given = Judgement if isinstance(subject, Comparison) else Review
    return given.objects.filter(**as_field(subject))


def rated_outputs(campaign: Campaign) -> QuerySet[ItemOutput]:
    """What people may differ on one by one: of a campaign that compares, nothing, and nobody would read what is
    written there.
    """
    outputs = ItemOutput.objects.filter(item__campaign=campaign)
    return outputs.none() if campaign.compares else outputs


def given_by(person: User, campaign: Campaign) -> set[int]:
    """The ids of the campaign's subjects on which the person has said something themselves."""
    if campaign.compares:
        return set(person.judgements.filter(campaign=campaign).values_list("comparison_id", flat=True))
    return set(person.reviews.filter(campaign=campaign).values_list("item_output_id", flat=True))


def subject_given(given: Review | Judgement) -> Subject:
    """What it is about, by its id alone."""
    if isinstance(given, Judgement):
        return Comparison(pk=given.comparison_id)
    return ItemOutput(pk=given.item_output_id)
