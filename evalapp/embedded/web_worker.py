"""Gunicorn's threaded worker, with threads protected from slow clients.

An event loop receives each request completely and sends what a client does not take at once, so threads only
handle complete requests. Clients far slower than a browser are cut off; above the maximum number of
connections, the one that has waited longest is dropped. Reasons: docs/adr/0019.
"""

import contextlib
import errno
import math
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any, cast

from gunicorn import util
from gunicorn.http import RequestParser, wsgi
from gunicorn.http.body import Body, ChunkedReader, LengthReader
from gunicorn.http.errors import LimitRequestHeaders, NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from evalapp.embedded.web_connections import Connection, Outgoing, Phase
from evalapp.web_protocol import BODY_ANNOUNCED, BODY_WANTED, HEALTH_PATH, REQUESTS, UNASKED_BODY_BYTES

HEAD_BYTES = 64 * 2**10
"""Maximum size of request line and headers together; HEAD_SECONDS is their time limit."""
HEAD_SECONDS = 10.0
PACE_SECONDS = 20.0
"""In each period of this length a client must send BODY_PACE or take ANSWER_PACE bytes."""
BODY_PACE = 320 * 2**10
ANSWER_PACE = 80 * 2**10
PASSED_OVER_BYTES = 4 * 2**20
"""An unread body up to this size is skipped, and the connection stays open."""
LEAVE_SECONDS = 3.0
PATIENT_SECONDS = 1.0
"""A request that waited this long for a thread is not started if its client has gone."""
LEAVE_BYTES = 16 * 2**20
STOP_SECONDS = 2.0
DOWNLOADS = 8
"""Threads that may wait for slow clients besides the working ones."""

_HEALTH_THREADS = 2
_OTHER_FILES = 200  # open files of a process that are not connections
_RECEIVE_BYTES = 64 * 2**10
_RECEIVE_BODY_BYTES = 256 * 2**10
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class WebWorker(ThreadWorker):
    """See the module. Gunicorn's `worker_connections` is the maximum number of open connections."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._permits = threading.Semaphore(self.cfg.threads)
        self._at_work = 0
        # Connections waiting for their client, longest first; above the maximum, unserved ones go first.
        self._unserved: dict[Connection, None] = {}
        self._served: dict[Connection, None] = {}
        self._resting: dict[Connection, None] = {}
        self._resting_lock = threading.Lock()
        self._look_again = 0.0

    def init_process(self) -> None:
        self._health_pool = ThreadPoolExecutor(_HEALTH_THREADS, "health")
        self.worker_connections = min(self.worker_connections, _most_connections())
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.cfg.threads + DOWNLOADS, "request")

    def load_wsgi(self) -> None:
        super().load_wsgi()
        application = self.wsgi

        def with_sizes(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
            if environ["PATH_INFO"] == HEALTH_PATH:
                at_work = min(self._at_work, self.cfg.threads)
                environ[REQUESTS] = {"at_work": at_work, "waiting": self._at_work - at_work}
            return application(environ, start_response)

        self.wsgi = cast(Any, with_sizes)

    def run(self) -> None:
        self.poller.register(cast(int, self.method_queue.fileno()), _READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive and self.is_parent_alive():
            self._turn(1.0)
        self.set_accept_enabled(False)
        self._stop(time.monotonic() + self.cfg.graceful_timeout)
        self.tpool.shutdown(wait=False)
        self._health_pool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()

    def _turn(self, seconds: float) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(seconds)
        now = time.monotonic()
        if now >= self._look_again:
            self._look_again = now + 1.0
            for connection in [*self._unserved, *self._served]:
                if _is_late(connection, now):
                    self._give_up(connection)

    def _stop(self, until: float) -> None:
        """Answer the received requests; kept connections may send another for STOP_SECONDS."""
        soon = time.monotonic() + STOP_SECONDS
        for connection in self._unserved:
            connection.deadline = min(connection.deadline, soon)
        while self.nr_conns > 0 and time.monotonic() < until:
            self._turn(0.2)
        for connection in [*self._unserved, *self._served, *self._resting]:
            self._drop(connection)

    # Opening and closing

    def accept(self, listener: Any) -> None:
        try:
            stream, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                self._make_room()
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                raise
            return
        if self.nr_conns >= self.worker_connections and not self._make_room():
            stream.close()
            return
        self.nr_conns += 1
        connection = Connection(stream, client, listener.getsockname())
        connection.parser = RequestParser(self.cfg, cast(Any, connection.incoming), client)
        connection.sock = Outgoing(
            stream,
            wake=lambda: self.method_queue.defer(self._send_from_here, connection),
            resting=lambda: self._without_permit(connection),
        )
        self._wait(connection, Phase.HEAD, HEAD_SECONDS)

    def _make_room(self) -> bool:
        """Drop the connection that has waited longest; False if all are at work."""
        for waiting in (self._unserved, self._served):
            if waiting:
                self._drop(next(iter(waiting)))
                return True
        return False

    def _wait(self, connection: Connection, phase: Phase, seconds: float = math.inf) -> None:
        """Wait for the client as the phase says: for ``seconds``, or without them at the minimum pace."""
        self._no_longer_waits(connection)
        connection.phase = phase
        connection.received = connection.sock.sent = 0
        connection.since = time.monotonic()
        connection.deadline = connection.since + seconds
        is_served = phase is Phase.SENDING or (
            phase is Phase.BODY and connection.missing > UNASKED_BODY_BYTES
        )
        (self._served if is_served else self._unserved)[connection] = None
        self._watch(connection, _WRITE if phase is Phase.SENDING else _READ)

    def _no_longer_waits(self, connection: Connection) -> None:
        self._unserved.pop(connection, None)
        self._served.pop(connection, None)

    def _watch(self, connection: Connection, events: int) -> None:
        if connection.watched == events:
            return
        if not events:
            self.poller.unregister(connection.stream)
        elif connection.watched:
            self.poller.modify(connection.stream, events, partial(self._on_event, connection))
        else:
            self.poller.register(connection.stream, events, partial(self._on_event, connection))
        connection.watched = events

    def _on_event(self, connection: Connection, _stream: Any) -> None:
        if not connection.watched:  # another connection's event has ended this one
            return
        try:
            if connection.watched == _WRITE:
                self._push(connection)
            else:
                self._receive(connection)
        except BlockingIOError:
            pass
        except OSError:
            self._drop(connection)
        except Exception:
            # An error with one connection must not end the loop that serves all.
            self.log.exception("A connection broke.")
            self._drop(connection)

    def _give_up(self, connection: Connection) -> None:
        """Close a late connection; a request that was begun gets a 408 response."""
        has_begun = connection.phase is Phase.BODY or (
            connection.phase is Phase.HEAD and len(connection.incoming)
        )
        if not has_begun:
            self._drop(connection)
            return
        message = "The request did not arrive in time. Send it again over a faster connection."
        util.write_error(connection.sock, 408, "Request Timeout", message)
        self._end(connection)

    def _end(self, connection: Connection) -> None:
        """Send what was written, then close."""
        connection.keeps = False
        self._no_longer_waits(connection)
        connection.phase = Phase.SENDING
        try:
            self._push(connection)
        except OSError:
            self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        if connection.phase is Phase.GONE:
            return
        self._no_longer_waits(connection)
        self._watch(connection, 0)
        connection.sock.cut_off()
        if connection.phase is Phase.AT_WORK:
            # Its thread uses the socket, which is closed once the thread has returned.
            return
        connection.phase = Phase.GONE
        connection.incoming.forget()
        connection.stream.close()
        self.nr_conns -= 1

    # Receiving

    def _receive(self, connection: Connection) -> None:
        is_body = connection.phase is Phase.BODY
        size = min(connection.missing, _RECEIVE_BODY_BYTES) if is_body else _RECEIVE_BYTES
        data = connection.stream.recv(size)
        connection.received += len(data)
        if not data:
            self._drop(connection)
        elif connection.phase is Phase.LEAVING:
            if connection.received > LEAVE_BYTES:
                self._drop(connection)
        elif is_body:
            self._receive_body(connection, data)
        else:
            connection.incoming.append(data)
            if connection.phase is Phase.IDLE:
                self._wait(connection, Phase.HEAD, HEAD_SECONDS)
            self._read_head(connection)

    def _receive_body(self, connection: Connection, data: bytes) -> None:
        connection.missing -= len(data)
        try:
            connection.incoming.append(data)
        except OSError as error:
            # On a full disk the application answers: it meets this error when it reads.
            connection.request.body = Body(cast(Any, _Broken(error)))
            connection.request.force_close()
            connection.missing = 0
        if not connection.missing:
            self._put_to_work(connection)

    def _read_head(self, connection: Connection) -> None:
        if not connection.incoming.has_head():
            if len(connection.incoming) > HEAD_BYTES:
                too_long = LimitRequestHeaders(f"over {HEAD_BYTES} bytes")
                self.handle_error(None, connection.sock, connection.client, too_long)
                self._end(connection)
            return
        try:
            connection.request = next(connection.parser)
        except (StopIteration, NoMoreData):
            self._drop(connection)
        except Exception as error:  # noqa: BLE001 - Gunicorn knows which are the client's
            self.handle_error(None, connection.sock, connection.client, error)
            self._end(connection)
        else:
            self._take_body(connection)

    def _take_body(self, connection: Connection) -> None:
        request = connection.request
        if isinstance(request.body.reader, ChunkedReader):
            # Of unknown length: the application refuses the request by its headers.
            request.body = Body(LengthReader(connection.parser.unreader, 0))
            request.force_close()
            self._put_to_work(connection)
            return
        length = request.body.reader.length
        come = len(connection.parser.unreader.buf.getvalue()) + len(connection.incoming)
        connection.missing = max(0, length - come)
        if not connection.missing:
            self._put_to_work(connection)
        elif length > UNASKED_BODY_BYTES:
            self._put_to_work(connection, self._asks_for_body, self._body_asked_for)
        else:
            self._await_body(connection)

    def _await_body(self, connection: Connection) -> None:
        if connection.request._expected_100_continue:
            connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sock.leave()
        self._wait(connection, Phase.BODY)

    # Answering

    def _put_to_work(
        self,
        connection: Connection,
        work: Callable[[Connection], bool] | None = None,
        then: Callable[[Connection, "Future[bool]"], None] | None = None,
    ) -> None:
        self._no_longer_waits(connection)
        self._watch(connection, 0)
        connection.phase = Phase.AT_WORK
        connection.since = time.monotonic()
        connection.sock.sent = 0
        is_health = connection.request.path == HEALTH_PATH and work is None
        done = then or self._finish
        if is_health:
            future = self._health_pool.submit(self._answer, connection)
        else:
            self._at_work += 1
            future = self.tpool.submit(self._with_permit, work or self._answer, connection)
        future.add_done_callback(
            lambda ended: self.method_queue.defer(self._come_back, connection, ended, done, is_health)
        )

    def _come_back(
        self, connection: Connection, future: "Future[bool]", done: Callable[..., None], is_health: bool
    ) -> None:
        if not is_health:
            self._at_work -= 1
        connection.phase = Phase.SENDING
        if connection.sock.is_cut_off:
            self._drop(connection)
            return
        try:
            done(connection, future)
        except OSError:
            self._drop(connection)
        except Exception:
            # As in `_on_event`.
            self.log.exception("A connection broke.")
            self._drop(connection)

    def _with_permit(self, work: Callable[[Connection], bool], connection: Connection) -> bool:
        with self._permits:
            if time.monotonic() > connection.since + PATIENT_SECONDS and _has_gone(connection.stream):
                raise ConnectionResetError
            return work(connection)

    @contextlib.contextmanager
    def _without_permit(self, connection: Connection) -> Iterator[None]:
        """Lets another thread work while this one waits for its client."""
        with self._resting_lock:
            if len(self._resting) >= DOWNLOADS:
                now = time.monotonic()
                slowest = min(self._resting, key=lambda each: each.sock.sent / (1 + now - each.since))
                self.log.info("Cut off the slowest of %s downloads, to %s.", DOWNLOADS, slowest.client)
                slowest.sock.cut_off()
                del self._resting[slowest]
            self._resting[connection] = None
        self._permits.release()
        try:
            yield
        finally:
            self._permits.acquire()
            with self._resting_lock:
                self._resting.pop(connection, None)

    def _asks_for_body(self, connection: Connection) -> bool:
        """Whether the application wants the body; otherwise its refusal has been written."""
        request = connection.request
        expects, request._expected_100_continue = request._expected_100_continue, False
        response, environ = wsgi.create(
            request, connection.sock, connection.client, connection.server, self.cfg
        )
        request._expected_100_continue = expects
        environ.update({"wsgi.input": BytesIO(), BODY_ANNOUNCED: True})
        response.force_close()
        parts: Any = self.wsgi(environ, cast(Any, response.start_response))
        try:
            if BODY_WANTED in environ:
                return True
            for part in parts:
                response.write(part)
            response.close()
        finally:
            parts.close()
        self.log.access(response, request, environ, _elapsed(connection))
        return False

    def _body_asked_for(self, connection: Connection, future: "Future[bool]") -> None:
        if future.result():
            self._await_body(connection)
        else:
            self._end(connection)

    def _answer(self, connection: Connection) -> bool:
        """Answer the request; returns whether the connection can be kept."""
        connection.request._expected_100_continue = False
        if getattr(connection.request.body.reader, "length", 0) > PASSED_OVER_BYTES:
            # The response's headers must say so before it is known how much of the body is read.
            connection.request.force_close()
        try:
            keeps = bool(self.handle_request(connection.request, cast(Any, connection)))
            connection.sock.leave()
        except (OSError, StopIteration):
            return False
        except Exception as error:  # noqa: BLE001 - Gunicorn answers 500 and logs it
            self.handle_error(connection.request, connection.sock, connection.client, error)
            return False
        return keeps

    def _finish(self, connection: Connection, future: "Future[bool]") -> None:
        # An unread rest of the body would be parsed as the next request.
        connection.keeps = future.result() and connection.parser.finish_body(max_bytes=PASSED_OVER_BYTES + 1)
        self._push(connection)

    def _send_from_here(self, connection: Connection) -> None:
        """Let the event loop send what a thread could not."""
        if (
            connection.phase is Phase.AT_WORK
            and not connection.sock.is_cut_off
            and connection not in self._served
        ):
            connection.since, connection.sock.sent = time.monotonic(), 0
            connection.deadline = math.inf
            self._served[connection] = None
            self._watch(connection, _WRITE)

    def _push(self, connection: Connection) -> None:
        if not connection.sock.push():
            if connection.phase is Phase.SENDING and connection not in self._served:
                self._wait(connection, Phase.SENDING)
        elif connection.phase is Phase.SENDING:
            self._after_answer(connection)
        else:
            self._no_longer_waits(connection)
            self._watch(connection, 0)

    def _after_answer(self, connection: Connection) -> None:
        if not connection.keeps:
            connection.stream.shutdown(socket.SHUT_WR)
            # Closing with unread bytes would reset the connection and lose the response.
            self._wait(connection, Phase.LEAVING, LEAVE_SECONDS)
            return
        connection.incoming.put_back(connection.parser.unreader.take_buffered())
        if len(connection.incoming):
            self._wait(connection, Phase.HEAD, HEAD_SECONDS)
            self._read_head(connection)
        else:
            self._wait(connection, Phase.IDLE, self.cfg.keepalive if self.alive else STOP_SECONDS)


class _Broken:
    """A body that could not be stored; reading it raises the error."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def read(self, size: int) -> bytes:
        raise self._error


def _has_gone(stream: socket.socket) -> bool:
    """Whether the client closed the connection, or it broke."""
    try:
        return not stream.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def _is_late(connection: Connection, now: float) -> bool:
    if now > connection.deadline:
        return True
    if math.isfinite(connection.deadline) or now < connection.since + PACE_SECONDS:
        return False
    is_body = connection.phase is Phase.BODY
    is_slow = connection.received < BODY_PACE if is_body else connection.sock.sent < ANSWER_PACE
    connection.since, connection.received, connection.sock.sent = now, 0, 0
    return is_slow


def _most_connections() -> int:
    """Raise the limit of open files as far as allowed; returns how many connections it permits."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return max(100, most - _OTHER_FILES)


def _elapsed(connection: Connection) -> timedelta:
    return timedelta(seconds=time.monotonic() - connection.since)
