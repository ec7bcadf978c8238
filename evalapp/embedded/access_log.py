"""Gunicorn's log of requests, one line for each."""

from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger

from evalapp.embedded.log_lines import without_secrets


class AccessLog(Logger):
    """Shows a path as it is written in an address, so that no request can write lines of its own, and
    without the secrets that some addresses hold.
    """

    def atoms(self, *arguments: Any, **named: Any) -> Any:
        """Gunicorn's values with ``U``, the path, quoted; the web server holds bytes as Latin-1 (PEP 3333)."""
        values = super().atoms(*arguments, **named)
        values["U"] = without_secrets(quote(str(values["U"]).encode("latin-1")))
        return values
