"""One-time links that go to a person's email, and to nobody else."""

import logging
import smtplib
from collections.abc import Sequence
from typing import NamedTuple

from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend

logger = logging.getLogger(__name__)


class LinkMail(NamedTuple):
    """``link`` is a whole URL; ``words`` say what it does and how long it works."""

    email: str
    subject: str
    words: str
    link: str


def send_links(mails: Sequence[LinkMail]) -> list[str]:
    """Send each to its email, all over one connection; for each, why it was not sent, or "".

    Waits for the mail server. Call it after the links are committed.
    """
    connection = get_connection()
    try:
        connection.open()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("The mail server cannot be reached: %s", error)
        return [f"the mail server cannot be reached ({error})"[:300] for _ in mails]
    try:
        return [_sent(mail, connection) for mail in mails]
    finally:
        connection.close()


def _sent(mail: LinkMail, connection: BaseEmailBackend) -> str:
    message = EmailMessage(
        subject=" ".join(mail.subject.split())[:200],
        body=f"{mail.words}\n\n{mail.link}\n\nThis link is only for you. Do not share it.\n",
        to=[mail.email],
        connection=connection,
        headers={"Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (OSError, smtplib.SMTPException) as error:
        logger.warning("A link to %s is not sent: %s", mail.email, error)
        return str(error)[:300]
    return ""
