"""The site admin's way in when single sign-on fails: a link that the server's own command prints."""

from typing import Any

from allauth.account.forms import default_token_generator
from django.core import signing
from django.urls import reverse

from evalapp.accounts.models import User
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, MissingError

MINUTES = 15
_SALT = "evalapp.emergency"


def emergency_path(user: User) -> str:
    """A path that signs the site admin in, once, within 15 minutes. Raises InvalidError for anybody else."""
    if not (user.is_superuser and user.is_active):
        raise InvalidError(f"{user.email} is no site admin, or the account is closed.")
    # The inner token is void as soon as its person has signed in.
    token = signing.dumps([user.pk, default_token_generator.make_token(user)], salt=_SALT)
    record("person.emergency_link_created", by=None, obj=user)
    return reverse("emergency_sign_in", args=[token])


def person_of_emergency_link(token: str) -> User:
    """The site admin of an unused link. Raises MissingError for every other."""
    missing = MissingError("This link has been used or has expired. Run `manage.py sign_in_link` again.")
    try:
        value: Any = signing.loads(token, salt=_SALT, max_age=MINUTES * 60)
    except signing.BadSignature as error:
        raise missing from error
    user = User.objects.filter(pk=value[0], is_superuser=True, is_active=True).first()
    if user is None or not default_token_generator.check_token(user, value[1]):
        raise missing
    return user


def use_emergency_link(user: User) -> User:
    """Note in the audit that the link is used; signing in then makes it void."""
    record("person.emergency_sign_in", by=user, obj=user)
    return user
