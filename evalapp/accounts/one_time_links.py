"""Links that set a password, or sign the site admin in: kept as rows, and judged anew when they are used.

A link is no right of its own. It does what its maker could still do at the moment of its use, once, and a
change of the roles of either side ends it.
"""

import datetime as dt

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from evalapp.accounts.models import OneTimeLink, User
from evalapp.accounts.queries import may_reset_password_of
from evalapp.accounts.secrets import hash_of, new_secret
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError

Purpose = OneTimeLink.Purpose
EMERGENCY_MINUTES = 15
PASSWORD_DAYS = 3
_VALID_FOR = {
    Purpose.PASSWORD: dt.timedelta(days=PASSWORD_DAYS),
    Purpose.EMERGENCY: dt.timedelta(minutes=EMERGENCY_MINUTES),
}


def make_link(*, user: User, purpose: OneTimeLink.Purpose, by: User | None, is_mailed: bool = False) -> str:
    """The secret of a new link for ``user``, told now and never again.

    ``by`` is its maker, None one of the server's own commands. ``is_mailed``: it goes to the person's email
    and nowhere else.
    """
    secret = new_secret()
    OneTimeLink.objects.create(
        user=user,
        purpose=purpose,
        token_hash=hash_of(secret),
        created_by=by,
        is_mailed=is_mailed,
        expires_at=timezone.now() + _VALID_FOR[purpose],
    )
    return secret


def find_link(secret: str, purpose: OneTimeLink.Purpose) -> OneTimeLink | None:
    """The link of this secret where it would work at this moment, with its ``user``."""
    link = (
        _open_links()
        .select_related("user", "created_by")
        .filter(token_hash=hash_of(secret), purpose=purpose)
        .first()
    )
    return link if link is not None and _is_allowed(link) else None


@transaction.atomic
def use_link(secret: str, purpose: OneTimeLink.Purpose) -> OneTimeLink:
    """Consume a link; of any number of simultaneous uses one succeeds.

    Call it in the transaction of what the link does, after locking its person. Raises ConflictError where
    the link has been used, voided or has expired, or where its maker could not make it any more.
    """
    refused = ConflictError(
        "This link has been used or withdrawn in the meantime, or has expired. Ask the sender for a new one."
    )
    used = _open_links().filter(token_hash=hash_of(secret), purpose=purpose).update(used_at=timezone.now())
    if not used:
        raise refused
    link = OneTimeLink.objects.select_related("user", "created_by").get(token_hash=hash_of(secret))
    if not _is_allowed(link):
        raise refused
    return link


def void_links_for(user: User, *, by: User | None) -> None:
    """Void the open links that lead into this account."""
    _void(Q(user=user), user, by)


def void_links_of(user: User, *, by: User | None) -> None:
    """Void the open links that lead into this account and those that the person made.

    Call it in the transaction of every change of the person's roles: a right to a link does not outlive it.
    """
    _void(Q(user=user) | Q(created_by=user), user, by)


def _void(which: Q, user: User, by: User | None) -> None:
    if count := _open_links().filter(which).update(revoked_at=timezone.now()):
        record("person.links_voided", by=by, obj=user, data={"links": count})


def _open_links() -> QuerySet[OneTimeLink]:
    return OneTimeLink.objects.filter(used_at=None, revoked_at=None, expires_at__gt=timezone.now())


def _is_allowed(link: OneTimeLink) -> bool:
    person = link.user
    if not person.is_active:
        return False
    if link.purpose == Purpose.EMERGENCY:
        return person.is_superuser
    maker = link.created_by
    if maker is None or maker.pk == person.pk:
        return True
    return maker.is_active and may_reset_password_of(person, viewer=maker)
