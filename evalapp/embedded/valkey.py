"""The embedded Valkey: broker and shared cache, on a socket in a private folder.

It stores nothing on disk: jobs are database rows, and a lost message or cache entry only costs time.
"""

import signal
import time
from collections.abc import Callable

import redis

from evalapp.embedded.binaries import valkey_program
from evalapp.embedded.folders import make_private_folder
from evalapp.embedded.logs import last_lines, open_log
from evalapp.embedded.problems import ServiceProblem
from evalapp.embedded.processes import Child, Program, StopStep
from evalapp.env import Environment

NAME = "valkey"
READY_SECONDS = 20
_POLL_SECONDS = 0.02
_LARGEST_MEMORY = "256mb"


class ValkeyServer:
    """Starts and stops the server in `environment.valkey_folder`; `pause` as in PostgresServer."""

    def __init__(self, environment: Environment, *, pause: Callable[[float], None] = time.sleep) -> None:
        self._environment = environment
        self._pause = pause
        self.child: Child | None = None

    def start(self) -> Child:
        """Start the server; returns when it answers. Raises ServiceProblem if it does not."""
        self.prepare()
        self.child = self.spawn()
        try:
            self._wait_until_ready(self.child)
        except BaseException:
            self.child.stop()
            raise
        return self.child

    def stop(self) -> None:
        if self.child is not None:
            self.child.stop()

    def prepare(self) -> None:
        for folder in (
            self._environment.home,
            self._environment.socket_folder,
            self._environment.valkey_folder,
        ):
            make_private_folder(folder)

    def spawn(self) -> Child:
        """Start the process without waiting for it to answer."""
        with open_log(self._environment.log_folder, NAME) as output:
            return Child(self.program(), output)

    def program(self) -> Program:
        settings = {
            "port": "0",
            "unixsocket": str(self._environment.valkey_socket),
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": str(self._environment.valkey_folder),
            "maxmemory": _LARGEST_MEMORY,
            # Evicts only keys with an expiry: cache entries, never queued messages.
            "maxmemory-policy": "volatile-lru",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return Program(
            name=NAME,
            command=(valkey_program(), *options),
            stop=(StopStep(signal.SIGTERM, 5),),
        )

    def is_ready(self, child: Child) -> bool:
        """Whether this process answers on the socket."""
        client = redis.Redis.from_url(self._environment.redis_url, socket_timeout=2)
        try:
            return bool(client.info("server")["process_id"] == child.pid)
        except (redis.RedisError, OSError):
            return False
        finally:
            client.close()

    def _wait_until_ready(self, child: Child) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready(child):
            if child.exit_status is not None or time.monotonic() > deadline:
                raise ServiceProblem(
                    f"Valkey did not start. Its log, {self._environment.log_folder / NAME}.log, says:\n"
                    + last_lines(self._environment.log_folder, NAME)
                )
            self._pause(_POLL_SECONDS)
