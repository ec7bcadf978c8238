"""The site admin's way in when single sign-on fails: a link that the server's own command prints."""

from django.db import transaction
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import EMERGENCY_MINUTES, Purpose, find_link, make_link, use_link
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, MissingError

MINUTES = EMERGENCY_MINUTES


@transaction.atomic
def emergency_path(user: User) -> str:
    """A path that signs the site admin in, once, within 15 minutes. Raises InvalidError for anybody else."""
    if not (user.is_superuser and user.is_active):
        raise InvalidError(f"{user.email} is not a site admin, or the account is closed.")
    record("person.emergency_link_created", by=None, obj=user)
    return reverse("emergency_sign_in", args=[make_link(user=user, purpose=Purpose.EMERGENCY, by=None)])


def person_of_emergency_link(token: str) -> User:
    """The site admin of an unused link. Raises MissingError for every other."""
    link = find_link(token, Purpose.EMERGENCY)
    if link is None:
        raise MissingError("This link has been used or has expired. Run `manage.py sign_in_link` again.")
    return link.user


@transaction.atomic
def use_emergency_link(token: str) -> User:
    """Consume the link: whom it signs in. Raises ConflictError where somebody else was quicker."""
    user = use_link(token, Purpose.EMERGENCY).user
    record("person.emergency_sign_in", by=user, obj=user)
    return user
