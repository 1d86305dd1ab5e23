"""RDP: what is negotiated, and with CredSSP (network level authentication) how it goes on.

All else is inside TLS or RDP's own encryption, and a desktop may show its log-in there: unknown. With
CredSSP the sides take turns: an offer, a challenge, the answer to it, and then the server proves that
it knows the password, or says an error in a record too short for a proof. Only to a proof does a
client say more ([MS-CSSP] 3.1.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols.log_ins import LogIns, Outcome
from dijkwacht_agent.protocols.ordered import Messages, Side
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_REQUEST, _CONFIRM = 0xE0, 0xD0
_TYPE_AT, _VALUE_AT, _LENGTH = 11, 15, 19
_ANSWERED, _FAILED = 2, 3
_CREDSSP: Final = frozenset({2, 8})
_COOKIE: Final = b"Cookie: mstshash="
_CHANGE_CIPHER, _APPLICATION_DATA = 20, 23
_SHORTER_THAN_PROOF: Final = 80
"""Bytes of records: an error and what TLS adds are less, a proof of 48 bytes is more."""
_ATTEMPT: Final = 1024
"""Bytes of a client that does more than look."""
_MAX_RECORDS: Final = 64


def recognise(opening: Opening) -> Rdp | None:
    """A connection request of X.224 that asks for RDP's ways of encryption, or names a user."""
    payload = opening.payload
    begins = (
        opening.flow.proto == TCP
        and payload[:2] == b"\x03\x00"
        and payload[5:11] == b"\xe0\x00\x00\x00\x00\x00"
        and (payload[11:18] == b"Cookie:" or payload[13:15] == b"\x08\x00")
    )
    return Rdp(opening, AuthService.RDP, client_is_orig=opening.from_orig) if begins else None


def measure(head: bytes) -> int:
    """Length of a TPKT message, 0 if ``head`` is too short to tell, -1 for none."""
    if len(head) < 4:
        return 0
    size = head[2] << 8 | head[3]
    return size if head[:2] == b"\x03\x00" and size >= _TYPE_AT else -1


def measure_record(head: bytes) -> int:
    """Length of a TLS record, its header included."""
    if len(head) < 5:
        return 0
    return 5 + (head[3] << 8 | head[4]) if 20 <= head[0] <= 24 and head[1] == 3 else -1


class Rdp(LogIns):
    """Counts one attempt of a connection. Holds the beginning of two messages or records."""

    __slots__ = (
        "_answer",
        "_client_changed",
        "_handshakes",
        "_records",
        "_records_left",
        "_selected",
        "_sent",
        "_sides",
        "_tpkt",
        "_turn",
        "_turns",
    )

    def __init__(self, opening: Opening, service: AuthService, *, client_is_orig: bool) -> None:
        super().__init__(opening, service, client_is_orig=client_is_orig)
        self._sides = (Side(), Side())
        self._tpkt = tuple(Messages(measure, until=_is_connection) for _ in range(2))
        self._records = (Messages(measure_record), Messages(measure_record))
        self._records_left = _MAX_RECORDS
        self._selected = -1  # way of encryption, once the server chose
        self._sent = 0  # bytes of the client behind its request
        self._client_changed = False  # its data are encrypted by now
        self._handshakes = 0  # records of it that are TLS 1.3's handshake, and look like data
        self._turns = 0  # of the client
        self._turn: bool | None = None  # whose it is: the client's?
        self._answer = 0  # bytes of the server's turn

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: D102  # inherited
        missing, new = self._sides[from_orig].take(sequence, payload, size)
        cut, by_client = size - len(payload), from_orig == self._client_is_orig
        tpkt = self._tpkt[by_client]
        if tpkt.rest is None:
            for message in tpkt.feed(missing, new, cut):
                self._negotiate(time, message, by_client=by_client)
            missing, new = 0, tpkt.rest or b""
        if by_client and new:
            self._sent += len(new) + cut
        if self._selected in _CREDSSP and not self.over:
            for record in self._records[by_client].feed(missing, new, cut):
                length = record[3] << 8 | record[4]
                self._read_record(record[0], length, by_client=by_client)
        elif self._selected >= 0 and self._sent >= _ATTEMPT:
            self.leave()
            self.over = True

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + sum([messages.kept for messages in (*self._tpkt, *self._records)])

    def leave(self) -> None:  # noqa: D102  # inherited
        answered = self._selected in _CREDSSP and self._turns == 2 and self._turn is False
        if answered and self._answer < _SHORTER_THAN_PROOF:
            self.count(Outcome.FAILED, AuthMethod.UNKNOWN, AuthStatus.REFUSED)
        elif self._sent >= _ATTEMPT or self._turns:
            self.count(Outcome.UNKNOWN, AuthMethod.UNKNOWN)

    def _negotiate(self, time: int, message: bytes, *, by_client: bool) -> None:
        if len(message) < _TYPE_AT:
            return  # cut short by the capture
        kind = message[5]
        if by_client and kind == _REQUEST:
            at = message.find(_COOKIE)
            if at >= 0:
                self.note_account(time, message[at + len(_COOKIE) :].partition(b"\r")[0])
        elif not by_client and kind == _CONFIRM:
            told = message[_TYPE_AT] if len(message) >= _LENGTH else 0
            value = int.from_bytes(message[_VALUE_AT:_LENGTH], "little")
            if told == _FAILED:
                self.count(Outcome.FAILED, AuthMethod.UNKNOWN, AuthStatus.RESTRICTED)
                self.over = True
            else:
                self._selected = value if told == _ANSWERED else 0

    def _read_record(self, kind: int, length: int, *, by_client: bool) -> None:
        self._records_left -= 1
        if self.over:
            return
        if not self._records_left:
            self.leave()
            self.over = True
            return
        if kind == _CHANGE_CIPHER and by_client:
            self._client_changed = True
        if kind != _APPLICATION_DATA:
            return
        if not by_client and not self._client_changed:
            self._handshakes = 1  # of TLS 1.3: so is the client's first, its Finished
        elif by_client and self._handshakes:
            self._handshakes, self._client_changed = 0, True
        elif by_client:
            self._turns += self._turn is not True
            self._turn, self._answer = True, 0
            if self._turns == 3:
                self.count(Outcome.SUCCEEDED, AuthMethod.UNKNOWN)
                self.over = True
        elif self._turn is not None:
            self._turn = False
            self._answer += length


def _is_connection(message: bytes) -> bool:
    return message[5] in {_REQUEST, _CONFIRM}
