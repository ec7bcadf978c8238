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
# What PostgreSQL adds to a refusal, such as "Failing row contains (…)": what people wrote and scored. It may
# go over several lines, and in a text for programmers its line breaks are written out.
_DETAILS = re.compile(
    r"(\n|\\n)(DETAIL|CONTEXT): .*?(?=\n\nThe above exception|\n\nDuring handling of|\Z)", re.DOTALL
)


def without_secrets(text: str) -> str:
    """The text with ``***`` for what would open an invitation, set a password or sign in."""
    return _SECRET.sub(r"\1***", text)


class LineFormatter(logging.Formatter):
    """A log line and its trace, whoever wrote them, `without_secrets` and without the rows of a refusal."""

    def format(self, record: logging.LogRecord) -> str:
        return _DETAILS.sub(r"\1\2: left out of the log", without_secrets(super().format(record)))
