"""What EVALAPP_EMAIL_URL and EVALAPP_EMAIL_FROM may hold; `evalapp.env` reads them."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

_PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True)
class MailSettings:
    """A mail server and whom its mail is from. ``starts_tls``: encrypted after a greeting; ``is_tls``: at
    once.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    is_tls: bool
    starts_tls: bool
    sender: str = ""


def mail_in(text: str) -> MailSettings:
    """The server of an address such as smtp://user:password@mail.example.org. Raises ValueError."""
    parts = urlsplit(text)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(
            "write smtp://user:password@host:587 (STARTTLS), smtps://… (TLS), or smtp+plain://host:25"
        )
    try:
        port = parts.port or _PORTS[parts.scheme]
    except ValueError as error:
        raise ValueError("the port is not a number up to 65535") from error
    return MailSettings(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_tls=parts.scheme == "smtps",
        starts_tls=parts.scheme == "smtp",
    )


def sender_in(text: str) -> str:
    """An e-mail address. Raises ValueError."""
    if "@" not in text.strip("@") or any(each in text for each in "\r\n"):
        raise ValueError("write an email, for instance evalapp@example.org")
    return text
