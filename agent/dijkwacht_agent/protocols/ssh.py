"""SSH: log-ins told by the lengths of encrypted packets, as Zeek does.

Once keys are in use, the server's first packet accepts the service of authentication: it holds 17
bytes, always. Success holds one, and is 16 bytes shorter in any cipher. What answers the first
request is a failure; so is whatever has that size again. Clients mostly ask first, without a proof,
which methods there are: no attempt is that. Compression would change the sizes, and voids it all.
"""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import TYPE_CHECKING, Final

from dijkwacht_agent.dissect import TCP
from dijkwacht_agent.protocols.log_ins import LogIns, Outcome
from dijkwacht_agent.protocols.ordered import LINE, Messages, Side
from dijkwacht_records.vocabulary import AuthMethod, AuthService, AuthStatus

if TYPE_CHECKING:
    from dijkwacht_agent.protocols.opening import Opening

_KEXINIT, _NEWKEYS = 20, 21
_BY_CLIENT: Final = frozenset({30, 34})
"""Messages of a key exchange that only a client sends: of any method, and of group exchange."""
_MAX_PACKET: Final = 35_000
_LISTS_AT, _COMPRESSIONS = 22, (6, 7)
_BLOCK: Final = 16
_BANNER: Final = 256
"""A packet so much longer than the first is a banner."""
_SESSION: Final = 16 << 10
"""Bytes that no server sends to whom it has not let in."""
_MAX_SEGMENTS: Final = 512
_MAX_NAMES: Final = 16
"""Ways to compress of which a side is heard: there are three."""
_MAX_NAME: Final = 32

_u32 = Struct(">I").unpack_from


def recognise(opening: Opening) -> Ssh | None:
    """Either side's version of SSH 2."""
    begins = opening.payload.startswith((b"SSH-2.", b"SSH-1.99-"))
    return Ssh(opening) if begins and opening.flow.proto == TCP else None


def measure(head: bytes) -> int:
    """Length of the packet that begins with ``head``, 0 if it is too short to tell, -1 for none."""
    if len(head) < 6:
        return 0
    size: int = _u32(head)[0]
    return 4 + size if 6 <= size <= _MAX_PACKET else -1


class Ssh(LogIns):
    """Reads two key exchanges in clear, of which it holds 4 KiB each until keys are in use, then sizes alone.

    Of what both offer it holds the names of 16 ways to compress for each direction.
    """

    __slots__ = (
        "_accept",
        "_answers",
        "_clear",
        "_compressions",
        "_failure",
        "_first",
        "_greeting",
        "_left",
        "_request",
        "_sent",
        "_sides",
    )

    def __init__(self, opening: Opening) -> None:
        super().__init__(opening, AuthService.SSH, client_is_orig=True)
        self._sides = (Side(), Side())
        self._greeting: list[bytes | None] = [b"", b""]
        self._clear = tuple(Messages(measure, until=_takes_keys) for _ in range(2))
        self._compressions: list[list[list[bytes]]] = [[], []]
        self._left = _MAX_SEGMENTS
        self._sent = 0  # bytes of the server behind the acceptance
        self._accept = self._failure = 0  # sizes, 0 until they are known
        self._first = 0  # size of the first request, if its answer is not counted yet
        self._request = 0  # size of the request that is not answered yet
        self._answers = 0  # requests that were answered

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:  # noqa: ARG002, D102  # inherited
        missing, new = self._sides[from_orig].take(sequence, payload, size)
        cut = size - len(payload)
        if self._clear[from_orig].rest is None:
            self._read_exchange(from_orig, missing, new, cut)
        elif new:
            self._read_sealed(len(new) + cut, by_client=from_orig == self._client_is_orig)

    def _read_exchange(self, from_orig: bool, missing: int, new: bytes, cut: int) -> None:
        clear = self._clear[from_orig]
        if self._greeting[from_orig] is not None:
            new = self._greet(from_orig, missing, new)
            missing = 0
        for message in clear.feed(missing, new, cut):
            self._read_clear(message, from_orig=from_orig)
        if clear.lost:
            self.over = True
        elif clear.rest and not self.over:
            self._read_sealed(len(clear.rest) + cut, by_client=from_orig == self._client_is_orig)

    def kept(self) -> int:  # noqa: D102  # inherited
        return super().kept() + sum([messages.kept for messages in self._clear])

    def leave(self) -> None:  # noqa: D102  # inherited
        # It may have been a probe; a request that is too short for one was a good-bye.
        if self._first > self._accept + _BLOCK and self._answers:
            self.count(Outcome.UNKNOWN, AuthMethod.UNKNOWN)
        if self._request:
            self.count(Outcome.UNKNOWN, AuthMethod.UNKNOWN)

    def _greet(self, from_orig: bool, missing: int, new: bytes) -> bytes:
        """Pass over the line that tells the version; what comes behind it."""
        line, end, rest = ((self._greeting[from_orig] or b"") + new).partition(b"\n")
        if missing or len(line) > LINE or not line.startswith(b"SSH-"[: len(line)]):
            self.over = True
            return b""
        self._greeting[from_orig] = None if end else line
        return rest

    def _read_clear(self, packet: bytes, *, from_orig: bool) -> None:
        kind = packet[5]
        if kind in _BY_CLIENT:
            self._client_is_orig = from_orig
        elif kind == _KEXINIT:
            self._compressions[from_orig] = _compressions(packet)
        elif kind == _NEWKEYS:
            client = self._compressions[self._client_is_orig]
            server = self._compressions[not self._client_is_orig]
            for offered, known in zip(client, server, strict=False):
                chosen = next((name for name in offered if name in known), b"none")
                # With zlib@openssh.com it begins behind the log-in.
                self.over = self.over or chosen == b"zlib"

    def _read_sealed(self, size: int, *, by_client: bool) -> None:
        """A segment of encrypted packets, mostly of one packet."""
        self._left -= 1
        if not self._left:
            self._stop()
        elif by_client:
            self._ask(size)
        elif not self._accept:
            # What comes before the client's first packet tells extensions.
            self._accept, self._request = (size, 0) if self._request else (0, 0)
        else:
            self._answer(size)

    def _ask(self, size: int) -> None:
        if not self._accept:
            self._request = size  # for the service itself
        elif size >= self._accept + _BLOCK and not self._request:
            self._request = size
            if not self._answers:
                self._first = size
            elif self._first:
                if _BLOCK + self._accept < self._first >= size:
                    self.count(Outcome.FAILED, AuthMethod.UNKNOWN, AuthStatus.REFUSED)
                self._first = 0

    def _answer(self, size: int) -> None:
        self._sent += size
        first = self._answers == 0 or (self._answers == 1 and not self._request)
        asked, self._request = self._request, 0
        self._answers += bool(asked)
        if size + _BLOCK == self._accept or self._sent > _SESSION:
            self._first = 0
            self.count(Outcome.SUCCEEDED, AuthMethod.UNKNOWN)
            self._stop()
        elif size > self._accept + _BANNER:
            self._request = asked  # its answer is still to come
            self._answers -= bool(asked)
        elif first:
            self._failure = size  # extensions may have been told before it
        elif asked and size == self._failure:
            self.count(Outcome.FAILED, AuthMethod.UNKNOWN, AuthStatus.REFUSED)

    def _stop(self) -> None:
        self.leave()
        self.over = True


def _takes_keys(packet: bytes) -> bool:
    return packet[5] == _NEWKEYS


def _compressions(packet: bytes) -> list[list[bytes]]:
    """Names of a KEXINIT's two lists of compressions, from client and from server; empty if it was cut."""
    at, lists = _LISTS_AT, []
    try:
        for _ in range(_COMPRESSIONS[-1] + 1):
            size: int = _u32(packet, at)[0]
            if at + 4 + size > len(packet):
                return []
            lists.append(packet[at + 4 : at + 4 + size])
            at += 4 + size
    except struct_error:
        return []
    names = [lists[place].split(b",", _MAX_NAMES)[:_MAX_NAMES] for place in _COMPRESSIONS]
    return [[name[:_MAX_NAME] for name in some] for some in names]
