"""What pages of packages below the judgements say of them."""

from typing import Any

from django import template

from evalapp.accounts.models import User
from evalapp.judgements.presentation import judgement_url
from evalapp.judgements.queries import slot_of
from evalapp.judgements.send_backs import judgements_sent_back_to

register = template.Library()


@register.inclusion_tag("judgements/sent_back_to.html")
def sent_back_judgements(person: User) -> dict[str, Any]:
    """What this person is asked to judge again; nothing where there is none."""
    return {
        "sent_back": [
            (sent, judgement_url(sent.judgement.place.key, slot_of(sent.judgement)))
            for sent in judgements_sent_back_to(person)
        ]
    }
