"""Gunicorn's log of requests, one line for each."""

from typing import Any
from urllib.parse import quote

from gunicorn.glogging import Logger


class AccessLog(Logger):
    """Shows a path as it is written in an address, so that no request can write lines of its own."""

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: Any) -> dict[str, Any]:
        """Gunicorn's values with ``U`` quoted; ``PATH_INFO`` holds bytes as Latin-1 (PEP 3333)."""
        values: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        values["U"] = quote(environ.get("PATH_INFO", "").encode("latin-1"))
        return values
