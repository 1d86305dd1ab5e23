"""TLS ServerHello: what the server chose, and a fingerprint of how it says so."""

from __future__ import annotations

from hashlib import blake2b
from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.protocols.client_hello import alpn_of, each_extension

_ALPN: Final = 16
_PRE_SHARED_KEY: Final = 41
_SUPPORTED_VERSIONS: Final = 43
_RETRY: Final = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a HelloRetryRequest, which else is a ServerHello (RFC 8446, 4.1.3)."""
TLS_1_3: Final = 0x0304
_MAX_EXTENSIONS: Final = 64

_u16 = Struct(">H").unpack_from


class ServerHello(NamedTuple):
    """What the server chose.

    ``fingerprint``: see `read_server_hello`, 0 if it is cut; ``alpn``: `Alpn`, 0 where it is not in clear;
    ``session``: the session id; ``retry``: the server asks for another ClientHello; ``by_key``: it takes
    up a session by a key that both have from before.
    """

    version: int
    cipher: int
    fingerprint: int
    alpn: int
    session: bytes
    retry: bool
    by_key: bool


def read_server_hello(body: bytes, *, whole: bool = True) -> ServerHello | None:
    """Read the body of a ServerHello; ``None`` if it ends before the cipher suite.

    The fingerprint is of our own making: 62 bits of BLAKE2b over version, cipher suite, the number of
    extensions and their types in the order sent (16 bits each, big-endian), then ALPN's choice.
    """
    if len(body) < 38:
        return None
    (version,) = _u16(body, 0)
    session = body[35 : 35 + body[34]]
    at = 35 + body[34]
    if at + 2 > len(body):
        return None
    (cipher,) = _u16(body, at)
    at += 3  # compression
    kinds: list[int] = []
    protocol, by_key = b"", False
    if at + 2 <= len(body):
        end = at + 2 + _u16(body, at)[0]
        whole = whole and end <= len(body)
        for kind, extension in each_extension(body, at + 2, min(end, len(body))):
            kinds.append(kind)
            if len(kinds) == _MAX_EXTENSIONS:
                break
            if kind == _SUPPORTED_VERSIONS and len(extension) >= 2:
                (version,) = _u16(extension, 0)
            elif kind == _ALPN and len(extension) > 3:
                protocol = extension[3 : 3 + extension[2]]
            elif kind == _PRE_SHARED_KEY:
                by_key = True
    numbers = (version, cipher, len(kinds), *kinds)
    text = b"".join([number.to_bytes(2, "big") for number in numbers]) + protocol
    digest = int.from_bytes(blake2b(text, digest_size=8).digest(), "big") >> 2
    retry = body[2:34] == _RETRY
    return ServerHello(
        version, cipher, (digest or 1) if whole else 0, alpn_of(protocol), session, retry, by_key
    )
