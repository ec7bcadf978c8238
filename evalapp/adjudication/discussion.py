"""The discussion of an output or of compared outputs: its thread, its writers and their names.

A reviewer sees it only after submitting their own review, so that others' opinions do not influence it.
"""

from typing import NamedTuple

from django.db import transaction

from evalapp.accounts.models import User
from evalapp.adjudication.models import DiscussionMessage
from evalapp.adjudication.subjects import Subject, as_field
from evalapp.audit.services import record
from evalapp.campaigns.models import Campaign
from evalapp.reviews.pseudonyms import NOT_BEGUN, shown_names
from evalapp.reviews.words import LONGEST_MESSAGE, checked_words

ADJUDICATOR = "Adjudicator"


class ShownMessage(NamedTuple):
    """``name``: as from `Names`."""

    message: DiscussionMessage
    name: str


class Names:
    """Displayed names of people on the pages of a campaign's disputes.

    The reader is "You"; reviewers are "Reviewer 2", the same on every page of the campaign, unless the
    project shows names. Adjudicators are named to other adjudicators; reviewers see them as "Adjudicator".
    """

    def __init__(self, campaign: Campaign, *, reader: User, to_reviewer: bool) -> None:
        self._hides_deciders = to_reviewer and not campaign.project.shows_reviewer_names
        self._reviewers = shown_names(campaign, reader_id=reader.pk)

    def of(self, person: User) -> str:
        called = self._reviewers.of(person.pk)
        if called != NOT_BEGUN:
            return called
        # People without a review here are adjudicators.
        return ADJUDICATOR if self._hides_deciders else str(person)


def thread_of(subject: Subject, names: Names) -> list[ShownMessage]:
    """The messages about the subject, oldest first."""
    messages = DiscussionMessage.objects.filter(**as_field(subject)).select_related("author")
    return [ShownMessage(message, names.of(message.author)) for message in messages.order_by("pk")]


@transaction.atomic
def write_message(*, campaign: Campaign, subject: Subject, by: User, text: str) -> DiscussionMessage:
    """Add a message; the caller checks the permission. Raises InvalidError for an empty or too long ``text``.

    The same text by the same person directly after itself is stored once, so that a double click has no
    effect.
    """
    text = checked_words(text, field="text", missing="Write a message.", longest=LONGEST_MESSAGE)
    # Locked, so that two clicks are handled one after the other.
    type(subject).objects.select_for_update().get(pk=subject.pk)
    latest = DiscussionMessage.objects.filter(**as_field(subject)).order_by("-pk").first()
    if latest is not None and (latest.author_id, latest.text) == (by.pk, text):
        return latest
    message = DiscussionMessage.objects.create(campaign=campaign, **as_field(subject), author=by, text=text)
    record(
        "discussion.message_written",
        by=by,
        obj=message,
        project=campaign.project,
        data={
            "campaign": campaign.pk,
            **{field: about.pk for field, about in as_field(subject).items()},
            "characters": len(text),
        },
    )
    return message
