"""``Authorization: Bearer eva_…``: a person's token, and nothing else (a browser's session is no key here)."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from evalapp.accounts.models import ApiToken, User
from evalapp.accounts.tokens import use_api_token
from evalapp.api.throttling import LOCK_SECONDS, WrongTokens

LONGEST_SECRET = 200
_HOW = "Send “Authorization: Bearer <token>”; make a token in your profile."


class TokenAuthentication(BaseAuthentication):
    """401 for a token that opens nothing; 429 for an address that has sent too many of those."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        header = get_authorization_header(request)
        if not header:
            return None
        secret = _secret_in(header)
        attempts = WrongTokens(BaseThrottle().get_ident(request), secret)
        if attempts.is_locked():
            raise Throttled(LOCK_SECONDS, "Too many wrong tokens came from this address. Wait 15 minutes.")
        token = use_api_token(secret)
        if token is None:
            attempts.note_wrong()
            raise AuthenticationFailed(f"This token is wrong, has expired or was revoked. {_HOW}")
        attempts.note_right()
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="evalapp"'


def _secret_in(header: bytes) -> str:
    scheme, _, secret = header.partition(b" ")
    secret = secret.strip()
    if scheme.lower() != b"bearer" or not secret or len(secret) > LONGEST_SECRET or not secret.isascii():
        raise AuthenticationFailed(f"The Authorization header is not one of ours. {_HOW}")
    return secret.decode()
