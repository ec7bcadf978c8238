"""Sign-ins, failures and lock-outs in the audit: who, from where, with what. Signals bring them together, so
that no way in is forgotten.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.cache import cache
from django.db import transaction
from django.dispatch import receiver
from django.http import HttpRequest

from evalapp.accounts.emails import checked_email
from evalapp.accounts.models import User
from evalapp.accounts.one_time_links import void_links_for
from evalapp.accounts.secrets import hash_of
from evalapp.audit.services import record
from evalapp.core.client_address import client_details
from evalapp.core.errors import InvalidError

_WAYS = {
    "account_login": "password",
    "oidc_callback": "single sign-on",
    "emergency_sign_in": "emergency link",
    "invitation_accept": "invitation",
}


@receiver(user_logged_in)
def note_sign_in(request: HttpRequest, user: User, **_: object) -> None:
    """Whoever comes in needs no link that sets their password any more, so those are void."""
    client = client_details(request)
    if not client:
        return  # A session that a program opens.
    match = request.resolver_match
    way = _WAYS.get(match.url_name or "", "") if match else ""
    with transaction.atomic():
        record("person.signed_in", by=user, obj=user, data={"way": way, **client})
        void_links_for(user, by=user)


@receiver(user_login_failed)
def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: object) -> None:
    """A failed sign-in, and once in each lock-out that the sign-in is locked."""
    client = client_details(request) if request is not None else {}
    if not client:
        return
    email = _email_in(credentials)
    action = "person.sign_in_failed"
    # Set by the lock-out, which hears of the failure before.
    if getattr(request, "axes_locked_out", False):
        action = "person.locked_out"
        key = hash_of(f"{client['address']} {email}")
        if not cache.add(f"lock-out-noted:{key}", 1, round(settings.AXES_COOLOFF_TIME * 3600)):
            return
    person = User.objects.with_email(email).first() if email else None
    record(action, by=None, obj=person, data={"email": email, **client} if person is None else dict(client))


def _email_in(credentials: dict[str, Any]) -> str:
    """The email that was given. Anything else is left out: people type passwords into the wrong field."""
    try:
        return checked_email(str(credentials.get("email") or credentials.get("username") or ""))
    except InvalidError:
        return ""
