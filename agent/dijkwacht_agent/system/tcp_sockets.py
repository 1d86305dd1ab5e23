"""How many TCP sockets are in a state, asked of the kernel (``sock_diag``): the kernel picks, nothing is listed.

Reading ``/proc/net/tcp`` instead writes each socket of the machine as a line of text; with 5,000 of
them that is twenty times as dear. Still the kernel must walk its table, so callers ask for few states.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

SYN_SENT, SYN_RECV, CLOSE_WAIT, LISTEN = 2, 3, 8, 10
CLOSING: Final = (4, 5, 7, 9, 11)
"""FIN_WAIT1 and 2, CLOSE, LAST_ACK, CLOSING."""

_SOCK_DIAG: Final = 4
_OLD_REQUEST: Final = 18  # TCPDIAG_GETSOCK: unlike its successor, it asks for IPv4 and IPv6 at once
_DUMP: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_NEW_SYN_RECV: Final = 1 << 12  # how Linux keeps what netstat calls SYN_RECV
_ERROR, _DONE = 2, 3
_HEAD: Final = struct.Struct("=IHHII")
_STATE_AT: Final = _HEAD.size + 1
_PATIENCE_S: Final = 0.25


class Counted(NamedTuple):
    """Sockets by state, and whether that is all of them."""

    by_state: dict[int, int]
    whole: bool


class TcpSockets:
    """Asks over one kept netlink socket."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._number = 0

    def count(self, states: Iterable[int], most: int) -> Counted | None:
        """Sockets in each of ``states``, all together ``most`` at most; ``None`` if they cannot be had."""
        wanted = sum(1 << state for state in states)
        if wanted & 1 << SYN_RECV:
            wanted |= _NEW_SYN_RECV
        try:
            counted = self._dump(wanted, most)
        except (OSError, struct.error, ValueError):
            counted = None
        if counted is None or not counted.whole:
            self.close()  # ends what the kernel has not told yet
        return counted

    def close(self) -> None:
        """Let go of the socket; the next `count` opens another."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _dump(self, wanted: int, most: int) -> Counted | None:
        if self._socket is None:
            kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
            self._socket = socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG)
            self._socket.settimeout(_PATIENCE_S)
        self._number = self._number % 0xFFFF + 1
        asked = struct.pack("=B51xII", socket.AF_INET, wanted, 0)
        head = _HEAD.pack(_HEAD.size + len(asked), _OLD_REQUEST, _DUMP, self._number, 0)
        self._socket.send(head + asked)
        found: dict[int, int] = {}
        seen = 0
        while True:
            answer = self._socket.recv(1 << 15)
            at = 0
            while at < len(answer):
                size, kind, _, number, _ = _HEAD.unpack_from(answer, at)
                if size < _HEAD.size or kind == _ERROR:
                    return None
                if number == self._number:
                    if kind == _DONE:
                        return Counted(found, whole=True)
                    if seen >= most:
                        return Counted(found, whole=False)
                    state = answer[at + _STATE_AT]
                    found[state] = found.get(state, 0) + 1
                    seen += 1
                at += (size + 3) & ~3
