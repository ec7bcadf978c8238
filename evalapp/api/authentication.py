"""``Authorization: Bearer eva_…``: a person's token, and nothing else (a browser's session
is no key here).
"""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from evalapp.accounts.models import ApiToken, User
from evalapp.accounts.tokens import use_api_token
from evalapp.api.throttling import LOCK_SECONDS, MOST_WRONG_TOKENS, WrongTokens
from evalapp.audit.services import record
from evalapp.core.client_address import client_address, client_details

LONGEST_SECRET = 200
_HOW = "Send “Authorization: Bearer <token>”; make a token in your profile."


class TokenAuthentication(BaseAuthentication):
    """Raises 401 for a token that is not valid, 429 for an IP address that sent too many of them."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        secret = _secret_in(header)
        attempts = WrongTokens(client_address(request), secret)
        if attempts.is_locked:
            raise Throttled(LOCK_SECONDS, "Too many wrong tokens came from this IP address. Wait 15 minutes.")
        token = use_api_token(secret)
        if token is None:
            _audit_wrong(request, attempts.note_wrong())
            raise AuthenticationFailed(f"This token is wrong, has expired or was revoked. {_HOW}")
        # Once for each client and day: a program's every request would bury all else.
        if attempts.note_right():
            record("api_token.used", by=token.user, obj=token, data=client_details(request))
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="evalapp"'


def _audit_wrong(request: Request, count: int) -> None:
    """The first of a series from one address, and the one that locks it."""
    action = {1: "api_token.refused", MOST_WRONG_TOKENS: "api_token.locked_out"}.get(count)
    if action:
        record(action, by=None, data=client_details(request))


def _secret_in(header: bytes) -> str:
    scheme, _, secret = header.partition(b" ")
    secret = secret.strip()
    if scheme.lower() != b"bearer" or not secret or len(secret) > LONGEST_SECRET or not secret.isascii():
        raise AuthenticationFailed(f"The Authorization header cannot be read. {_HOW}")
    return secret.decode()
