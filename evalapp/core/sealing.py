"""Encryption of stored API keys under the installation's secret key, so that a copy of the database reveals
none.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac

from evalapp.core.errors import InvalidError

LONGEST_KEY = 500


class OtherSecretKeyError(InvalidError):
    """The key was sealed under another secret key of the installation (400)."""


def checked_key(secret: str, *, field: str = "secret") -> str:
    """The key without surrounding spaces. Raises InvalidError for text that cannot be a key."""
    secret = secret.strip()
    if len(secret) > LONGEST_KEY or not secret.isascii() or not (secret.isprintable() and " " not in secret):
        # Without the text, which is a secret even if mistyped.
        raise InvalidError(
            f"An API key is one word of ASCII, of at most {LONGEST_KEY} characters.", field=field
        )
    return secret


def _fernet(purpose: str, owner: object) -> Fernet:
    digest = salted_hmac(purpose, str(owner), algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def sealed(purpose: str, owner: object, secret: str) -> str:
    """The key encrypted for storage; only the same ``owner`` (a UUID) can open it. "" stays ""."""
    return _fernet(purpose, owner).encrypt(secret.encode()).decode() if secret else ""


def opened(purpose: str, owner: object, text: str, *, name: str) -> str:
    """The decrypted key. Raises OtherSecretKeyError with ``name`` if it was sealed under another secret
    key.
    """
    if not text:
        return ""
    try:
        return _fernet(purpose, owner).decrypt(text.encode()).decode()
    except InvalidToken as error:
        raise OtherSecretKeyError(
            f"The API key of “{name}” was saved under another secret key of this installation. Enter it"
            " again."
        ) from error
