"""TLS ClientHello: which server the client wants to reach, and what the client itself is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from dijkwacht_agent.protocols import ja4
from dijkwacht_agent.protocols.printable import printable
from dijkwacht_records.vocabulary import Alpn, HelloFlag

_SIGNATURES: Final = 13
_TICKET: Final = 35
_PRE_SHARED_KEY: Final = 41
_SUPPORTED_VERSIONS: Final = 43
_ENCRYPTED: Final = frozenset({0xFE0D, 0xFFCE})  # encrypted_client_hello, and the draft before it
_READ: Final = frozenset({ja4.SERVER_NAME, _SIGNATURES, ja4.ALPN, _TICKET, _SUPPORTED_VERSIONS})
_KNOWN_VERSIONS: Final = range(0x0300, 0x0310)
_TLS_1_3: Final = 0x0304
_RANDOM_END: Final = 34
_SHAPING: Final = (_SUPPORTED_VERSIONS, ja4.ALPN, _SIGNATURES)
_RESUMES: Final = int(HelloFlag.RESUMES)
_CUT: Final = int(HelloFlag.CUT)
_REMEMBERED: Final = 128
_MAX_CIPHERS: Final = 1024
"""Bytes of the list of cipher suites, two each: of a longer one the rest is left out, as if cut off."""
_MAX_EXTENSIONS: Final = 128
_PROTOCOLS: Final = {
    b"": Alpn.NONE,
    b"h2": Alpn.H2,
    b"http/1.1": Alpn.HTTP_1_1,
    b"h3": Alpn.H3,
    b"http/1.0": Alpn.HTTP_1_0,
    b"dot": Alpn.DOT,
}

_u16 = Struct(">H").unpack_from
_extension = Struct(">HH").unpack_from


class ClientHello(NamedTuple):
    """What the columns of ``tls`` hold of it, and what the server's answer is understood by.

    ``version``: the highest offered; ``server_name``: lower case, empty if the client names none;
    ``ja4``: empty if the hello is cut; ``flags``: `HelloFlag`; ``alpn``: `Alpn`, the first offered;
    ``session``: the session id, by which sessions were resumed before TLS 1.3.
    """

    version: int
    server_name: str
    ja4: str
    flags: int
    alpn: int
    session: bytes


def read_client_hello(body: bytes, transport: str, *, whole: bool = True) -> ClientHello | None:
    """Read the body of a ClientHello as far as it goes; ``None`` if not even its version is there.

    ``transport``: as `ja4.fingerprint` takes it; ``whole``: ``body`` is not known to be cut.
    """
    if len(body) < 2:
        return None
    (version,) = _u16(body, 0)
    session = ciphers = b""
    kinds: list[int] = []
    found: dict[int, bytes] = {}
    try:
        at = _RANDOM_END + 1 + body[_RANDOM_END]
        session = body[_RANDOM_END + 1 : at]
        length = body[at] << 8 | body[at + 1]
        ciphers = body[at + 2 : at + 2 + min(length, _MAX_CIPHERS)]
        whole = whole and length <= _MAX_CIPHERS
        at += 2 + length
        at += 1 + body[at]  # compression
        if at < len(body):  # before TLS 1.2 there may be no extensions
            end = at + 2 + (body[at] << 8 | body[at + 1])
            whole = whole and end <= len(body)
            end = min(end, len(body))
            at += 2
            while at + 4 <= end:
                if len(kinds) == _MAX_EXTENSIONS:
                    whole = False
                    break
                kind, length = _extension(body, at)
                at += 4
                kinds.append(kind)
                if kind in _READ and kind not in found:
                    found[kind] = body[at : min(at + length, end)]
                at += length
    except IndexError:
        whole = False  # cut short: what was read stands
    shape = (version, ciphers, tuple(kinds), *map(found.get, _SHAPING))
    highest, client, alpn, flags = _told(transport, *shape)
    if (session and highest < _TLS_1_3) or found.get(
        _TICKET
    ):  # above, the id is there for old middleboxes
        flags |= _RESUMES
    if not whole:
        client = ""
        flags |= _CUT
    name = found.get(ja4.SERVER_NAME)
    return ClientHello(
        highest, _read_server_name(name) if name else "", client, flags, alpn, session
    )


@lru_cache(_REMEMBERED)
def _told(
    transport: str,
    legacy: int,
    ciphers: bytes,
    kinds: tuple[int, ...],
    versions: bytes | None,
    protocols: bytes | None,
    signatures: bytes | None,
) -> tuple[int, str, int, int]:
    """Version, JA4, `Alpn` and `HelloFlag` by those parts of a hello that a client sends each time."""
    version = highest = legacy
    if versions is not None:
        offered = ja4.words(versions[1:])
        highest = max(offered, default=legacy)
        version = max([legacy, *(value for value in offered if value in _KNOWN_VERSIONS)])
    protocol = _first_protocol(protocols or b"")
    flags = 0 if _ENCRYPTED.isdisjoint(kinds) else int(HelloFlag.ECH)
    if _PRE_SHARED_KEY in kinds:
        flags |= _RESUMES
    useful = tuple(sorted([kind for kind in kinds if kind not in ja4.GREASE]))
    client = ja4.fingerprint(transport, highest, ciphers, useful, (signatures or b"")[2:], protocol)
    return version, client, alpn_of(protocol), flags


def each_extension(data: bytes, at: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Type and body of each extension between ``at`` and ``end``; the last body may be cut."""
    while at + 4 <= end:
        kind, length = _extension(data, at)
        yield kind, data[at + 4 : min(at + 4 + length, end)]
        at += 4 + length


def alpn_of(protocol: bytes) -> int:
    """The `Alpn` of a protocol's name; drafts of HTTP/3 count as HTTP/3."""
    if protocol.startswith(b"h3-"):
        return int(Alpn.H3)
    return int(_PROTOCOLS.get(protocol, Alpn.OTHER))


def _first_protocol(extension: bytes) -> bytes:
    return extension[3 : 3 + extension[2]] if len(extension) > 3 else b""


@lru_cache(_REMEMBERED)
def _read_server_name(extension: bytes) -> str:
    """The first host name of a server_name extension."""
    if len(extension) < 5 or extension[2] != 0:
        return ""
    (length,) = _u16(extension, 3)
    return printable(extension[5 : 5 + length].lower())
