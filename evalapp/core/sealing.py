"""API keys at rest: encrypted under the installation's secret key, so a copy of the database
opens nothing.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac

from evalapp.core.errors import InvalidError

LONGEST_KEY = 500


class OtherSecretKeyError(InvalidError):
    """The installation's secret key is another one than when the key was sealed (400)."""


def checked_key(secret: str, *, field: str = "secret") -> str:
    """The key without spaces around it. Raises InvalidError for what is no key."""
    secret = secret.strip()
    if len(secret) > LONGEST_KEY or not secret.isascii() or not (secret.isprintable() and " " not in secret):
        # Without the text: it is a secret, even a mistyped one.
        raise InvalidError(
            f"An API key is one word of ASCII, of at most {LONGEST_KEY} characters.", field=field
        )
    return secret


def _box(purpose: str, owner: object) -> Fernet:
    digest = salted_hmac(purpose, str(owner), algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def sealed(purpose: str, owner: object, secret: str) -> str:
    """The key as it is stored with this ``owner`` (a UUID), and opens with this one alone; "" stays ""."""
    return _box(purpose, owner).encrypt(secret.encode()).decode() if secret else ""


def opened(purpose: str, owner: object, text: str, *, name: str) -> str:
    """Raises OtherSecretKeyError naming ``name`` where the key was sealed under another secret key."""
    if not text:
        return ""
    try:
        return _box(purpose, owner).decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise OtherSecretKeyError(
            f"The API key of “{name}” was saved under another secret key of this installation. Enter it"
            " again."
        ) from error
