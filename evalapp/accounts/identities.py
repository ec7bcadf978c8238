"""Who may sign in by single sign-on: people who are known or invited under an email that the provider has
verified, and nobody else, unless the operator named their domain.
"""

import hashlib
from typing import NamedTuple

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from evalapp.accounts.email_verification import verify_email
from evalapp.accounts.emails import checked_email
from evalapp.accounts.invitations import accept_open_invitations, has_open_invitation
from evalapp.accounts.models import User
from evalapp.accounts.people import lock_person
from evalapp.audit.services import record
from evalapp.core.errors import InvalidError, NotAllowedError
from evalapp.core.names import checked_name

PROVIDER = "oidc"
_HOW = "single sign-on"


class SignOnRefusedError(NotAllowedError):
    """The provider vouches for them, and they may not come in all the same (403)."""

    code = "sign_on_refused"


class Identity(NamedTuple):
    """What the provider says, checked. ``email`` may be empty; it counts only where it is verified."""

    issuer: str
    subject: str
    email: str
    is_email_verified: bool
    name: str

    @property
    def key(self) -> str:
        """The one name of this identity: subjects are unique for their issuer only."""
        return hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).hexdigest()


@transaction.atomic
def admit(identity: Identity) -> User:
    """The account of this identity: the one linked to it, else that of its verified address, which is
    linked from now on; else a new one where they are invited or their domain is open. An account that others
    may have made under the address is theirs alone from then on (see `verify_email`).

    Raises SignOnRefusedError for everybody else, in words that tell nothing about other people.
    """
    linked = SocialAccount.objects.select_related("user").filter(provider=PROVIDER, uid=identity.key).first()
    if linked is not None:
        known = _open(linked.user)
        verify_email(known, how=_HOW)
        return known
    email = _verified_email(identity)
    user = User.objects.with_email(email).filter(is_simulated=False).first()
    if user is None:
        user = _new_person(identity, email)
    elif SocialAccount.objects.filter(provider=PROVIDER, user=user).exists():
        # An address that was given to a new colleague must not open the former's account.
        raise SignOnRefusedError(
            f"The account of {email} is linked to another identity of {provider_name()}. If that one is"
            " yours too, sign in the way you did before and unlink it in your profile, or ask the site"
            " admin."
        )
    user = lock_person(_open(user))
    verify_email(user, how=_HOW)
    SocialAccount.objects.create(provider=PROVIDER, uid=identity.key, user=user, extra_data={})
    record("person.identity_linked", by=user, obj=user, data={"issuer": identity.issuer})
    return user


def has_identity(user: User) -> bool:
    """Whether single sign-on opens the account."""
    return bool(SocialAccount.objects.filter(provider=PROVIDER, user=user).exists())


@transaction.atomic
def unlink_identities(*, user: User, by: User) -> None:
    """Nobody comes in to this account by single sign-on until an identity of its address is linked again.

    Raises InvalidError where there is none, or where it would be the only way in.
    """
    lock_person(user)
    if not settings.PASSWORDS_ALLOWED or not user.has_usable_password():
        raise InvalidError("This is your only way in, so it stays. Set a password first.")
    if not SocialAccount.objects.filter(provider=PROVIDER, user=user).delete()[0]:
        raise InvalidError("No identity is linked to this account.")
    record("person.identity_unlinked", by=by, obj=user)


def provider_name() -> str:
    """What people call the provider."""
    return settings.SIGN_ON.name if settings.SIGN_ON else "the provider"


def _open(user: User) -> User:
    if not user.is_active or user.is_simulated:
        raise SignOnRefusedError("This account is closed. Ask the site admin if that is a mistake.")
    return user


def _verified_email(identity: Identity) -> str:
    if not identity.email:
        raise SignOnRefusedError(
            f"{provider_name()} does not share your email, so your account cannot be found. Ask its"
            " administrator to share the email with this product."
        )
    if not identity.is_email_verified:
        raise SignOnRefusedError(
            f"{provider_name()} has not verified your email {identity.email}. Verify it there, then sign in"
            " again."
        )
    try:
        return checked_email(identity.email)
    except InvalidError as error:
        raise SignOnRefusedError(error.message) from error


def _new_person(identity: Identity, email: str) -> User:
    invited = has_open_invitation(email)
    domains = settings.SIGN_ON.signup_domains if settings.SIGN_ON else ()
    if not invited and email.rpartition("@")[2] not in domains:
        raise SignOnRefusedError(
            f"Accounts are created by invitation, and none is open for {email}. Ask an owner or a manager of"
            " your project to invite this address."
        )
    try:
        name = checked_name(identity.name, of="yourself")
    except InvalidError:
        name = email.partition("@")[0]
    user = User.objects.create_user(email, None, name=name, email_verified_at=timezone.now())
    record("person.created", by=user, obj=user, data={"issuer": identity.issuer})
    accept_open_invitations(user=user)
    return user
