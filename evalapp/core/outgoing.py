"""Outgoing requests: every request to a URL from a user goes through this guard.

Nothing is allowed unless the operator opened it (EVALAPP_OUTGOING_ALLOWED). The name is resolved once, all
its addresses are checked, and the connection goes to a checked address, so that a later change of the name
has no effect. Host header, SNI and certificate check still use the name.
"""

import contextlib
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import requests
import urllib3
from django.conf import settings
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError

from evalapp.core.errors import InvalidError
from run_directory.outgoing_policy import OutgoingPolicy, policy_of

LONGEST_URL = 2000
_CHUNK = 16_384


class OutgoingRefusedError(InvalidError):
    """Requests to the URL are not allowed (400)."""

    code = "url_refused"


class OutgoingFailedError(Exception):
    """The other side did not answer properly; the text says how."""


def policy() -> OutgoingPolicy:
    """The operator's policy."""
    return policy_of(settings.OUTGOING_ALLOWED)


def checked_url(text: str, *, allowed: OutgoingPolicy | None = None, field: str = "url") -> str:
    """The URL without surrounding spaces, if its host is allowed.

    Does not resolve the name, so its addresses are checked only when a request is sent. Raises
    OutgoingRefusedError for ``field``.
    """
    allowed = policy() if allowed is None else allowed
    text = text.strip()
    try:
        _require_allowed(_split_url(text).hostname or "", allowed)
    except OutgoingFailedError as problem:
        raise OutgoingRefusedError(f"{problem}.", field=field) from None
    return text


def origin_of(url: str) -> str:
    """Scheme, host and port, which may be shown and logged; paths and queries may contain secrets."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _split_url(text: str) -> SplitResult:
    if len(text) > LONGEST_URL:
        raise OutgoingFailedError(f"The URL is longer than {LONGEST_URL:,} characters")
    if not text.isascii() or any(character.isspace() or not character.isprintable() for character in text):
        raise OutgoingFailedError(
            "Write the URL in ASCII without spaces; other letters in their xn-- or % form"
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise OutgoingFailedError(
            "This is not a URL such as https://host.example.org:8443/path (the port is at most 65535)"
        ) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OutgoingFailedError("Write a URL that begins with https:// or http:// and names a host")
    if "@" in parts.netloc or "\\" in text:
        raise OutgoingFailedError("Leave names, passwords and \\ out of the URL")
    if port == 0:
        raise OutgoingFailedError("Port 0 does not exist")
    return parts


def _require_allowed(host: str, allowed: OutgoingPolicy) -> None:
    """Raise OutgoingFailedError for hosts that are refused whatever they resolve to."""
    if allowed.is_closed:
        raise OutgoingFailedError(
            "This installation sends nothing to other machines. Ask the operator to name the host in "
            "EVALAPP_OUTGOING_ALLOWED and to start again"
        )
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # The name's addresses are checked when it is used; an allowed network may contain them.
        if not (allowed.opens_host(host.lower().rstrip(".")) or allowed.networks):
            raise OutgoingFailedError(
                f"{host} is not an allowed host. Ask the operator to name it in EVALAPP_OUTGOING_ALLOWED"
            ) from None
        return
    if refusal := allowed.refusal_of(host, address):
        raise OutgoingFailedError(f"{refusal}. Ask the operator to allow it in EVALAPP_OUTGOING_ALLOWED")


class _Call:
    """The policy and sockets of one call; the sockets are shut down when its time is over."""

    def __init__(self, allowed: OutgoingPolicy, seconds: float) -> None:
        self.allowed = allowed
        self.ends = time.monotonic() + seconds
        self.is_over = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True
        self._timer.start()

    def watch(self, connected: socket.socket) -> None:
        # A duplicate, because TLS takes over the original. Shutting down either ends the connection.
        self._sockets.append(connected.dup())
        if self.is_over:
            self._shut_down()

    def _shut_down(self) -> None:
        self.is_over = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()
        for each in self._sockets:
            each.close()


_call: ContextVar[_Call | None] = ContextVar("outgoing_call", default=None)


@contextlib.contextmanager
def _limited_call(allowed: OutgoingPolicy, seconds: float) -> Iterator[_Call]:
    call = _Call(allowed, seconds)
    token = _call.set(call)
    try:
        yield call
    finally:
        _call.reset(token)
        call.close()


def _connect(connection: Any) -> socket.socket:
    """A socket connected to a checked address of the connection's host."""
    call = _call.get()
    if call is None:
        raise OutgoingRefusedError("A request to the outside was made without its guard.")
    host = str(connection._dns_host)
    try:
        found = socket.getaddrinfo(host, connection.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameResolutionError(host, connection, socket.gaierror(str(error))) from error
    for *_, place in found:
        address = ipaddress.ip_address(str(place[0]))
        # Every address is checked: a name with public and private addresses is refused.
        if refusal := call.allowed.refusal_of(host.lower().rstrip("."), address):
            raise OutgoingRefusedError(f"{refusal}.")
    problem: OSError | None = None
    for family, kind, protocol, _, place in found:
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(max(0.01, min(connection.timeout or 5.0, call.ends - time.monotonic())))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.connect(place)
        except OSError as error:
            problem = error
            opened.close()
            continue
        call.watch(opened)
        return opened
    if isinstance(problem, TimeoutError):
        raise ConnectTimeoutError(connection, f"{host} does not answer") from problem
    raise NewConnectionError(
        connection, f"no connection: {getattr(problem, 'strerror', None) or problem}"
    ) from problem


class _GuardedConnection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _GuardedSecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)


class _GuardedPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _GuardedConnection


class _GuardedSecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _GuardedSecureConnection


def _guarded_manager(**options: Any) -> urllib3.PoolManager:
    manager = urllib3.PoolManager(**{"ssl_context": ssl.create_default_context(), **options})
    manager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedSecurePool}
    return manager


class Answer(NamedTuple):
    """``text``: the beginning of the body, as far as it was read."""

    status: int
    text: str
    location: str = ""
    retry_after: str = ""
    """The Retry-After header as sent."""
    broke_off: str = ""
    """How the body broke off, in words, if it did; the received part is ``text``."""


def send(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float = 10.0,
    most_bytes: int = 4096,
    allowed: OutgoingPolicy | None = None,
) -> Answer:
    """POST ``body`` and read the beginning of the response; redirects are not followed.

    Raises OutgoingRefusedError if the URL is not allowed, OutgoingFailedError without a complete response in
    ``seconds``, which limit the whole call, however slowly bytes arrive.
    """
    checked_url(url, allowed=allowed)
    timeout = urllib3.Timeout(connect=min(5.0, seconds), read=seconds)
    with _limited_call(policy() if allowed is None else allowed, seconds) as call:
        try:
            with _guarded_manager(retries=False) as manager:
                response = manager.request(
                    "POST",
                    url,
                    body=body,
                    headers=dict(headers),
                    redirect=False,
                    timeout=timeout,
                    preload_content=False,
                )
                # A body that breaks off still counts as a response, because its status has arrived.
                text, broke_off = _read_beginning(response, most_bytes)
                location = response.headers.get("Location", "") if 300 <= response.status < 400 else ""
                retry_after = response.headers.get("Retry-After", "")
                response.close()
        except (HTTPError, OSError, ValueError) as error:
            if not call.is_over:
                raise OutgoingFailedError(_error_in_words(error)) from error
        if call.is_over:
            # Also if the library took the shutdown for the end of the response.
            raise OutgoingFailedError(f"No whole answer within {seconds:g} seconds")
    return Answer(response.status, text, location, retry_after, broke_off)


def _read_beginning(response: urllib3.BaseHTTPResponse, most_bytes: int) -> tuple[str, str]:
    """The received part of the body, up to the limit, and how it broke off, or ""."""
    read, broke_off = b"", ""
    try:
        # Not decoded, because a small compressed body may expand to a very large one.
        for chunk in response.stream(_CHUNK, decode_content=False):
            read += chunk
            if len(read) >= most_bytes:
                break
    except (HTTPError, OSError) as error:
        broke_off = _error_in_words(error)
    return read[:most_bytes].decode("utf-8", "replace").replace("\x00", "\ufffd"), broke_off


def _error_in_words(error: Exception) -> str:
    if isinstance(error, NameResolutionError):
        return "The host name is not known"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return "No answer within the time allowed"
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"TLS failed: {error}"[:300]
    if isinstance(error, NewConnectionError):
        return "No server listens there: " + str(error).rpartition(": ")[2]
    if isinstance(error, ConnectTimeoutError):
        return "No connection within the time allowed"
    return f"The connection broke: {error}"[:300]


class GuardedSession(requests.Session):
    """A `requests` session behind the same guard, for libraries that need one.

    Every redirect is checked again; proxies and passwords from the environment are not used. ``seconds``
    limit a whole request, ``most_bytes`` its response.
    """

    def __init__(self, allowed: OutgoingPolicy, *, seconds: float = 5.0, most_bytes: int = 2**20) -> None:
        super().__init__()
        self.trust_env = False
        self.max_redirects = 3
        self._allowed, self._seconds, self._most_bytes = allowed, seconds, most_bytes
        self.mount("https://", _GuardedAdapter())
        self.mount("http://", _GuardedAdapter())

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        options["timeout"] = self._seconds
        options["stream"] = True
        try:
            checked_url(str(url), allowed=self._allowed)
            with _limited_call(self._allowed, self._seconds) as call:
                response = super().request(method, url, *args, **options)
                response._content = self._read(response)
                response._content_consumed = True
                if call.is_over:
                    raise requests.Timeout(f"No whole answer within {self._seconds:g} seconds.")
        except OutgoingRefusedError as error:
            raise requests.ConnectionError(error.message) from error
        return response

    def _read(self, response: requests.Response) -> bytes:
        read = b""
        for chunk in response.iter_content(_CHUNK):
            read += chunk
            if len(read) > self._most_bytes:
                response.close()
                raise requests.ConnectionError(f"The answer is larger than {self._most_bytes:,} bytes.")
        return read


class _GuardedAdapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedSecurePool}

    def proxy_manager_for(self, proxy: Any, **options: Any) -> Any:
        raise requests.exceptions.ProxyError("Requests to the outside go through no proxy.")
