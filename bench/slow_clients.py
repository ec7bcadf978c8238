"""Response time of `/healthz` beside slow clients, with the web server as the product starts it.

    python -m bench.slow_clients [--clients 200] [--seconds 10]

Four crowds of clients, one after the other, none of them signed in: *headers* sends its request one byte at a
time, *body* sends a form one byte at a time, *reading* receives a long response a few bytes at a time, and
*idle* keeps its connection open after a response. A client that is cut off reconnects at once. Meanwhile
`/healthz` is requested again and again, each time on a new connection. Target with 200 clients: p95 of the
response time 200 ms.
"""

import argparse
import asyncio
import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bench.ports import free_port
from bench.review_flow import installation, web_server
from proofs.figures import MISSED, report_figure

PORT = free_port()
PAUSE_SECONDS = 0.5
SECONDS_BETWEEN_REQUESTS = 0.05
MOST_MILLISECONDS = 200.0
HOST = b"Host: localhost\r\n"
LONG_ANSWER = "/api/v1/schema/"
CROWDS = ("headers", "body", "reading", "idle")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with installation(PORT) as home, web_server(home, PORT):
        sys.exit(0 if measure(PORT, options.clients, options.seconds) else MISSED)


def measure(port: int, clients: int, seconds: float) -> bool:
    """Print the numbers of every crowd; returns whether all reached the target."""
    reached = []
    for name in (None, *CROWDS):
        with crowd(port, name, clients if name else 0) as people:
            times, unanswered = ask_health(port, seconds)
        p95 = 1000 * times[int(0.95 * len(times))] if times and not unanswered else float("inf")
        median = 1000 * times[len(times) // 2] if times else float("inf")
        beside = f"{people.connections} connections of {clients} clients, {name}" if name else "nobody"
        print(f"beside {beside}: {len(times)} answers, {unanswered} without, median {median:.1f} ms")
        reached.append(report_figure(f"p95 beside {name or 'nobody'}", p95, "ms", at_most=MOST_MILLISECONDS))
    return all(reached)


def ask_health(port: int, seconds: float) -> tuple[list[float], int]:
    """Seconds of each response, sorted, and the number of requests without one within 5 s."""
    times: list[float] = []
    unanswered = 0
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        started = time.perf_counter()
        try:
            connection.request("GET", "/healthz", headers={"Host": "localhost"})
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise SystemExit(f"/healthz answered {response.status}")
            times.append(time.perf_counter() - started)
        except (OSError, http.client.HTTPException):
            unanswered += 1
        finally:
            connection.close()
        time.sleep(SECONDS_BETWEEN_REQUESTS)
    return sorted(times), unanswered


class Crowd:
    """Slow clients of one kind, in an event loop on a thread of their own; `connections`: how many they have
    made.
    """

    def __init__(self, port: int, kind: str, size: int) -> None:
        self.connections = 0
        self._port = port
        self._use_connection = {
            "headers": self._send_headers,
            "body": self._send_body,
            "reading": self._read,
            "idle": self._idle,
        }[kind]
        self._size = size
        self._all_connected = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run)

    def connect(self) -> None:
        """Start the clients; returns when all have connected, or after 10 s."""
        self._thread.start()
        self._all_connected.wait(10)

    def disconnect(self) -> None:
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._tasks])
        self._thread.join()

    def _run(self) -> None:
        async def everybody() -> None:
            self._tasks = [asyncio.create_task(self._keep_connecting()) for _ in range(self._size)]
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._loop.run_until_complete(everybody())
        self._loop.close()

    async def _keep_connecting(self) -> None:
        while True:
            connection = socket.socket()
            connection.setblocking(False)
            # A small receive buffer, so that a long response does not fit into this side's kernel.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await self._loop.sock_connect(connection, ("127.0.0.1", self._port))
                self.connections += 1
                if self.connections >= self._size:
                    self._all_connected.set()
                await self._use_connection(connection)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                connection.close()

    async def _send_headers(self, connection: socket.socket) -> None:
        await self._loop.sock_sendall(connection, b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Slow: ")
        await self._drip(connection)

    async def _send_body(self, connection: socket.socket) -> None:
        head = b"POST /accounts/login/ HTTP/1.1\r\n" + HOST
        head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\n"
        await self._loop.sock_sendall(connection, head)
        await self._drip(connection)

    async def _drip(self, connection: socket.socket) -> None:
        while not _was_cut_off(connection):
            await self._loop.sock_sendall(connection, b"a")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, connection: socket.socket) -> None:
        await self._loop.sock_sendall(connection, f"GET {LONG_ANSWER} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        while await self._loop.sock_recv(connection, 64):  # noqa: ASYNC110 - slow on purpose
            await asyncio.sleep(PAUSE_SECONDS)

    async def _idle(self, connection: socket.socket) -> None:
        await self._loop.sock_sendall(connection, b"GET /static/none HTTP/1.1\r\n" + HOST + b"\r\n")
        while await self._loop.sock_recv(connection, 65_536):
            pass


def _was_cut_off(connection: socket.socket) -> bool:
    try:
        return connection.recv(65_536) == b""
    except BlockingIOError:
        return False


class _NoCrowd:
    connections = 0


@contextmanager
def crowd(port: int, kind: str | None, size: int) -> Iterator[Crowd | _NoCrowd]:
    """Run ``size`` slow clients within the block."""
    if kind is None or not size:
        yield _NoCrowd()
        return
    people = Crowd(port, kind, size)
    people.connect()
    try:
        yield people
    finally:
        people.disconnect()


if __name__ == "__main__":
    main()
