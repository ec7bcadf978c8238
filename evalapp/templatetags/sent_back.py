"""What a person is asked to look at again, of every kind: the page of their reviews lies below the judgements."""

from typing import Any

from django import template
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.judgements.models import JudgementSendBack
from evalapp.reviews.models import SendBack, SentBack
from evalapp.reviews.send_backs import sent_back_to

# Of each kind: what a reviewer calls it, and the name of the address where they change it.
KINDS: tuple[tuple[type[SentBack], str, str], ...] = (
    (SendBack, "review", "review_task"),
    (JudgementSendBack, "comparison", "judgement_task"),
)

register = template.Library()


@register.inclusion_tag("reviews/sent_back.html")
def sent_back(person: User) -> dict[str, Any]:
    """A notice of each kind; nothing where there is none."""
    return {
        "sent_back": [
            (
                noun,
                [
                    (sent, reverse(address, args=[sent.given.assignment.key, sent.given.slot]))
                    for sent in sent_back_to(person, kind)
                ],
            )
            for kind, noun, address in KINDS
        ]
    }
