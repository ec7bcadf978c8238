"""Gunicorn's configuration, read by `gunicorn -c python:evalapp.embedded.web_server`.

The names are Gunicorn's settings. The application is loaded once, before the workers are forked, so that they
share its memory.
"""

import gc
from pathlib import Path
from typing import Any

from evalapp.env import environment

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - heartbeat files of a few bytes, made by mkstemp

bind = str(environment().bind)
workers = 2
threads = 4
worker_class = "evalapp.embedded.web_worker.WebWorker"
worker_connections = 2000
preload_app = True
timeout = 60
graceful_timeout = 10
keepalive = 5
# Gunicorn's maximum: filters are stored in the URL, and a longer one gets Gunicorn's plain error.
limit_request_line = 8190
logger_class = "evalapp.embedded.web_log.WebLog"
forwarded_allow_ips = ",".join(environment().trusted_proxy) or "127.0.0.1,::1"
# The product is always at its host's root, so a header that sets a prefix could only break URLs.
forwarder_headers = ""
control_socket_disable = True
# A heartbeat file on a slow disk can stall a worker until it is taken for dead.
if _SHARED_MEMORY.is_dir():
    worker_tmp_dir = str(_SHARED_MEMORY)


def when_ready(server: Any) -> None:
    """Exclude inherited objects from garbage collection, which would copy their memory pages in every
    worker.
    """
    gc.collect()
    gc.freeze()
