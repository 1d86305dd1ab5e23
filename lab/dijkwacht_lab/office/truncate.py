"""Truncate a recording to its headers and the messages a meter reads names from, so that it stays small.

Every frame stays, with its true length beside it; only bytes nobody needs are left out.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

HEADER_BYTES: Final = 66
"""Ethernet, IPv4 and TCP with its timestamps."""
_MAGIC = 0xA1B2C3D4
_TALKING_PORTS: Final = frozenset((53, 67, 68, 5353, 5355))
_TCP, _UDP = 6, 17
_HELLO = (0x16, 0x01)


def wanted(frame: bytes) -> int:
    """How many bytes of an Ethernet frame to keep."""
    if len(frame) < 38 or frame[12:14] != b"\x08\x00":
        return len(frame)
    transport = 14 + (frame[14] & 15) * 4
    protocol = frame[23]
    ports = struct.unpack_from("!HH", frame, transport)
    if protocol == _UDP and _TALKING_PORTS.intersection(ports):
        return len(frame)
    if protocol == _TCP and len(frame) > transport + 12:
        payload = transport + (frame[transport + 12] >> 4) * 4
        hello = frame[payload : payload + 6]
        if len(hello) == 6 and (hello[0], hello[5]) == _HELLO:
            return len(frame)
        return min(len(frame), payload)
    return min(len(frame), HEADER_BYTES)


def truncate(source: Path, target: Path) -> int:
    """Copy the pcap ``source`` to ``target``, truncated; the number of frames. Raises ``ValueError``."""
    data = source.read_bytes()
    if len(data) < 24 or struct.unpack_from("<I", data)[0] != _MAGIC:
        raise ValueError(f"{source}: no little-endian pcap with microseconds")
    kept = [data[:24]]
    at = 24
    while at + 16 <= len(data):
        seconds, micros, held, length = struct.unpack_from("<4I", data, at)
        frame = data[at + 16 : at + 16 + held]
        frame = frame[: wanted(frame)]
        kept += [struct.pack("<4I", seconds, micros, len(frame), length), frame]
        at += 16 + held
    target.write_bytes(b"".join(kept))
    return len(kept) // 2
