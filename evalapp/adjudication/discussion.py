"""The discussion of an output: its thread, who may write, and under what names.

A reviewer sees it only after submitting their own review, or it would tell them what others think.
"""

from collections.abc import Mapping
from typing import NamedTuple

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.adjudication.models import DiscussionMessage
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign, ItemOutput
from evalapp.reviews.pseudonyms import pseudonym_numbers
from evalapp.reviews.words import LONGEST_MESSAGE, checked_words

ADJUDICATOR = "Adjudicator"


class ShownMessage(NamedTuple):
    """``name``: as `Names` has it."""

    message: DiscussionMessage
    name: str


class Names:
    """What people of a campaign are called on the pages of its disputes.

    The reader is "You"; reviewers are "Reviewer 2", the same on every page of the campaign, unless the
    project shows names. Who decides is named to others who decide; to a reviewer they are "Adjudicator".
    """

    def __init__(self, campaign: Campaign, *, reader: User, to_reviewer: bool) -> None:
        self._reader_id = reader.pk
        self._to_reviewer = to_reviewer
        self._shows_names = campaign.project.shows_reviewer_names
        self.numbers: Mapping[int, int] = pseudonym_numbers([campaign])[campaign.pk]

    def of(self, person: User) -> str:
        if person.pk == self._reader_id:
            return "You"
        if self._shows_names:
            return str(person)
        if person.pk in self.numbers:
            return f"Reviewer {self.numbers[person.pk]}"
        return ADJUDICATOR if self._to_reviewer else str(person)


def thread_of(item_output: ItemOutput, names: Names) -> list[ShownMessage]:
    """All that was written about the output, oldest first."""
    messages = DiscussionMessage.objects.filter(item_output=item_output).select_related("author")
    return [ShownMessage(message, names.of(message.author)) for message in messages.order_by("pk")]


@transaction.atomic
def write_message(*, campaign: Campaign, item_output: ItemOutput, by: User, text: str) -> DiscussionMessage:
    """Add to the thread; who may is the caller's to check. InvalidError for ``text``: empty or too long.

    The same text by the same person straight after itself is stored once, so that a repeated click is none.
    """
    text = checked_words(text, field="text", missing="Write a message.", longest=LONGEST_MESSAGE)
    # Locked, so that two clicks come one after the other.
    ItemOutput.objects.select_for_update().get(pk=item_output.pk)
    latest = DiscussionMessage.objects.filter(item_output=item_output).order_by("-pk").first()
    if latest is not None and (latest.author_id, latest.text) == (by.pk, text):
        return latest
    message = DiscussionMessage.objects.create(item_output=item_output, author=by, text=text)
    record(
        "discussion.message_written",
        by=by,
        obj=message,
        project=campaign.project,
        data={"campaign": campaign.pk, "item_output": item_output.pk, "characters": len(text)},
    )
    return message
