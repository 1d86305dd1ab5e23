"""Where a client calls from, as what it does is counted: an IPv4 address, or of IPv6 the /64.

A client has a whole /64 to call from, so that is one address.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from aiohttp import web

NOWHERE: Final = "unknown"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def peer_address(peer: Any) -> str:
    """That of a socket's ``peername``; empty for this machine's own, perhaps a proxy with limits of its own.

    >>> peer_address(("192.0.2.7", 40000)), peer_address(("::ffff:192.0.2.7", 40000, 0, 0))
    ('192.0.2.7', '192.0.2.7')
    >>> peer_address(("2001:db8:1:2:3::4", 40000, 0, 0)), peer_address(("127.0.0.1", 40000))
    ('2001:db8:1:2::/64', '')
    >>> peer_address(None)
    ''
    """
    address = _read(peer[0]) if peer else None
    return "" if address is None or address.is_loopback else _counted_as(address)


def client_address(request: web.BaseRequest) -> str:
    """That of whoever asks; `NOWHERE` if it is not known.

    Behind a proxy on this machine it is the last address of ``X-Forwarded-For``, which the proxy
    wrote itself; from anywhere else that header is anybody's text.
    """
    address = _read(request.remote or "")
    if address is not None and address.is_loopback:
        said = ",".join(request.headers.getall("X-Forwarded-For", [])).rpartition(",")[2]
        address = _read(_without_port(said.strip())) or address
    return NOWHERE if address is None else _counted_as(address)


def _counted_as(address: _Address) -> str:
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _read(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _without_port(text: str) -> str:
    """An address with a port, as some proxies write it."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
