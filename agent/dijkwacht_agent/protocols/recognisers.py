"""Which conversation a flow may hold, by the first byte of a payload: what speaks none costs one look-up."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_uppercase
from typing import Final

from dijkwacht_agent.dissect import TCP, UDP
from dijkwacht_agent.flow import Conversation
from dijkwacht_agent.protocols import (
    dcerpc,
    ftp,
    http,
    imap,
    kerberos,
    ldap,
    pop,
    quic,
    rdp,
    smb,
    smtp,
    ssh,
    tls,
)
from dijkwacht_agent.protocols.opening import Opening

Recogniser = Callable[[Opening], Conversation | None]
"""Is this the beginning of what it knows? Then the conversation, which gets the payload next."""
_Begins = tuple[tuple[bytes, Recogniser], ...]

_STREAM: Final[_Begins] = (
    (b"\x16", tls.recognise),
    (b"\x05", dcerpc.recognise_rpc),
    (kerberos.TAGS, kerberos.recognise),
    (b"\x30", ldap.recognise),
    (b"\x03", rdp.recognise),
    (b"S", ssh.recognise),
    (ascii_uppercase.encode(), http.recognise),
    (b"+AUau", pop.recognise),
    (b"2EHLehl", smtp.recognise),
    (b"2UAFSHOCuafshoc", ftp.recognise),
    (bytes(range(0x21, 0x7F)), imap.recognise),
)
_BEHIND_LENGTH: Final[_Begins] = (
    (smb.PROTOCOLS, smb.recognise_smb),
    (kerberos.TAGS, kerberos.recognise),
)
_DATAGRAM: Final[_Begins] = (
    (bytes(range(0xC0, 0x100)), quic.recognise),
    (kerberos.TAGS, kerberos.recognise),
)


def _by_byte(begins: _Begins) -> tuple[tuple[Recogniser, ...], ...]:
    return tuple(
        tuple(recogniser for first, recogniser in begins if byte in first) for byte in range(256)
    )


RECOGNISERS: Final = {TCP: _by_byte(_STREAM), UDP: _by_byte(_DATAGRAM)}
"""By protocol and first byte of the payload."""
RECOGNISERS_BEHIND_LENGTH: Final = _by_byte(_BEHIND_LENGTH)
"""Over TCP where that is 0, by the fifth: a message behind its length, which four bytes hold."""
