"""E-mail addresses that accounts may have."""

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from evalapp.core.errors import InvalidError

LONGEST_EMAIL = 254
FORMER_DOMAIN = "deleted.invalid"
"""Where the addresses of those lie whose data was deleted; no mail arrives at ``.invalid`` (RFC 2606)."""


def checked_email(email: str) -> str:
    """The address as accounts and invitations keep it: in lower case, without the spaces around it.

    Raises InvalidError for what is none, one that looks like another, or that no person can have.
    """
    email = email.strip()
    if not email.isascii():
        position, odd = next((n, each) for n, each in enumerate(email, start=1) if not each.isascii())
        raise _refused(
            f"Character {position} of the email is “{odd}” (U+{ord(odd):04X}), which looks like another"
            " letter. Use a to z, digits and signs; write a domain that has other letters in its xn-- form."
        )
    try:
        validate_email(email)
    except ValidationError as error:
        shown = "".join(each if each.isprintable() else f"U+{ord(each):04X}" for each in email[:80])
        raise _refused(f"“{shown}” is not an email. Write it as name@example.org.") from error
    if len(email) > LONGEST_EMAIL or not email.isprintable():
        raise _refused(f"An email has at most {LONGEST_EMAIL} characters, all of them visible.")
    email = email.lower()
    if email.endswith(f"@{FORMER_DOMAIN}"):
        raise _refused(f"Emails at {FORMER_DOMAIN} belong to former members. Give the person's own email.")
    return email


def _refused(message: str) -> InvalidError:
    return InvalidError(message, field="email")
