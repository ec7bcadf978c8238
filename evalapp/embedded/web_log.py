"""What Gunicorn writes itself; requests are logged by `evalapp.core.access_log`."""

from typing import Any

from gunicorn.glogging import Logger

from evalapp.embedded.log_lines import LineFormatter


class WebLog(Logger):
    """Gunicorn's lines without the secrets of links: it names the request that it could not answer."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(LineFormatter(self.error_fmt, self.datefmt))
