"""How a delivery is signed, and where its secret comes from.

    Evalapp-Signature: v1=HEX      HMAC-SHA256 of "TIMESTAMP.BODY" under the endpoint's secret
    Evalapp-Timestamp: TIMESTAMP   seconds since 1970, when this attempt was sent

The secret follows from the installation's secret key and a salt in the endpoint's row, so a copy of the
database signs nothing.
"""

import hmac
import secrets
from hashlib import sha256

from django.utils.crypto import salted_hmac

from evalapp.webhooks.models import WebhookDelivery, WebhookEndpoint

PREFIX = "whsec_"


def new_salt() -> str:
    return secrets.token_hex(32)


def secret_of(endpoint: WebhookEndpoint) -> str:
    """The secret that the endpoint's receiver was given."""
    value = f"{endpoint.key}:{endpoint.secret_salt}"
    return PREFIX + salted_hmac("evalapp.webhooks.secret", value, algorithm="sha256").hexdigest()


def signature_of(secret: str, timestamp: int, body: bytes) -> str:
    signed = str(timestamp).encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, sha256).hexdigest()


def headers_for(delivery: WebhookDelivery, body: bytes, *, timestamp: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "evalapp-webhooks/1",
        "Evalapp-Event": delivery.event,
        "Evalapp-Delivery": str(delivery.key),
        "Evalapp-Timestamp": str(timestamp),
        "Evalapp-Signature": signature_of(secret_of(delivery.endpoint), timestamp, body),
    }
