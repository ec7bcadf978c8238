"""`/healthz` beside clients that take their time, against the web server as the product starts it.

    python -m bench.slow_clients [--clients 200] [--seconds 10]

Four crowds, one after the other, none of them signed in: *headers* sends its request a byte at a time, *body*
sends a form so, *reading* takes a long answer a few bytes at a time, *idle* keeps its connection after an
answer. A client that is cut off comes back at once. Meanwhile `/healthz` is asked again and again, each time
on a new connection. Number to reach beside 200 clients: p95 of the answer 200 ms.
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

PORT = free_port()
PAUSE_SECONDS = 0.5
BETWEEN_QUESTIONS = 0.05
REACH_MS = 200.0
HOST = b"Host: localhost\r\n"
LONG_ANSWER = "/api/v1/schema/"
CROWDS = ("headers", "body", "reading", "idle")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with installation(PORT) as home, web_server(home, PORT):
        sys.exit(0 if measure(PORT, options.clients, options.seconds) else 1)


def measure(port: int, clients: int, seconds: float) -> bool:
    """Print the numbers of every crowd; returns whether all reached the target."""
    good = True
    for name in (None, *CROWDS):
        with crowd(port, name, clients if name else 0) as people:
            times, unanswered = ask_health(port, seconds)
        p95 = 1000 * times[int(0.95 * len(times))] if times and not unanswered else float("inf")
        median = 1000 * times[len(times) // 2] if times else float("inf")
        beside = f"{people.came} connections of {clients} clients, {name}" if name else "nobody"
        print(
            f"beside {beside}: {len(times)} answers, {unanswered} without, median {median:.1f} ms, p95"
            f" {p95:.1f} ms"
        )
        good &= p95 <= REACH_MS
    return good


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
        time.sleep(BETWEEN_QUESTIONS)
    return sorted(times), unanswered


class Crowd:
    """Slow clients of one kind, in an event loop on a thread of their own; `came` counts their
    connections.
    """

    def __init__(self, port: int, kind: str, size: int) -> None:
        self.came = 0
        self._port = port
        self._behave = {
            "headers": self._send_headers,
            "body": self._send_body,
            "reading": self._read,
            "idle": self._idle,
        }[kind]
        self._size = size
        self._all_came = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._tasks: list[asyncio.Task[None]] = []
        self._thread = threading.Thread(target=self._run)

    def come(self) -> None:
        """Start the clients; returns when all have connected, or after 10 s."""
        self._thread.start()
        self._all_came.wait(10)

    def leave(self) -> None:
        self._loop.call_soon_threadsafe(lambda: [task.cancel() for task in self._tasks])
        self._thread.join()

    def _run(self) -> None:
        async def everybody() -> None:
            self._tasks = [asyncio.create_task(self._stay()) for _ in range(self._size)]
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._loop.run_until_complete(everybody())
        self._loop.close()

    async def _stay(self) -> None:
        while True:
            talk = socket.socket()
            talk.setblocking(False)
            # A small receive buffer, so that a long response does not fit into this side's kernel.
            talk.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            try:
                await self._loop.sock_connect(talk, ("127.0.0.1", self._port))
                self.came += 1
                if self.came >= self._size:
                    self._all_came.set()
                await self._behave(talk)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
            finally:
                talk.close()

    async def _send_headers(self, talk: socket.socket) -> None:
        await self._loop.sock_sendall(talk, b"GET /healthz HTTP/1.1\r\n" + HOST + b"X-Slow: ")
        await self._drip(talk)

    async def _send_body(self, talk: socket.socket) -> None:
        head = b"POST /accounts/login/ HTTP/1.1\r\n" + HOST
        head += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\n"
        await self._loop.sock_sendall(talk, head)
        await self._drip(talk)

    async def _drip(self, talk: socket.socket) -> None:
        while not _was_cut_off(talk):
            await self._loop.sock_sendall(talk, b"a")
            await asyncio.sleep(PAUSE_SECONDS)

    async def _read(self, talk: socket.socket) -> None:
        await self._loop.sock_sendall(talk, f"GET {LONG_ANSWER} HTTP/1.1\r\n".encode() + HOST + b"\r\n")
        while await self._loop.sock_recv(talk, 64):  # noqa: ASYNC110 - slow on purpose
            await asyncio.sleep(PAUSE_SECONDS)

    async def _idle(self, talk: socket.socket) -> None:
        await self._loop.sock_sendall(talk, b"GET /static/none HTTP/1.1\r\n" + HOST + b"\r\n")
        while await self._loop.sock_recv(talk, 65_536):
            pass


def _was_cut_off(talk: socket.socket) -> bool:
    try:
        return talk.recv(65_536) == b""
    except BlockingIOError:
        return False


class _Nobody:
    came = 0


@contextmanager
def crowd(port: int, kind: str | None, size: int) -> Iterator[Crowd | _Nobody]:
    """Run ``size`` slow clients within the block."""
    if kind is None or not size:
        yield _Nobody()
        return
    people = Crowd(port, kind, size)
    people.come()
    try:
        yield people
    finally:
        people.leave()


if __name__ == "__main__":
    main()
