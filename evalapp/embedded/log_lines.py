"""Lines of the logs, without the secrets that some addresses hold."""

import logging
import re

# An invitation and the links that set a password or sign the site admin in open something to whoever reads
# their URL. The id of an invitation in a project's own URL is shorter, and opens nothing.
_SECRET = re.compile(
    r"(invitations(?:/|%2F)|accounts(?:/|%2F)emergency(?:/|%2F)"
    r"|password(?:/|%2F)reset(?:/|%2F)key(?:/|%2F)[0-9A-Za-z]+-)[\w%~.:=-]{12,}",
    re.IGNORECASE,
)


def without_secrets(text: str) -> str:
    """The text with ``***`` for what would open an invitation, set a password or sign in."""
    return _SECRET.sub(r"\1***", text)


class LineFormatter(logging.Formatter):
    """A log line and its trace, whoever wrote them, `without_secrets`."""

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(super().format(record))
