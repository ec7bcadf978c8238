"""Results of each reviewer, under the name that the reader may see."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar

from evalapp.campaigns.models import Campaign, CampaignReviewer
from evalapp.reviews.pseudonyms import shown_names


class HasCampaignReviewer(Protocol):
    @property
    def campaign_reviewer(self) -> CampaignReviewer: ...


Result = TypeVar("Result", bound=HasCampaignReviewer)


class NamedResult(NamedTuple):
    """``number``: of the pseudonym, None before the first review. ``person``: None in projects that hide
    names, so that no page or program connects a person with their results.
    """

    number: int | None
    name: str
    person: int | None


def with_reviewer_names(
    campaign: Campaign, found: Sequence[Result], *, reader_id: int | None = None
) -> list[tuple[NamedResult, Result]]:
    """Each result with its reviewer's name. With pseudonyms they are in order of number, because the order of
    names or rows would reveal who is who.
    """
    names = shown_names(campaign, reader_id=reader_id)
    is_open = campaign.project.shows_reviewer_names
    named = [
        (
            NamedResult(
                names.numbers.get(each.campaign_reviewer.user_id),
                names.of(each.campaign_reviewer.user_id),
                each.campaign_reviewer.user_id if is_open else None,
            ),
            each,
        )
        for each in found
    ]
    if not is_open:
        named.sort(key=lambda pair: (pair[0].number is None, pair[0].number))
    return named
