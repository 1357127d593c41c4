"""Which addresses this server goes to on behalf of an upstream.

A page, a redirect or a name's address may lead anywhere, and this server may be able to reach what the one who wrote
it cannot. So all but public addresses are refused, at the moment of connecting, on the very address that is connected
to: what was looked up before could have changed. What the operator named is another matter (:class:`Doors`).
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network
from typing import TypeAlias

from pypicloud_lite.kernel.errors import UpstreamAddressRefused
from pypicloud_lite.kernel.names import shown
from pypicloud_lite.upstream.deadline import Deadline
from pypicloud_lite.upstream.targets import Target

Address: TypeAlias = IPv4Address | IPv6Address
Place: TypeAlias = tuple[str, int]
Resolver: TypeAlias = Callable[[str, int], Sequence[str]]
"""Host and port to addresses; OSError when there are none."""

# What older Pythons still count as global, or what leads into another network by way of a gateway.
_NEVER = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3"),
        *("64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2002::/16", "5f00::/16", "fec0::/10", "ff00::/8"),
    )
)
_INTERNAL_NAMES = (".localhost", ".local", ".internal", ".intranet", ".lan", ".home.arpa", ".corp", ".home")
_RESOLVING = threading.BoundedSemaphore(32)


@dataclass(frozen=True, slots=True)
class Doors:
    """The servers that an operator named: the upstream's own place, and others that it keeps files on.

    ``own`` is the upstream's own scheme, host and port; without ``trusts_own`` it was somebody else who named it.
    """

    own: Target
    others: frozenset[Place] = frozenset()
    trusts_own: bool = True

    def names(self, target: Target) -> bool:
        """Whether the operator named this place."""
        return (self.trusts_own and self._is_own(target)) or target.place in self.others

    def _is_own(self, target: Target) -> bool:
        return target.place == self.own.place

    def check(self, target: Target, before: Target | None) -> None:
        """Refuse a step to ``target``, whatever its address: from ``before``, or from the upstream itself."""
        came_safe = (before or self.own).scheme == "https"
        if target.scheme == "http" and came_safe:
            raise UpstreamAddressRefused(f"{self.own.server} leads from https to {target.server}: it is not followed")
        if self.names(target) or self._is_own(target):
            return
        if target.scheme != "https":
            raise UpstreamAddressRefused(
                f"{self.own.server} leads to {target.server}: another server is only asked by https, unless "
                "the operator names it"
            )

    def check_address(self, target: Target, address: Address) -> None:
        """Refuse to connect to ``address`` for ``target``."""
        if is_public(address):
            return
        if self.names(target) and (is_site(address) or literal(target.host) == address):
            return
        raise UpstreamAddressRefused(
            f"{self.own.server} leads to {target.server}, whose address {address} is not a public one: it is not "
            "followed"
        )

    def check_name(self, target: Target) -> None:
        """Refuse what only a proxy will resolve, as far as its name tells where it leads."""
        address = literal(target.host)
        if address is not None:
            self.check_address(target, address)
        elif not self.names(target) and _sounds_internal(target.host):
            raise UpstreamAddressRefused(f"{self.own.server} leads to {target.server}, an internal name")


def is_public(address: Address) -> bool:
    """Whether it belongs to the public internet, and so does the address that it may hold."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    return address.is_global and not address.is_multicast


def is_site(address: Address) -> bool:
    """Whether it is this machine or one of the organisation's own: never link-local, where clouds keep secrets.

    The networks for documentation and for benchmarks count too: some networks answer with them for names outside, and
    pass on what is sent there.
    """
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_site(address.ipv4_mapped)
        return address.is_loopback or (address in ip_network("fc00::/7") and address not in ip_network("fd00:ec2::/32"))
    return address.is_loopback or any(address in net for net in _SITE)


_SITE = tuple(
    IPv4Network(net)
    for net in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "198.18.0.0/15"),
    )
)


def literal(host: str) -> Address | None:
    """The address that ``host`` spells, in any of the ways that a system's resolver understands without asking."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host)) if host[-1:].isalnum() and " " not in host else None
    except OSError:
        return None


def _sounds_internal(host: str) -> bool:
    name = host.rstrip(".")
    return "." not in name or name.endswith(_INTERNAL_NAMES)


def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system; each address once, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def resolve_in_time(resolver: Resolver, host: str, port: int, deadline: Deadline) -> Sequence[str]:
    """Ask a resolver, which may take its time, no longer than the deadline; TimeoutError.

    It goes on alone then, in a thread; at most 32 are under way.
    """
    if not _RESOLVING.acquire(timeout=deadline.left()):
        raise TimeoutError("too many names are being looked up")
    answer: list[Sequence[str] | OSError] = []
    done = threading.Event()

    def look_up() -> None:
        try:
            answer.append(resolver(host, port))
        except (OSError, UnicodeError) as error:
            answer.append(error if isinstance(error, OSError) else OSError(f"{shown(host)} is no host name"))
        finally:
            _RESOLVING.release()
            done.set()

    threading.Thread(target=look_up, name="upstream-resolver", daemon=True).start()
    if not done.wait(deadline.left()):
        raise TimeoutError(f"looking {shown(host)} up takes too long")
    if not answer:
        raise OSError(f"{shown(host)} cannot be looked up")
    found = answer[0]
    if isinstance(found, OSError):
        raise found
    return found
