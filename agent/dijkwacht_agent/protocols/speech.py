"""What a flow's first payload looks like, on whatever port; who may read the flow, `recognisers` tells.

Each function says whether the first payload of a flow, of ``size`` bytes on the wire, begins what it is
named for. They read no further than `ENOUGH` bytes and accept any.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dijkwacht_records.hints import Speech

ENOUGH: Final = 64
_METHODS: Final = frozenset(
    b"GET POST HEAD PUT DELETE OPTIONS CONNECT PATCH TRACE PROPFIND PROPPATCH MKCOL COPY MOVE LOCK "
    b"UNLOCK REPORT SEARCH SUBSCRIBE UNSUBSCRIBE NOTIFY RPC_IN_DATA RPC_OUT_DATA BITS_POST CCM_POST".split()
)
_PRINTABLE: Final = bytes({*range(0x20, 0x7F), *b"\t\r\n"})
_SMB: Final = frozenset({b"\xffSMB", b"\xfeSMB", b"\xfdSMB", b"\xfcSMB"})
_KERBEROS: Final = frozenset({0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x74, 0x75, 0x76, 0x7E})
_LDAP: Final = frozenset(
    {0x42, 0x4A, 0x50, *range(0x60, 0x6A), 0x6C, 0x6D, 0x6E, 0x6F, 0x73, 0x77, 0x78}
)
_RDP_NEGOTIATION: Final = frozenset({1, 2, 3})


def begins_tls(data: bytes, _size: int) -> bool:
    """A TLS record: change of cipher, alert, handshake or data, of version 3.0 to 3.4."""
    return len(data) > 4 and 0x14 <= data[0] <= 0x17 and data[1] == 3 and data[2] <= 4


def begins_http(data: bytes, _size: int) -> bool:
    """A request of HTTP/1 for a path, a URL or a host; an answer; or what begins HTTP/2."""
    if data.startswith((b"HTTP/1.", b"PRI * HTTP/2")):
        return True
    method, found, rest = data[:ENOUGH].partition(b" ")
    if not found or method not in _METHODS:
        return False
    if rest.startswith((b"/", b"* HTTP", b"http:", b"https:")):
        return True
    return method in {b"CONNECT", b"RPC_IN_DATA", b"RPC_OUT_DATA"}


def begins_ssh(data: bytes, _size: int) -> bool:
    """The line that names a version of SSH."""
    return data.startswith(b"SSH-")


def begins_smb(data: bytes, size: int) -> bool:
    """An SMB message in a NetBIOS session, or the request for such a session."""
    if data[0] == 0x81:
        return len(data) > 3 and data[1] == 0 and data[2] << 8 | data[3] == size - 4
    return data[0] == 0 and data[4:8] in _SMB


def begins_rpc(data: bytes, _size: int) -> bool:
    """The header of connection-oriented DCE/RPC 5.0: type, byte order, a length that holds itself."""
    if len(data) < 16 or data[0] != 5 or data[1] > 1 or data[2] > 20 or data[5] > 3:
        return False
    little = data[4] & 0xF0 == 0x10
    length = data[9] << 8 | data[8] if little else data[8] << 8 | data[9]
    return data[4] & 0xEF == 0 and data[6] == data[7] == 0 and length >= 16


def begins_rdp(data: bytes, size: int) -> bool:
    """A connection request or confirm (X.224), with nothing, a cookie or a negotiation in it."""
    if len(data) < 11 or data[0] != 3 or data[1] != 0 or data[2] << 8 | data[3] != size:
        return False
    if data[5] not in {0xE0, 0xD0}:
        return False
    rest = data[11:]
    return not rest or rest.startswith(b"Cookie: ") or rest[0] in _RDP_NEGOTIATION


def begins_kerberos(data: bytes, size: int) -> bool:
    """A message of Kerberos 5, behind its length over TCP: application tag, then a sequence."""
    if data[0] == 0:
        if int.from_bytes(data[:4], "big") != size - 4:
            return False
        data = data[4:]
    return len(data) > 1 and data[0] in _KERBEROS and data[_body(data, 0) :][:1] == b"\x30"


def begins_ldap(data: bytes, _size: int) -> bool:
    """An LDAP message: a sequence that begins with a number and an operation."""
    at = _body(data, 0)
    if data[0] != 0x30 or len(data) < at + 2 or data[at] != 2 or not 1 <= data[at + 1] <= 4:
        return False
    return data[at + 2 + data[at + 1] :][:1] in _LDAP_OPERATIONS


def begins_quic(data: bytes, _size: int) -> bool:
    """A packet of QUIC with a long header and a known version, or of Google's before it."""
    if len(data) < 13:
        return False
    version = data[1:5]
    if data[0] & 0xC0 == 0xC0:
        known = version in {b"\x00\x00\x00\x01", b"\x6b\x33\x43\xcf"} or version[0] in b"QT"
        return known or version[:3] == b"\xff\x00\x00"
    return data[0] & 0x09 == 0x09 and data[9:11] == b"Q0"


def is_text(data: bytes) -> bool:
    """Printable ASCII, spaces and ends of lines."""
    return not data[:ENOUGH].translate(None, _PRINTABLE)


def _body(data: bytes, at: int) -> int:
    """Where the body of the ASN.1 element at ``at`` begins."""
    length = data[at + 1] if at + 1 < len(data) else 0
    return at + 2 + (length & 0x7F if length > 0x80 else 0)


_LDAP_OPERATIONS: Final = frozenset(bytes((tag,)) for tag in _LDAP)

# Members of an enumeration are slow to look up.
_NOTHING, _TEXT, _BYTES = Speech.NOTHING, Speech.TEXT, Speech.BYTES

Tells = Callable[[bytes, int], bool]
_STREAM: Final[tuple[tuple[Speech, bytes, Tells], ...]] = (
    (Speech.TLS, b"\x14\x15\x16\x17", begins_tls),
    (Speech.HTTP, bytes({*b"HP", *(method[0] for method in _METHODS)}), begins_http),
    (Speech.SSH, b"S", begins_ssh),
    (Speech.SMB, b"\x00\x81", begins_smb),
    (Speech.RPC, b"\x05", begins_rpc),
    (Speech.RDP, b"\x03", begins_rdp),
    (Speech.KERBEROS, b"\x00", begins_kerberos),
    (Speech.LDAP, b"\x30", begins_ldap),
)
_DATAGRAMS: Final[tuple[tuple[Speech, bytes, Tells], ...]] = (
    (Speech.QUIC, bytes(byte for byte in range(256) if byte >= 0xC0 or byte & 9 == 9), begins_quic),
    (Speech.KERBEROS, bytes(_KERBEROS), begins_kerberos),
    (Speech.LDAP, b"\x30", begins_ldap),
)


def _by_first_byte(
    known: tuple[tuple[Speech, bytes, Tells], ...],
) -> tuple[tuple[tuple[Speech, Tells], ...], ...]:
    return tuple(
        tuple((speech, tells) for speech, first, tells in known if byte in first)
        for byte in range(256)
    )


_IN_STREAM, _IN_DATAGRAM = _by_first_byte(_STREAM), _by_first_byte(_DATAGRAMS)


def speech_of(payload: bytes, size: int, *, datagram: bool) -> Speech:
    """What the first payload of a flow looks like; ``size`` is its length on the wire.

    >>> speech_of(b"GET / HTTP/1.1", 14, datagram=False)
    <Speech.HTTP: 2>
    >>> speech_of(b"220 mail.example.nl", 19, datagram=False)
    <Speech.TEXT: 7>
    """
    if not payload:
        return _NOTHING
    for speech, tells in (_IN_DATAGRAM if datagram else _IN_STREAM)[payload[0]]:
        if tells(payload, size):
            return speech
    return _TEXT if payload[0] in _PRINTABLE and is_text(payload) else _BYTES
