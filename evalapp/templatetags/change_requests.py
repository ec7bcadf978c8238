from typing import Any

from django import template

from evalapp.accounts.models import User
from evalapp.reviews.change_requests import change_requests_to
from evalapp.reviews.presentation import review_url

register = template.Library()


@register.inclusion_tag("reviews/change_requests.html")
def change_requests(person: User) -> dict[str, Any]:
    """A notice of the change requests to this person; empty without any."""
    return {"change_requests": [(each, review_url(each.review)) for each in change_requests_to(person)]}
