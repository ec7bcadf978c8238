"""The outgoing policy by host name and IP address. Pure functions, since validating the environment also uses
them.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANY_PUBLIC = "*"
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_COMPATIBLE = ipaddress.IPv6Network("::/96")

# From IANA's special-purpose address registries: networks that Python releases classify differently or not at
# all, and anycast networks, which are global but answered by the nearest machine.
_SPECIAL: tuple[Network, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",  # IETF protocol assignments, with the anycast of PCP and TURN
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "192.175.48.0/24",  # AS112
        "100::/64",  # discard-only
        "100:0:0:1::/64",  # dummy prefix
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, AS112, ORCHID, DRIP
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, withdrawn (RFC 7526); Python itself calls it public before 3.13
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
)


@dataclass(frozen=True)
class OutgoingPolicy:
    """Allowed targets: ``hosts`` at their public addresses, all public addresses (``any_public``), and
    ``networks``, which may be private.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    any_public: bool = False

    @property
    def is_closed(self) -> bool:
        return not (self.hosts or self.networks or self.any_public)

    def opens_host(self, host: str) -> bool:
        """Whether this host is allowed at public addresses; ``*.example.org`` allows its subdomains."""
        if self.any_public or host in self.hosts:
            return True
        parents = host.split(".")
        return any(f"*.{'.'.join(parents[n:])}" in self.hosts for n in range(1, len(parents)))

    def refusal_of(self, host: str, address: Address) -> str:
        """Why a connection to ``host`` at ``address`` is not allowed, or "" if it is."""
        judged = [address] if isinstance(address, ipaddress.IPv4Address) else _whole_and_parts(address)
        if all(any(part in network for network in self.networks) for part in judged):
            return ""
        if bad := next((part for part in judged if not _is_public(part)), None):
            return f"{host} is {_told(address, bad)}, which is not public"
        return "" if self.opens_host(host) else f"{host} is not an allowed host"


def policy_of(words: Sequence[str], *, any_public: bool = False) -> OutgoingPolicy:
    """Parse a policy from host names, ``*.names``, networks, and ``*`` for all public addresses.

    Raises ValueError for any other word, and for a network too wide to be intended.
    """
    hosts, networks = set(), []
    for word in words:
        if word == ANY_PUBLIC:
            any_public = True
        elif network := _network(word):
            networks.append(network)
        else:
            hosts.add(_checked_pattern(word))
    return OutgoingPolicy(frozenset(hosts), tuple(networks), any_public)


def _network(word: str) -> Network | None:
    try:
        network = ipaddress.ip_network(word.strip("[]"))
    except ValueError:
        if "/" in word:
            raise ValueError(
                f"{word!r} is no network: write its first address, for instance 10.2.0.0/16"
            ) from None
        return None
    if network.prefixlen < (8 if network.version == 4 else 16):
        raise ValueError(f"{word!r} is too wide; list smaller networks, or * for public addresses")
    return network


def _checked_pattern(word: str) -> str:
    name = word.lower().rstrip(".")
    bare = name.removeprefix("*.")
    if not bare or not all(_is_label(label) for label in bare.split(".")):
        raise ValueError(
            f"{word!r} is neither a host name nor a network; write hooks.example.org or 10.2.0.0/16"
        )
    return name


def _is_label(label: str) -> bool:
    return 0 < len(label) < 64 and label.isascii() and label.replace("-", "").replace("_", "").isalnum()


def _whole_and_parts(address: ipaddress.IPv6Address) -> list[Address]:
    """The address and every IPv4 address embedded in it, since a gateway would route packets there."""
    carried = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped is not None or address in _NAT64:
        return [carried]
    parts: list[Address] = [ipaddress.IPv6Address(int(address))]
    if address.sixtofour is not None:
        parts.append(address.sixtofour)
    if address.teredo is not None:
        parts.extend(address.teredo)
    if address in _NAT64_LOCAL or address in _COMPATIBLE:
        parts.append(carried)
    return parts


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
    )


def _told(address: Address, bad: Address) -> str:
    return str(address) if address == bad else f"{address} (which leads to {bad})"
