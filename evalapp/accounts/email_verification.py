"""Verification of a person's email, which voids links, tokens and sign-ins from before it.

Single sign-on with a verified email, a link that the server mailed, and the word of whoever runs the server
show it. A link that somebody copied shows nothing: they may have opened it themselves.
"""

from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import void_links_of
from evalapp.accounts.tokens import revoke_all_api_tokens
from evalapp.audit.services import record


@transaction.atomic
def verify_email(user: User, *, how: str) -> bool:
    """Note that the email is this person's; whether it was not known before.

    The first time, and the first time since a copied link set the password, it voids the password and with
    it every sign-in, the API tokens and open links: whoever made them may have been somebody else. ``how`` is
    for the audit.
    """
    if user.email_verified_at is not None:
        return False
    user.set_unusable_password()
    user.email_verified_at = timezone.now()
    user.password_link_by = None
    user.save(update_fields=["password", "email_verified_at", "password_link_by"])
    revoke_all_api_tokens(user=user, by=user)
    void_links_of(user, by=user)
    record("person.email_verified", by=user, obj=user, data={"how": how})
    return True


def note_copied_link(user: User, *, maker: User) -> None:
    """Note that the password was set by a link of somebody who could have opened it themselves."""
    user.email_verified_at = None
    user.password_link_by = maker
    user.save(update_fields=["email_verified_at", "password_link_by"])
