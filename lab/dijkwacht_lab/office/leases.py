"""As much DHCP as an office needs: an address for each of the plan's hosts, asked for on the wire."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final, cast

from dijkwacht_lab.office.plans import Plan

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
_COOKIE: Final = b"\x63\x82\x53\x63"
_EVERYBODY = "255.255.255.255"
_PATIENCE = 2.0


def message(
    op: int, number: bytes, mac: bytes, kind: int, yours: str, options: dict[int, bytes]
) -> bytes:
    """A DHCP message with the broadcast bit set; ``options`` come after the message type."""
    head = struct.pack("!BBBB4sHH", op, 1, 6, 0, number, 0, 0x8000)
    addresses = bytes(4) + IPv4Address(yours).packed + bytes(8)
    tail = b"".join(bytes((code, len(value))) + value for code, value in options.items())
    return (
        head + addresses + mac.ljust(16, b"\0") + bytes(192) + _COOKIE
        + bytes((53, 1, kind)) + tail + b"\xff"
    )  # fmt: skip


def options_of(data: bytes) -> dict[int, bytes]:
    """The options of a message; empty for what is no DHCP message."""
    return dict(_options(data)) if data[236:240] == _COOKIE else {}


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 240
    while at + 1 < len(data) and data[at] != 255:
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def _open(port: int, interface: str) -> socket.socket:
    handle = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    handle.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    handle.bind(("", port))
    handle.setblocking(False)
    return handle


class _Leases(asyncio.DatagramProtocol):
    def __init__(self, plan: Plan) -> None:
        self.server = IPv4Address(plan.gateway).packed
        self.known = {plan.mac(host.name): host.address for host in plan.hosts}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, _sender: tuple[str, int]) -> None:
        kind = options_of(data).get(53)
        address = self.known.get(data[28:34].hex(":"))
        if address is None or kind not in (b"\x01", b"\x03"):
            return
        says = OFFER if kind == b"\x01" else ACK
        lease = {54: self.server, 51: struct.pack("!I", 3600), 3: self.server, 6: self.server}
        told = message(2, data[4:8], data[28:34], says, address, lease)
        self.transport.sendto(told, (_EVERYBODY, 68))


async def serve_leases(plan: Plan) -> None:
    """Serve the plan's addresses on ``eth0``."""
    handle = _open(67, "eth0")
    await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Leases(plan), sock=handle)


async def ask_lease(mac: str, name: str, number: int) -> str:
    """Ask for an address on ``eth0`` as a device that has none. Raises ``TimeoutError``."""
    loop = asyncio.get_running_loop()
    hardware = bytes.fromhex(mac.replace(":", ""))
    exchange = struct.pack("!I", number)
    own = {12: name.encode(), 55: bytes((1, 3, 6, 15))}
    with _open(68, "eth0") as handle:
        for _ in range(5):
            try:
                async with asyncio.timeout(_PATIENCE):
                    discover = message(1, exchange, hardware, DISCOVER, "0.0.0.0", own)  # noqa: S104
                    await loop.sock_sendto(handle, discover, (_EVERYBODY, 67))
                    offer = await loop.sock_recv(handle, 1024)
                    wanted = {50: offer[16:20], 54: options_of(offer)[54], **own}
                    request = message(1, exchange, hardware, REQUEST, "0.0.0.0", wanted)  # noqa: S104
                    await loop.sock_sendto(handle, request, (_EVERYBODY, 67))
                    granted = await loop.sock_recv(handle, 1024)
                    return str(IPv4Address(granted[16:20]))
            except TimeoutError:
                continue
    raise TimeoutError("nobody leases addresses here")
