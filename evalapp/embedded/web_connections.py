"""Connections of clients: buffers of requests and answers, outside the request threads."""

import os
import socket
import tempfile
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum, auto
from threading import Condition
from typing import IO, Any

from evalapp.env import environment

_MEMORY_BYTES = 2**20  # of a body; what comes after goes to a file
_PENDING_BYTES = 2**20  # of an answer; whoever writes more waits for the client
_WHOLE_BYTES = 64 * 2**10  # up to which the parts of an answer leave together
_SENDFILE_BYTES = 2**20
_END_OF_HEAD = b"\r\n\r\n"


class Incoming:
    """Bytes that have come, first in, first out. Gunicorn's parser reads them as if it were a socket."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._searched = 0
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        self._file_read = 0

    def __len__(self) -> int:
        return len(self._memory) + self._file_bytes - self._file_read

    def append(self, data: bytes) -> None:
        """Raises OSError where a body is too long for the memory, and the disk has no room."""
        if self._file is None and len(self._memory) + len(data) <= _MEMORY_BYTES:
            self._memory += data
            return
        if self._file is None:
            folder = environment().upload_folder()
            self._file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115 - `forget` closes it
        written = memoryview(data)
        while written:
            count = os.pwrite(self._file.fileno(), written, self._file_bytes)
            self._file_bytes += count
            written = written[count:]

    def put_back(self, data: bytes) -> None:
        """What was taken too much comes first again."""
        self._memory[:0] = data
        self._searched = 0

    def has_head(self) -> bool:
        """Whether the headers of a request are complete."""
        found = self._memory.find(_END_OF_HEAD, self._searched) >= 0
        self._searched = 0 if found else max(0, len(self._memory) - len(_END_OF_HEAD) + 1)
        return found

    def recv(self, size: int) -> bytes:
        """The next bytes; none at the end of what has come."""
        if self._memory:
            data = bytes(self._memory[:size])
            del self._memory[:size]
            return data
        if self._file is None:
            return b""
        data = os.pread(self._file.fileno(), size, self._file_read)
        self._file_read += len(data)
        if self._file_read >= self._file_bytes:
            self.forget()
        return data

    def forget(self) -> None:
        """Give back what a body held on the disk, and drop what is left of it."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()
        self._file = None
        self._file_bytes = self._file_read = self._searched = 0


class _FilePart:
    """A part of a file that is still to be sent; it outlives the file object that it was opened as."""

    def __init__(self, descriptor: int, offset: int, count: int) -> None:
        self.descriptor = os.dup(descriptor)
        self.offset = offset
        self.left = count

    def send(self, client: socket.socket) -> bool:
        count = os.sendfile(client.fileno(), self.descriptor, self.offset, min(self.left, _SENDFILE_BYTES))
        self.offset += count
        self.left -= count
        if not count:
            # It became shorter than it was announced: only the end of the connection tells the client.
            raise BrokenPipeError
        return not self.left

    def close(self) -> None:
        os.close(self.descriptor)


class Outgoing:
    """An answer on its way, with those methods of a socket that Gunicorn's `Response` uses.

    A thread leaves its answer here and is free again. What the client does not take at once waits in
    memory, or in the file that it comes from, and leaves from the event loop (`push`). Only who streams
    more than _PENDING_BYTES ahead of the client waits, within ``resting``. ``wake`` asks the loop to push.
    """

    def __init__(
        self,
        client: socket.socket,
        wake: Callable[[], None],
        resting: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.sent = 0
        self.is_cut_off = False
        self._client = client
        self._wake = wake
        self._resting = resting
        self._parts: deque[memoryview | _FilePart] = deque()
        self._pending = 0
        self._changed = Condition()

    def sendall(self, data: bytes) -> None:
        """Raises BrokenPipeError where the connection was cut off meanwhile."""
        self._wait_for_room()
        with self._changed:
            self._raise_if_cut_off()
            self._parts.append(memoryview(data))
            self._pending += len(data)
            is_due = self._pending > _WHOLE_BYTES
        if is_due:
            self.leave()

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> None:
        length = os.fstat(file.fileno()).st_size - offset if count is None else count
        with self._changed:
            self._raise_if_cut_off()
            self._parts.append(_FilePart(file.fileno(), offset, length))

    send = sendall

    def leave(self) -> None:
        """Send what the client takes now, and have the loop send the rest."""
        with self._changed:
            left = not self._send()
        if left:
            self._wake()

    def push(self) -> bool:
        """Send what the client takes now; whether all of it has left. Raises OSError where the client is
        gone.
        """
        with self._changed:
            done = self._send()
            self._changed.notify_all()
        return done

    def cut_off(self) -> None:
        """Nothing more is sent, and whoever waits is told."""
        with self._changed:
            self.is_cut_off = True
            for part in self._parts:
                if isinstance(part, _FilePart):
                    part.close()
            self._parts.clear()
            self._pending = 0
            self._changed.notify_all()

    def _send(self) -> bool:
        while self._parts:
            part = self._parts[0]
            try:
                if isinstance(part, _FilePart):
                    before, done = part.left, part.send(self._client)
                    self.sent += before - part.left
                else:
                    count = self._client.send(part)
                    self.sent += count
                    self._pending -= count
                    done = count == len(part)
                    self._parts[0] = part[count:]
            except BlockingIOError:
                return False
            if done:
                if isinstance(part, _FilePart):
                    part.close()
                self._parts.popleft()
        return True

    def _wait_for_room(self) -> None:
        if self._pending <= _PENDING_BYTES:
            return
        with self._resting(), self._changed:
            self._changed.wait_for(lambda: self._pending <= _PENDING_BYTES // 2 or self.is_cut_off)

    def _raise_if_cut_off(self) -> None:
        if self.is_cut_off:
            raise BrokenPipeError

    # What else Gunicorn asks of a socket.

    def gettimeout(self) -> float:
        return 0.0

    def settimeout(self, seconds: float | None) -> None:
        pass

    def shutdown(self, how: int) -> None:
        self.leave()

    def recv(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


class Phase(Enum):
    """What a connection waits for."""

    IDLE = auto()  # a further request
    HEAD = auto()  # the rest of its line and headers
    BODY = auto()
    AT_WORK = auto()  # the application
    SENDING = auto()  # the client, to take the rest of the answer
    LEAVING = auto()  # the client, to close
    GONE = auto()


class Connection:
    """One client. The event loop owns it; while it is AT_WORK, ``incoming`` and the parser belong to a
    thread.

    ``client``, ``server`` and ``sock`` are what Gunicorn calls the addresses of both sides and the place
    where an answer is written.
    """

    def __init__(self, stream: socket.socket, client: Any, server: Any) -> None:
        stream.setblocking(False)
        self.stream = stream
        self.client = client
        self.server = server
        self.incoming = Incoming()
        self.parser: Any = None
        self.request: Any = None
        self.phase = Phase.HEAD
        self.since = 0.0
        self.deadline = 0.0
        self.received = 0  # bytes since the phase began
        self.missing = 0  # bytes of the body that have not come
        self.keeps = False  # whether a further request may follow
        self.watched = 0  # the events that the poller looks for
        self.sock: Any  # an Outgoing, for which Gunicorn's types would have a socket
