"""Flows being written: their parts, what their first packets show, and what they carried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dijkwacht_lab.traffic.facts import NOTHING_SHOWN, Shown
from dijkwacht_lab.traffic.facts_written import QUIET_US, Cuts, FactsWritten
from dijkwacht_lab.traffic.site import FLOWS, ICMP, SECOND, TCP, UDP, Call
from dijkwacht_records.hints import NAMED, RESP_FIRST, SPEECH, Speech
from dijkwacht_records.tables import ConnState, FlowState, Row

S0, S1, SF, REJ = (
    int(state) for state in (ConnState.S0, ConnState.S1, ConnState.SF, ConnState.REJ)
)
OPEN, UPDATE, END = (int(state) for state in (FlowState.OPEN, FlowState.UPDATE, FlowState.END))

_PART_US: Final = 15 * SECOND
_SYN, _SYN_ACK_DATA, _DATA, _CLOSE, _REFUSE = 0x02, 0x1A, 0x18, 0x11, 0x14
_OPENING: Final = (_SYN | _DATA, _SYN_ACK_DATA)
_CLOSING: Final = (_DATA | _CLOSE, _DATA | _CLOSE)
_AT_ONCE: Final = (_OPENING[0] | _CLOSE, _OPENING[1] | _CLOSE)
_NOTHING_MOVED: Final = (0,) * 6
_SEGMENT: Final = 1400
_PRIVATE_DNS: Final = 853

_RESP_FIRST: Final = RESP_FIRST.put(1)
_BYTES: Final = SPEECH.put(Speech.BYTES)
_GREETS: Final = frozenset({21, 22, 25, 110, 143, 587, 3306, 5900})
"""Ports whose servers speak first."""
_SPOKEN: Final = {
    (TCP, port): SPEECH.put(speech) | (_RESP_FIRST if port in _GREETS else 0)
    for speech, ports in (
        (Speech.TLS, (443, 465, 636, 853, 993, 5228, 8443, 8883)),
        (Speech.HTTP, (80, 631, 5357, 8080)),
        (Speech.SSH, (22,)),
        (Speech.SMB, (139, 445)),
        (Speech.RPC, (135,)),
        (Speech.RDP, (3389,)),
        (Speech.TEXT, (21, 25, 110, 143, 554, 587)),
        (Speech.KERBEROS, (88,)),
        (Speech.LDAP, (389,)),
        (Speech.BYTES, (3306, 5900)),
    )
    for port in ports
} | {
    (UDP, 443): SPEECH.put(Speech.QUIC),
    (UDP, 88): SPEECH.put(Speech.KERBEROS),
    (UDP, 389): SPEECH.put(Speech.LDAP),
}
"""Protocol and port → hints of how a flow there begins; `_BYTES` elsewhere."""

_Ends = tuple[tuple[bytes, bytes, int, int, int], tuple[int, int]]
"""What all parts of a flow share: (orig, resp, orig_p, resp_p, proto) and which ends are local."""


class FlowsWritten(FactsWritten):
    """A site whose flows are written."""

    def flow(
        self,
        at: int,
        call: Call,
        *,
        up: int,
        down: int,
        last_us: int,
        beats: Sequence[int] = (),
        shown: Shown = NOTHING_SHOWN,
    ) -> int:
        """An answered flow of ``up`` and ``down`` payload bytes over ``last_us``; returns its id.

        ``beats`` are the offsets (µs, rising) at which it moves when it does not move all the time;
        ``shown``: what else is to be seen of it, which comes with the part in which it happens.
        """
        self.flows += 1
        ends = self._ends(call)
        hints = self._begun(at, call)
        if up or down:
            hints |= self._spoken(call, shown)
        even = not beats
        if even:
            if last_us < SECOND:
                beats = (last_us,)
            else:
                beats = (600_000, *range(_PART_US, last_us, _PART_US), last_us)
        if call.proto == TCP:
            self._connection(at, ends, beats, (up, down), hints)
        else:
            self._datagrams(at, ends, beats, (up, down), hints)
        if shown.talk is not None or shown.counted:
            cuts = Cuts(at, beats, (up, down), even)
            self._tell_carried(call, cuts, shown, resp_first=hints & _RESP_FIRST > 0)
        return self.flows

    def _connection(
        self, at: int, ends: _Ends, beats: Sequence[int], moved: tuple[int, int], hints: int
    ) -> None:
        """All parts of a connection that is opened and closed."""
        last = len(beats) - 1
        up, down = moved
        if not last:
            identity = at + beats[0], at, self.flows, 0, END
            self._part(identity, ends, SF, _AT_ONCE, (up, down, 3), hints)
            return
        share_up, share_down = up // (last + 1), down // (last + 1)
        identity = at + beats[0], at, self.flows, 0, OPEN
        self._part(identity, ends, S1, _OPENING, (share_up, share_down, 2), hints)
        for part in range(1, last):
            identity = at + beats[part], at, self.flows, part, UPDATE
            self._part(identity, ends, S1, (_DATA, _DATA), (share_up, share_down, 0))
        rest = up - share_up * last, down - share_down * last, 1
        self._part((at + beats[last], at, self.flows, last, END), ends, SF, _CLOSING, rest)

    def _datagrams(
        self, at: int, ends: _Ends, beats: Sequence[int], moved: tuple[int, int], hints: int
    ) -> None:
        """All parts of datagrams there and back, which are over after a silence."""
        parts = len(beats)
        share = moved[0] // parts, moved[1] // parts, 0
        for part, offset in enumerate(beats):
            identity = at + offset, at, self.flows, part, UPDATE if part else OPEN
            self._part(identity, ends, SF, (0, 0), share, 0 if part else hints)
        time = at + beats[-1]
        row: Row = (time, at, self.flows, parts, END, *ends[0], 0, SF, *_NOTHING_MOVED, *ends[1])
        self.written.append((time + QUIET_US, FLOWS, row))

    def unanswered(self, at: int, orig: bytes, resp: bytes, resp_p: int, proto: int = TCP) -> None:
        """A call that nobody takes: SYNs at 0, 1, 3 s, or datagrams into the void."""
        self.flows += 1
        call = Call(orig, resp, resp_p, proto)
        ends, local = self._ends(call)
        flags, size, last = (_SYN, 0, 3 * SECOND) if proto == TCP else (0, 140, 2 * SECOND)
        hints = self._begun(at, call) | (self._spoken(call, NOTHING_SHOWN) if size else 0)
        head = (*ends, 0, S0, flags, 0)
        self.written.append(
            (at + SECOND, FLOWS, (at, at, self.flows, 0, OPEN, *head, 1, 0, size, 0, *local, hints))
        )
        end = (at + last, at, self.flows, 1, END, *head, 2, 0, 2 * size, 0, *local)
        self.written.append((at + last + QUIET_US, FLOWS, end))

    def one_way(self, at: int, call: Call, *, packets: int, size: int, last_us: int) -> None:
        """Datagrams of ``size`` bytes that nobody answers, for ``last_us``: sound and pictures to a group."""
        self.flows += 1
        ends, local = self._ends(call)
        hints = self._begun(at, call) | self._spoken(call, NOTHING_SHOWN)
        beats = (min(600_000, last_us), *range(_PART_US, last_us, _PART_US))
        each = -(-packets // len(beats))
        for part, offset in enumerate(beats):
            identity = at + offset, at, self.flows, part, UPDATE if part else OPEN
            head = (*ends, 0, S0, 0, 0, each, 0, each * size, 0)
            self.written.append(
                (at + offset, FLOWS, (*identity, *head, *local, 0 if part else hints))
            )
        time = at + beats[-1]
        row: Row = (time, at, self.flows, len(beats), END, *ends, 0, S0, *_NOTHING_MOVED, *local)
        self.packets += each * len(beats)
        self.written.append((time + QUIET_US, FLOWS, row))

    def refused(self, at: int, orig: bytes, resp: bytes, resp_p: int) -> None:
        """A connection answered by a reset."""
        self.flows += 1
        call = Call(orig, resp, resp_p)
        identity = at + 900, at, self.flows, 0, END
        self._part(
            identity, self._ends(call), REJ, (_SYN, _REFUSE), (0, 0, 0), self._begun(at, call)
        )

    def _begun(self, at: int, call: Call) -> int:
        """Hints of a flow's first packet."""
        orig, resp = call.orig, call.resp
        hints = self.syn(orig) if call.proto == TCP else 0
        if resp[12] < 224:  # nobody names a group
            inside = orig.startswith(self.prefix)
            hints |= self.names.named(at, orig, resp, inside=inside) << NAMED.shift
        if call.resp_p == _PRIVATE_DNS:
            self.names.hides(at, orig)
        return hints

    def _spoken(self, call: Call, shown: Shown) -> int:
        """Hints of a flow's first payload."""
        if call.proto == ICMP:
            return 0
        if shown.speech:
            return SPEECH.put(shown.speech) | (_RESP_FIRST if shown.resp_first else 0)
        return _SPOKEN.get((call.proto, call.resp_p), _BYTES) | (
            _RESP_FIRST if shown.resp_first else 0
        )

    def _ends(self, call: Call) -> _Ends:
        orig, resp, resp_p, proto, orig_p = call
        local = int(orig.startswith(self.prefix)), int(resp.startswith(self.prefix))
        return (orig, resp, orig_p or 32768 + self.flows % 28_000, resp_p, proto), local

    def _part(
        self, identity: tuple[int, int, int, int, int], ends: _Ends, conn: int,
        flags: tuple[int, int], moved: tuple[int, int, int], hints: int = 0,
    ) -> None:  # fmt: skip
        """Write one part. ``identity``: time, start, id, part, state; ``flags``: of both sides.

        ``moved``: payload bytes up and down, and packets without any (handshake, close).
        """
        up, down, control = moved
        head, local = ends
        tcp = head[4] == TCP
        sent = -(-up // _SEGMENT)
        got = -(-down // _SEGMENT)
        row = (*identity, *head, 0, conn, *flags,
               max(sent + (got >> 1 if tcp else 0) + control, 1),
               max(got + (sent >> 1 if tcp else 0) + control, 1), up, down, *local, hints)  # fmt: skip
        self.packets += sent + got
        self.written.append((identity[0], FLOWS, row))
