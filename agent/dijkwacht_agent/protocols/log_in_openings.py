"""Which log-ins a flow may hold, by the first byte of a payload: what speaks none of them costs one look-up."""

from __future__ import annotations

from collections.abc import Callable
from string import ascii_uppercase
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.protocols import ftp, http, imap, kerberos, ldap, pop, rdp, smtp, ssh
from dijkwacht_agent.protocols.log_ins import LogIns

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_Recogniser = Callable[["Opening"], LogIns | None]
_FIRST_BYTES: Final[tuple[tuple[bytes, _Recogniser], ...]] = (
    (b"\x00" + kerberos.TAGS, kerberos.recognise),
    (b"\x30", ldap.recognise),
    (b"\x03", rdp.recognise),
    (b"S", ssh.recognise),
    (ascii_uppercase.encode(), http.recognise),
    (b"+AUau", pop.recognise),
    (b"2EHLehl", smtp.recognise),
    (b"2UAFSHOCuafshoc", ftp.recognise),
    (bytes(range(0x21, 0x7F)), imap.recognise),
)
_BY_FIRST_BYTE: Final = tuple(
    tuple(recogniser for first, recogniser in _FIRST_BYTES if byte in first) for byte in range(256)
)


def recognise_log_ins(opening: Opening) -> LogIns | None:
    """The conversation whose log-ins are to be counted, if the payload begins one."""
    for recogniser in _BY_FIRST_BYTE[opening.payload[0]]:
        found = recogniser(opening)
        if found is not None:
            return found
    return None
