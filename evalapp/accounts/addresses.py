"""E-mail addresses that accounts may have."""

from evalapp.core.errors import InvalidError

FORMER_DOMAIN = "deleted.invalid"
"""Where the addresses of those lie whose data was deleted; no mail arrives at ``.invalid`` (RFC 2606)."""


def checked_email(email: str) -> str:
    """The address as accounts and invitations keep it: in lower case, without the spaces around it.

    Raises InvalidError for one that looks like another, or that no person can have.
    """
    email = email.strip()
    if not email.isascii():
        position, odd = next((n, each) for n, each in enumerate(email, start=1) if not each.isascii())
        raise _refused(
            f"Character {position} of the address is “{odd}” (U+{ord(odd):04X}), which can pass for another. "
            "Type it with a to z, figures and signs; write a domain that has other letters in its xn-- form."
        )
    email = email.lower()
    if email.endswith(f"@{FORMER_DOMAIN}"):
        raise _refused(
            f"Addresses at {FORMER_DOMAIN} stand for former members. Give the person's own address."
        )
    return email


def _refused(message: str) -> InvalidError:
    return InvalidError(message, fields={"email": [message]})
