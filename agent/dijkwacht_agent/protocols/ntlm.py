"""NTLMSSP messages ([MS-NLMP]) wherever they are carried: SMB, DCE/RPC, LDAP, HTTP, RDP.

Tokens are looked for inside what wraps them (SPNEGO, GSS-API, CredSSP), so that no wrapping has to be
understood. What is read here of an account is meant to be counted by `AccountsTried` and forgotten.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

NEGOTIATE: Final = 1
CHALLENGE: Final = 2
AUTHENTICATE: Final = 3
SIGNATURE: Final = b"NTLMSSP\x00"
MAX_NAME: Final = 512
"""Bytes of an account's or a domain's name that are looked at."""
_DOMAIN_AT: Final = 28
_USER_AT: Final = 36

_u32 = Struct("<I").unpack_from
_field = Struct("<HHI").unpack_from  # length, room, offset from the signature


def message_type(blob: bytes) -> int:
    """Kind of the first message that ``blob`` holds, 0 if it holds none.

    >>> message_type(b"wrapped " + SIGNATURE + bytes([1, 0, 0, 0]))
    1
    """
    at = blob.find(SIGNATURE)
    if at < 0 or len(blob) < at + 12:
        return 0
    (kind,) = _u32(blob, at + 8)
    return kind if NEGOTIATE <= kind <= AUTHENTICATE else 0


def read_account(blob: bytes) -> bytes:
    """User and domain of the AUTHENTICATE message in ``blob``, one and the same for any letter case.

    Empty for any other message, for an anonymous one, and where a cut has taken the names away.
    """
    at = blob.find(SIGNATURE)
    if message_type(blob) != AUTHENTICATE:
        return b""
    user = _name(blob, at, _USER_AT)
    return user + b"\x00\x00" + _name(blob, at, _DOMAIN_AT) if user else b""


def is_anonymous(blob: bytes) -> bool:
    """Whether ``blob`` holds an AUTHENTICATE message that names nobody."""
    at = blob.find(SIGNATURE)
    if message_type(blob) != AUTHENTICATE or len(blob) < at + _USER_AT + 8:
        return False
    length, _, _ = _field(blob, at + _USER_AT)
    return not length


def _name(blob: bytes, start: int, at: int) -> bytes:
    """The name that the field at ``start + at`` points to; empty unless all of it is there."""
    if len(blob) < start + at + 8:
        return b""
    length, _, offset = _field(blob, start + at)
    name = blob[start + offset : start + offset + min(length, MAX_NAME)]
    return name.lower() if len(name) == min(length, MAX_NAME) else b""
