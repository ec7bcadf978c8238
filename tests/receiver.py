"""A real HTTP server on loopback that answers as configured and records its requests."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Call(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """``answer``: a status, or the name of a faulty behaviour."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.answer: int | str = 200
        self.body = b"thanks"
        self.location = ""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                # Also stored with the request, since several may run at once.
                self.call = Call(self.path, dict(self.headers), self.rfile.read(length))
                receiver.calls.append(self.call)
                receiver.behave(self)

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who hangs up is a test's own doing
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def behave(self, handler: BaseHTTPRequestHandler) -> None:
        if self.answer == "drip":
            # One byte at a time of a header that never ends, so that no single read waits long.
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for _ in range(200):
                handler.wfile.write(b"x")
                handler.wfile.flush()
                time.sleep(0.05)
            return
        if self.answer == "silence":
            time.sleep(5)
            return
        if self.answer == "cut":
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.answer == "nonsense":
            handler.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")
            return
        handler.send_response(int(self.answer))
        if self.location:
            handler.send_header("Location", self.location)
        handler.send_header("Content-Length", str(len(self.body)))
        handler.end_headers()
        handler.wfile.write(self.body)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(
        target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()
