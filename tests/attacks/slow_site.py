"""A small application behind the product's own web server, and clients that speak to it byte by byte."""

import contextlib
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evalapp.embedded import web_worker
from evalapp.env import REPOSITORY
from evalapp.web_protocol import BODY_ANNOUNCED, BODY_WANTED, HEALTH_PATH, REQUESTS
from tests.installations import eventually, free_port

LONG_BYTES = 16 * 2**20
_PATIENCE_SECONDS = 60
_BLOCK = b"x" * 2**16

if "SLOW_SITE_HEAD_SECONDS" in os.environ:
    web_worker.HEAD_SECONDS = float(os.environ["SLOW_SITE_HEAD_SECONDS"])
if "SLOW_SITE_PATIENT_SECONDS" in os.environ:
    web_worker.PATIENT_SECONDS = float(os.environ["SLOW_SITE_PATIENT_SECONDS"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
    path = environ["PATH_INFO"]
    if BODY_ANNOUNCED in environ:
        if "HTTP_X_SIGNED_IN" in environ:
            environ[BODY_WANTED] = True
            return _said(start_response, "204 No Content", b"")
        return _said(start_response, "413 Content Too Large", b"not wanted")
    if path == HEALTH_PATH:
        return _said(start_response, "200 OK", json.dumps(environ[REQUESTS]).encode())
    if path == "/wait":
        while not Path(os.environ["SLOW_SITE_GATE"]).exists():
            time.sleep(0.01)
    if path == "/note":
        with Path(os.environ["EVALAPP_HOME"], "noted").open("a") as noted:
            noted.write("x")
    if path == "/unread":
        return _said(start_response, "200 OK", b"unread")
    if path == "/long":
        return _said(start_response, "200 OK", b"x" * LONG_BYTES)
    if path == "/stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (_BLOCK for _ in range(LONG_BYTES // len(_BLOCK)))
    if path == "/file":
        start_response("200 OK", [("Content-Length", str(LONG_BYTES))])
        file = Path(os.environ["SLOW_SITE_FILE"]).open("rb")  # noqa: SIM115 - the server closes it
        return environ["wsgi.file_wrapper"](file)
    body = environ["wsgi.input"].read()
    told = {
        "pid": os.getpid(),
        "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
        "chunked": "HTTP_TRANSFER_ENCODING" in environ,
    }
    return _said(start_response, "200 OK", json.dumps(told).encode())


def _said(start_response: Callable[..., Any], status: str, body: bytes) -> Any:
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return _Parts(body)


class _Parts(list[bytes]):
    """An answer that is closed after it was sent, as Django's are."""

    def __init__(self, body: bytes) -> None:
        super().__init__([body])

    def close(self) -> None:
        pass


class Site:
    """The running site; `gate` lets the requests to /wait go."""

    def __init__(self, port: int, home: Path) -> None:
        self.port = port
        self.home = home
        self.gate = home / "gate"
        self.log = home / "web.log"
        self.process: subprocess.Popen[bytes]

    def connect(self, *, receives: int | None = None) -> socket.socket:
        """A connection; with little room to receive where it shall read slowly."""
        talk = socket.socket()
        if receives:
            talk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
        talk.settimeout(_PATIENCE_SECONDS)
        talk.connect(("127.0.0.1", self.port))
        return talk

    def send(self, text: str | bytes, *, receives: int | None = None) -> socket.socket:
        talk = self.connect(receives=receives)
        talk.sendall(text.encode() if isinstance(text, str) else text)
        return talk

    def ask(self, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str) -> Any:
        """Status and body, on a new connection; raises TimeoutError where nothing comes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def waiting(self) -> dict[str, int]:
        """What one of the processes says of its requests."""
        status, body = self.ask(HEALTH_PATH)
        assert status == 200
        return dict(json.loads(body))

    def answers(self, times: int = 40) -> None:
        """Both processes answer; which one does is chance, so many are asked."""
        for _ in range(times):
            assert self.ask()[0] == 200


@contextlib.contextmanager
def site(home: Path, *options: str, **variables: str) -> Iterator[Site]:
    """Gunicorn with the product's configuration, and this application."""
    running = Site(free_port(), home)
    file = home / "file"
    file.write_bytes(b"x" * LONG_BYTES)
    command = [sys.executable, "-m", "gunicorn", "--config", "python:evalapp.embedded.web_server", *options]
    with running.log.open("wb") as log:
        running.process = subprocess.Popen(
            [*command, "tests.attacks.slow_site:application"],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "EVALAPP_HOME": str(home),
                "EVALAPP_BIND": f"127.0.0.1:{running.port}",
                "SLOW_SITE_GATE": str(running.gate),
                "SLOW_SITE_FILE": str(file),
                **variables,
            },
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: _is_up(running), _PATIENCE_SECONDS, "the site answers")
        yield running
    finally:
        running.gate.touch()
        running.process.terminate()
        running.process.wait(_PATIENCE_SECONDS)
    assert "Traceback" not in running.log.read_text()


def _is_up(running: Site) -> bool:
    try:
        return bool(running.ask()[0] == 200)
    except OSError:
        return False


def read_answer(talk: socket.socket) -> tuple[int, bytes]:
    """Status and body of the next answer on a connection; raises OSError where it was cut off."""
    response = http.client.HTTPResponse(talk)
    response.begin()
    return response.status, response.read()


def read_answers(talk: socket.socket, count: int) -> list[bytes]:
    """The bodies of several answers on one connection, each of a known length."""
    bodies = []
    with talk.makefile("rb") as file:
        for _ in range(count):
            headers = http.client.parse_headers(file) if file.readline() else {}
            bodies.append(file.read(int(headers["Content-Length"])))
    return bodies
