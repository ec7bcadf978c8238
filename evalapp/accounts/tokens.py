"""API tokens: a machine's key, which can do what its user's role can, or a part of it."""

import datetime as dt
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from evalapp.accounts.models import ApiToken, User
from evalapp.accounts.people import lock_person
from evalapp.accounts.queries import person_of_token
from evalapp.accounts.secrets import hash_of, new_secret
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name

PREFIX = "eva_"
SHOWN_CHARACTERS = 10
MOST_PER_PERSON = 50
# Writing the time of use on every request would make each one a write.
USE_NOTED_EVERY = dt.timedelta(minutes=5)


class NewToken(NamedTuple):
    """``secret`` is shown now, never again."""

    token: ApiToken
    secret: str


@transaction.atomic
def create_api_token(
    *,
    user: User,
    name: str,
    by: User,
    expires_at: dt.datetime | None = None,
    scope: str = "",
) -> NewToken:
    """A token of ``user``, of all that they may do or of one ``scope``. Raises InvalidError for an empty name
    or a 51st live token.
    """
    name = checked_name(name, of="the token", longest=80)
    lock_person(user)
    if user.api_tokens.filter(revoked_at=None).count() >= MOST_PER_PERSON:
        raise InvalidError(f"You have {MOST_PER_PERSON} tokens; revoke one that is no longer used.")
    secret = new_secret(PREFIX)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=secret[:SHOWN_CHARACTERS],
        token_hash=hash_of(secret),
        expires_at=expires_at,
        scope=scope,
    )
    record("api_token.created", by=by, obj=token, data={"scope": scope} if scope else {})
    return NewToken(token, secret)


@transaction.atomic
def revoke_api_token(*, token: ApiToken, by: User) -> None:
    """The token opens nothing from now on. Raises ConflictError where it was revoked already."""
    lock_person(token.user)
    if not ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        raise ConflictError("This token has been revoked already.")
    record("api_token.revoked", by=by, obj=token)


@transaction.atomic
def revoke_all_api_tokens(*, user: User, by: User) -> None:
    """None of the person's tokens opens anything from now on: whoever made one in their name is out."""
    lock_person(user)
    for token in user.api_tokens.filter(revoked_at=None).select_for_update():
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
        record("api_token.revoked", by=by, obj=token)


def use_api_token(secret: str) -> ApiToken | None:
    """The live token that this secret is (with its ``user``), noting its use; None for any other."""
    token = person_of_token(secret)
    if token is None:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token
