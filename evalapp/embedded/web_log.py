"""Gunicorn's own log; requests are logged by `evalapp.core.access_log`."""

from typing import Any

from gunicorn.glogging import Logger

from evalapp.embedded.log_lines import LineFormatter


class WebLog(Logger):
    """Removes secret tokens from Gunicorn's log lines, which name the URL of a request that failed."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter(self.error_fmt, self.datefmt))
