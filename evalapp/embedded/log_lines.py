"""Log lines without secrets."""

import logging
import re

# URLs that grant access to anyone who reads them: invitations, password links and the site admin's sign-in
# link. The shorter invitation id in a project's own URL grants nothing.
_SECRET = re.compile(
    r"(invitations(?:/|%2F)|accounts(?:/|%2F)emergency(?:/|%2F)"
    r"|password(?:/|%2F)reset(?:/|%2F)key(?:/|%2F)[0-9A-Za-z]+-)[\w%~.:=-]{12,}",
    re.IGNORECASE,
)
# PostgreSQL adds these to an error, such as "Failing row contains (…)": texts and scores that people
# entered. They may span several lines; in a repr the line breaks are escaped.
_DETAILS = re.compile(
    r"(\n|\\n)(DETAIL|CONTEXT): .*?(?=\n\nThe above exception|\n\nDuring handling of|\Z)", re.DOTALL
)


def without_secrets(text: str) -> str:
    """The text with ``***`` in place of tokens of invitations, password links and sign-in links."""
    return _SECRET.sub(r"\1***", text)


class LineFormatter(logging.Formatter):
    """Formats a log line and its traceback without secrets and without row contents of database errors."""

    def format(self, record: logging.LogRecord) -> str:
        return _DETAILS.sub(r"\1\2: left out of the log", without_secrets(super().format(record)))
