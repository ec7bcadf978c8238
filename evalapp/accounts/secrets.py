"""Secrets that are shown once: only their SHA-256 is stored, so a copied database opens nothing.

They are 256 random bits, so a plain hash is enough: there is nothing to guess.
"""

import hashlib
import secrets

RANDOM_BYTES = 32


def new_secret(prefix: str = "") -> str:
    return prefix + secrets.token_urlsafe(RANDOM_BYTES)


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
