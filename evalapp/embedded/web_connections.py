"""Client connections: buffers for requests and responses, outside the request threads."""

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

_MEMORY_BYTES = 2**20  # of a body; the rest goes to a file
_PENDING_BYTES = 2**20  # of a response; a thread that writes more waits for the client
_WHOLE_BYTES = 64 * 2**10  # up to this size, parts of a response are sent together
_SENDFILE_BYTES = 2**20
_END_OF_HEAD = b"\r\n\r\n"


class Incoming:
    """A queue of received bytes, which Gunicorn's parser reads like a socket."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._searched = 0
        self._file: IO[bytes] | None = None
        self._file_bytes = 0
        self._file_read = 0

    def __len__(self) -> int:
        return len(self._memory) + self._file_bytes - self._file_read

    def append(self, data: bytes) -> None:
        """Add received bytes. Raises OSError if a body exceeds the memory limit and the disk is full."""
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
        """Put bytes that were read too far back at the front."""
        self._memory[:0] = data
        self._searched = 0

    def has_head(self) -> bool:
        """Whether the headers of a request are complete."""
        found = self._memory.find(_END_OF_HEAD, self._searched) >= 0
        self._searched = 0 if found else max(0, len(self._memory) - len(_END_OF_HEAD) + 1)
        return found

    def recv(self, size: int) -> bytes:
        """The next bytes; empty if all received bytes were read."""
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
        """Discard all bytes and close the body's file."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()
        self._file = None
        self._file_bytes = self._file_read = self._searched = 0


class _FilePart:
    """A part of a file that is still to be sent; stays usable after the file object is closed."""

    def __init__(self, descriptor: int, offset: int, count: int) -> None:
        self.descriptor = os.dup(descriptor)
        self.offset = offset
        self.left = count

    def send(self, client: socket.socket) -> bool:
        count = os.sendfile(client.fileno(), self.descriptor, self.offset, min(self.left, _SENDFILE_BYTES))
        self.offset += count
        self.left -= count
        if not count:
            # The file became shorter than announced; only closing the connection tells the client.
            raise BrokenPipeError
        return not self.left

    def close(self) -> None:
        os.close(self.descriptor)


class Outgoing:
    """A response being sent, with the socket methods that Gunicorn's `Response` uses.

    A thread writes its response here and is free again. Bytes that the client does not take at once wait in
    memory, or in their file, and the event loop sends them (`push`). Only a thread that streams more than
    _PENDING_BYTES ahead of the client waits, within ``resting``. ``wake`` asks the loop to push.
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
        """Send or buffer bytes. Raises BrokenPipeError if the connection was cut off."""
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
        """Send what the client takes now, and let the event loop send the rest."""
        with self._changed:
            left = not self._send()
        if left:
            self._wake()

    def push(self) -> bool:
        """Send what the client takes now; returns whether everything is sent. Raises OSError if the client
        has gone.
        """
        with self._changed:
            done = self._send()
            self._changed.notify_all()
        return done

    def cut_off(self) -> None:
        """Discard the rest and wake waiting threads."""
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

    # Further socket methods that Gunicorn calls.

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
    """What a connection is waiting for."""

    IDLE = auto()  # the next request
    HEAD = auto()  # the rest of the request line and headers
    BODY = auto()
    AT_WORK = auto()  # the application's response
    SENDING = auto()  # the client to take the rest of the response
    LEAVING = auto()  # the client to close
    GONE = auto()


class Connection:
    """One client connection. The event loop owns it; while it is AT_WORK, ``incoming`` and the parser belong
    to a thread.

    ``client``, ``server`` and ``sock`` are Gunicorn's names for the addresses of both sides and for the
    object that a response is written to.
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
        self.missing = 0  # bytes of the body not yet received
        self.keeps = False  # whether a further request may follow
        self.watched = 0  # the events registered with the poller
        self.sock: Any  # an Outgoing; Gunicorn's types expect a socket
