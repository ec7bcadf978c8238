"""The client's IP address and user agent, as the trusted proxy reports them."""

from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol

from django.conf import settings

_LONGEST_AGENT = 200


class ClientRequest(Protocol):
    """A request of Django or of the API."""

    META: dict[str, Any]


def client_details(request: ClientRequest) -> dict[str, str]:
    """The client's address and user agent for the audit log; empty without a client address."""
    address = client_address(request)
    agent = request.META.get("HTTP_USER_AGENT", "")[:_LONGEST_AGENT]
    shown = "".join(each if each.isprintable() else " " for each in agent)
    return {"address": address, "agent": shown} if address else {}


def client_address(request: ClientRequest) -> str:
    """The client's IP address; "" without one, as for a session that a program opens.

    ``X-Forwarded-For`` counts only if the connection itself comes from EVALAPP_TRUSTED_PROXY. It is read from
    its end up to the first address that is not a trusted proxy's: the client can forge everything before
    that.
    """
    peer = _address_in(request.META.get("REMOTE_ADDR", ""))
    if peer is None:
        return ""
    client = peer
    for word in reversed(request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        named = _address_in(word) if _is_trusted(client) else None
        if named is None:
            break
        client = named
    return str(client)


def is_from_trusted_proxy(request: ClientRequest) -> bool:
    """Whether the connection itself comes from EVALAPP_TRUSTED_PROXY."""
    peer = _address_in(request.META.get("REMOTE_ADDR", ""))
    return peer is not None and _is_trusted(peer)


def _is_trusted(address: IPv4Address | IPv6Address) -> bool:
    return any(address in _network(each) for each in settings.TRUSTED_PROXY)


_network = cache(ip_network)


def _address_in(text: str) -> IPv4Address | IPv6Address | None:
    """The address of “192.0.2.1”, “192.0.2.1:4711”, “2001:db8::1” or “[2001:db8::1]:4711”."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
