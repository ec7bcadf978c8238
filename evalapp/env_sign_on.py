"""What the variables of single sign-on (EVALAPP_OIDC_…) may hold; `evalapp.env` reads them."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


@dataclass(frozen=True)
class SignOnSettings:
    """An OpenID Connect provider that people sign in with; ``signup_domains`` need no invitation."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str
    signup_domains: tuple[str, ...] = ()


def issuer_in(text: str) -> str:
    """The issuer without a slash at its end. Raises ValueError for one whose answers could be forged."""
    parts = urlsplit(text)
    is_here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and is_here)):
        raise ValueError("write the provider's https:// URL as in its tokens")
    return text.rstrip("/")


def secret_in(text: str) -> str:
    """The client's secret out of the file of this path. Raises ValueError for one that is missing, empty or
    open.
    """
    path = Path(text).expanduser().absolute()
    try:
        mode = path.stat().st_mode
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the file cannot be read ({error})") from error
    if mode & 0o007:
        raise ValueError(f"every user can read the file: run `chmod 600 {path}`")
    if not secret:
        raise ValueError("the file is empty; it must have the client's secret and nothing else")
    return secret


def domains_in(text: str) -> tuple[str, ...]:
    words = tuple(word.strip().lower().removeprefix("@") for word in text.split(",") if word.strip())
    if bad := next((word for word in words if "." not in word or "@" in word or "*" in word), None):
        raise ValueError(f"{bad!r} is not an email domain; write example.org, or several separated by commas")
    return words
