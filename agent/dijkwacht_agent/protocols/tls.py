"""TLS ClientHello: which server the client wants to reach, and the newest version it offers."""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.printable import printable

MAX_HELLO: Final = 8192
_HANDSHAKE: Final = 0x16
_CLIENT_HELLO: Final = 1
_SERVER_NAME: Final = 0
_SUPPORTED_VERSIONS: Final = 43
_KNOWN_VERSIONS: Final = range(0x0300, 0x0310)

_u16 = Struct(">H").unpack_from
_extension = Struct(">HH").unpack_from


class Hello(NamedTuple):
    """A ClientHello. ``server_name`` is lower case, empty if the client names none."""

    version: int
    server_name: str


def begins_hello(data: bytes) -> bool:
    """Whether a TLS connection begins with ``data``: a handshake record with a ClientHello."""
    return len(data) > 5 and data[0] == _HANDSHAKE and data[1] == 3 and data[5] == _CLIENT_HELLO


def hello_size(data: bytes) -> int:
    """Bytes that the record needs to be whole, header included."""
    return min(5 + int(_u16(data, 3)[0]), MAX_HELLO)


def read_hello(data: bytes) -> Hello | None:
    """Read a ClientHello record, as far as it goes; ``None`` if it is none."""
    if not begins_hello(data) or len(data) < 11:
        return None
    (version,) = _u16(data, 9)
    server_name = ""
    try:
        for kind, body in _extensions(data):
            if kind == _SERVER_NAME:
                server_name = _read_server_name(body)
            elif kind == _SUPPORTED_VERSIONS:
                version = _highest_version(body, version)
    except IndexError:
        pass  # cut short: what was read stands
    return Hello(version, server_name)


def _extensions(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each extension, the last perhaps cut."""
    at = 43
    at += 1 + data[at]  # session
    at += 2 + (data[at] << 8 | data[at + 1])  # cipher suites
    at += 1 + data[at]  # compression
    end = at + 2 + (data[at] << 8 | data[at + 1])
    at += 2
    found = []
    while at + 4 <= min(end, len(data)):
        kind, length = _extension(data, at)
        found.append((kind, data[at + 4 : at + 4 + length]))
        at += 4 + length
    return found


def _read_server_name(body: bytes) -> str:
    """The first host name of a server_name extension."""
    if len(body) < 5 or body[2] != 0:
        return ""
    (length,) = _u16(body, 3)
    return printable(body[5 : 5 + length].lower())


def _highest_version(body: bytes, known: int) -> int:
    """The newest version in a supported_versions extension; greasing values are no versions."""
    offered = [body[at] << 8 | body[at + 1] for at in range(1, len(body) - 1, 2)]
    return max([known, *(version for version in offered if version in _KNOWN_VERSIONS)])
