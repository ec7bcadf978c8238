"""What a person is asked to look at again, of every kind: the page of their reviews lies below the judgements."""

from typing import Any

from django import template
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.judgements.models import JudgementChangeRequest
from evalapp.reviews.change_requests import change_requests_to
from evalapp.reviews.models import BaseChangeRequest, ChangeRequest

# Of each kind: what a reviewer calls it, and the name of the address where they change it.
KINDS: tuple[tuple[type[BaseChangeRequest], str, str], ...] = (
    (ChangeRequest, "review", "review_task"),
    (JudgementChangeRequest, "comparison", "judgement_task"),
)

register = template.Library()


@register.inclusion_tag("reviews/change_requests.html")
def change_requests(person: User) -> dict[str, Any]:
    """A notice of each kind; nothing where there is none."""
    return {
        "change_requests": [
            (
                noun,
                [
                    (
                        change_request,
                        reverse(
                            address, args=[change_request.given.assignment.key, change_request.given.slot]
                        ),
                    )
                    for change_request in change_requests_to(person, kind)
                ],
            )
            for kind, noun, address in KINDS
        ]
    }
