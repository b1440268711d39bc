"""Where on the network evalkit lets an answer send it: to public places, over https, and nowhere else.

It knows URLs, host names and IP addresses. Connecting is left to others, but they have to connect to the
addresses that were checked here: a name may point somewhere else a moment later.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeVar

from evalkit.http import URL, InvalidURL

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Every address of a host, as text. Raises OSError where the name has none."""

_Network = TypeVar("_Network", IPv4Network, IPv6Network)

NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
CLOSED_4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "100.64.0.0/10",
            "168.63.129.16/32",  # looks public; on Azure it is the machine's own host
            "192.0.0.0/24",  # Oracle keeps instance credentials here; older Pythons call it global
            "192.88.99.0/24",
            "198.18.0.0/15",
            "240.0.0.0/4",
        ),
    )
)
CLOSED_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20")))
ISATAP = (0x00005EFE, 0x02005EFE)

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*")
_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")


class NotPublic(Exception):
    """Refused to go there. The text names at most scheme, host and port, never a path or a query."""


class NoAddress(Exception):
    """The name leads nowhere at the moment."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be fetched, and the checked addresses of its host, at least one."""

    url: URL
    host: str
    addresses: tuple[str, ...]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the open internet, also where it wraps another one.

    Only plain spellings are addresses: `0177.0.0.1`, `2130706433` and `fe80::1%eth0` are not public.

    >>> is_public("1.1.1.1"), is_public("10.0.0.1"), is_public("64:ff9b::7f00:1")
    (True, False, False)
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return _open_4(parsed) if isinstance(parsed, IPv4Address) else _open_6(parsed)


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine, plainly spelled: `127.0.0.0/8` or `::1`."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_loopback and not (isinstance(parsed, IPv6Address) and parsed != IPv6Address("::1"))


def is_loopback_url(url: str) -> bool:
    """Whether a base URL names this machine, as `http://127.0.0.1:9080/fal` and `http://localhost` do."""
    try:
        host = URL(url).host
    except InvalidURL:
        return False
    return host == "localhost" or is_loopback(host)


async def resolve(host: str, port: int) -> list[str]:
    """What the system says about a name: every address, without repeats, the preferred one first."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def locate(url: str, *, loopback: bool, resolve: Resolve = resolve) -> Target:
    """Check a URL that somebody else wrote and look up its host.

    Every address has to be public, and the URL https on port 443 or one of no well-known service. With
    `loopback`, all of them may also be this machine, over http too. Raises `NotPublic`, `NoAddress`.
    """
    parsed = parse(url)
    host = parsed.raw_host.decode("ascii").removesuffix(".")
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    addresses = (host,) if _literal(host) else await _look_up(host, port, resolve)
    if not (loopback and all(map(is_loopback, addresses))):
        _require_public(parsed, host, addresses)
    return Target(parsed, host, tuple(addresses))


def parse(url: str) -> URL:
    """A URL without user, password or a disguised host. Raises `NotPublic`."""
    if any(character < " " or character in "\\\x7f" for character in url):
        raise NotPublic("the URL has control characters or backslashes")
    try:
        parsed = URL(url)
    except InvalidURL:
        raise NotPublic("the URL is malformed") from None
    if parsed.scheme not in ("http", "https"):
        raise NotPublic(f"the URL begins with {parsed.scheme[:20]!r}, not with https")
    if parsed.userinfo:
        raise NotPublic("the URL has a user or a password in it")
    if parsed.port is not None and not 0 < parsed.port < 65536:
        raise NotPublic("the URL has a port that does not exist")
    _require_plain(parsed.raw_host.decode("ascii"))
    return parsed


def _require_plain(raw: str) -> None:
    host = raw.removesuffix(".")
    if _literal(host):
        return
    if not _NAME.fullmatch(host) or len(host) > 253 or _NUMERIC.fullmatch(host):
        raise NotPublic(f"{raw[:80]!r} is no plain host name or address")


def _require_public(url: URL, host: str, addresses: Sequence[str]) -> None:
    if not all(map(is_public, addresses)):
        raise NotPublic(f"{host} is not a public address")
    if url.scheme != "https":
        raise NotPublic(f"{host} is asked for without https")
    if url.port is not None and url.port != 443 and url.port < 1024:
        raise NotPublic(f"{host} is asked for on port {url.port}, which is no web server's")


async def _look_up(host: str, port: int, resolve: Resolve) -> Sequence[str]:
    try:
        addresses = await resolve(host, port)
    except (OSError, UnicodeError):
        raise NoAddress(f"{host} has no address") from None
    if not addresses:
        raise NoAddress(f"{host} has no address")
    return addresses


def _literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _open_4(address: IPv4Address) -> bool:
    return address.is_global and not address.is_multicast and not _within(address, CLOSED_4)


def _open_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if not all(map(_open_4, _wrapped(address))):
        return False
    if address.ipv4_mapped is not None or address in NAT64:
        return True
    return address in GLOBAL_UNICAST and address.is_global and not _within(address, CLOSED_6)


def _within(address: IPv4Address | IPv6Address, networks: tuple[_Network, ...]) -> bool:
    return any(address in network for network in networks)


def _wrapped(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that routers on the way may unwrap from an IPv6 address."""
    number = int(address)
    if address in NAT64 or (number >> 32) & 0xFFFFFFFF in ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
