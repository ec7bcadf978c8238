"""Applies the outgoing policy to every connection of the hub library."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2
from huggingface_hub import set_client_factory

from run_directory.outgoing_policy import OutgoingPolicy
from run_directory.program import Refusal

_SECONDS = 30.0


class _JudgedBackend(httpcore2.NetworkBackend):
    """Resolves a name once and connects to an address that was checked, so a later change of the name has no
    effect.
    """

    def __init__(self, allowed: OutgoingPolicy) -> None:
        self._allowed = allowed
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        name = host.lower().rstrip(".")
        try:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the host name {name} is not known") from error
        places = [str(place[4][0]) for place in found]
        for place in places:
            # All addresses are checked: a name with both public and private ones is not trusted.
            if refusal := self._allowed.refusal_of(name, ipaddress.ip_address(place)):
                raise Refusal(
                    f"{refusal}, so no request was sent; the operator lists the allowed hosts in"
                    " EVALAPP_OUTGOING_ALLOWED (a hub serves files from other hosts: huggingface.co,"
                    " *.huggingface.co and *.hf.co)"
                )
        problem: Exception = httpcore2.ConnectError(f"{name} has no address")
        for place in dict.fromkeys(places):
            try:
                return self._plain.connect_tcp(place, port, timeout, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        raise problem

    def connect_unix_socket(self, path: str, *_: Any, **__: Any) -> Any:
        raise Refusal(f"a hub is reached over the network, not by {path}")


class _JudgedTransport(httpx2.HTTPTransport):
    def __init__(self, allowed: OutgoingPolicy) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.ConnectionPool(
            ssl_context=httpx2.create_ssl_context(trust_env=False), network_backend=_JudgedBackend(allowed)
        )


def guard(allowed: OutgoingPolicy) -> None:
    """Restrict the hub library to allowed hosts; proxies of the environment are not used."""
    set_client_factory(
        lambda: httpx2.Client(
            transport=_JudgedTransport(allowed), follow_redirects=True, timeout=_SECONDS, trust_env=False
        )
    )
