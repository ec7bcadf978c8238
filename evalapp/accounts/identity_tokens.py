"""The claims of an OpenID Connect ID token, after every check of the standard.

OpenID Connect Core 1.0, 3.1.3.7. The signature is checked always, also where TLS would excuse it.
"""

import hmac
from collections.abc import Mapping
from typing import Any

import jwt

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the provider has: never "none", never HMAC under a public key's text."""
CLOCK_SECONDS = 60
_REQUIRED = ["exp", "iat", "iss", "aud", "sub"]


class IdentityTokenError(Exception):
    """The token proves nothing; the text, for the server's log, says why."""


def verified_claims(
    token: object, *, keys: object, issuer: str, client_id: str, nonce: str
) -> dict[str, Any]:
    """The claims of an ID token; ``keys`` is the provider's key set as it was fetched.

    Raises IdentityTokenError for a token that another issuer, another key, another client, another
    sign-in (``nonce``) or another time made, and for anything that is no token at all.
    """
    if not isinstance(token, str):
        raise IdentityTokenError("there is no ID token in the provider's answer")
    try:
        header = jwt.get_unverified_header(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            _key_for(header, keys),
            algorithms=[header["alg"]],
            issuer=issuer,
            audience=client_id,
            leeway=CLOCK_SECONDS,
            options={"require": _REQUIRED},
        )
    except (jwt.PyJWTError, LookupError, TypeError, ValueError) as error:
        raise IdentityTokenError(f"the ID token is refused: {error}") from error
    _require_ours(claims, client_id)
    if not (nonce and hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode())):
        raise IdentityTokenError("the ID token was made for another sign-in (its nonce differs)")
    if not isinstance(claims["sub"], str) or not claims["sub"]:
        raise IdentityTokenError("the ID token names nobody")
    return claims


def _require_ours(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims["aud"]
    party = claims.get("azp")
    is_shared = isinstance(audience, list) and len(audience) > 1
    if (party is not None or is_shared) and party != client_id:
        raise IdentityTokenError("the ID token was issued to another client")


def _key_for(header: Mapping[str, Any], keys: object) -> jwt.PyJWK:
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise IdentityTokenError(f"the ID token is signed by {algorithm!r}, which is not accepted")
    listed = keys.get("keys") if isinstance(keys, dict) else None
    if not isinstance(listed, list):
        raise IdentityTokenError("the provider's key set cannot be read")
    fitting = [
        each
        for each in listed
        if isinstance(each, dict)
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
        and header.get("kid") in (None, each.get("kid"))
    ]
    if len(fitting) != 1:
        raise IdentityTokenError(f"{len(fitting)} of the provider's keys fit the ID token; one must")
    return jwt.PyJWK.from_dict(fitting[0], str(algorithm))
