"""API keys at rest: encrypted under the installation's secret key, so a copy of the database opens nothing."""

import base64

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac

from evalapp.core.errors import InvalidError
from evalapp.model_judges.models import ModelJudge


def _box(judge: ModelJudge) -> Fernet:
    digest = salted_hmac("evalapp.model_judges.key", str(judge.key), algorithm="sha256").digest()
    return Fernet(base64.urlsafe_b64encode(digest))


def seal(judge: ModelJudge, secret: str) -> str:
    """The key as it is stored with this judge, and opens with this judge alone; "" stays ""."""
    return _box(judge).encrypt(secret.encode()).decode() if secret else ""


def opened_key(judge: ModelJudge) -> str:
    """Raises InvalidError where the installation's secret key is another one than when it was saved."""
    if not judge.sealed_key:
        return ""
    try:
        return _box(judge).decrypt(judge.sealed_key.encode()).decode()
    except InvalidToken as error:
        raise InvalidError(
            f"The API key of “{judge.name}” was saved under another secret key of this installation. Enter it again."
        ) from error
