"""A finished connection as other sensors tell it → one ``end`` part of a flow, with part 0.

What a sensor leaves out is inferred from what it says, in one way for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from dijkwacht_collector.readers.rows import NUMBER, NumberedRow
from dijkwacht_records.addresses import V4_PREFIX
from dijkwacht_records.tables import ConnState, FlowState, Row

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
ICMP, TCP, UDP, ICMP6 = 1, 6, 17, 58
PROTOCOLS: Final = {
    "icmp": ICMP, "igmp": 2, "ipip": 4, "tcp": TCP, "udp": UDP, "ipv6": 41, "rsvp": 46, "gre": 47,
    "esp": 50, "ah": 51, "icmp6": ICMP6, "ipv6-icmp": ICMP6, "icmpv6": ICMP6, "ospf": 89,
    "pim": 103, "vrrp": 112, "sctp": 132, "udplite": 136,
}  # fmt: skip
"""Names that sensors use → IANA's number of the protocol."""

_ETHERNET: Final = 14
_LEAST_FRAME: Final = 60
_HEADER: Final = {TCP: 20, UDP: 8, ICMP: 8, ICMP6: 8}
_HISTORY: Final = {
    "s": SYN, "h": SYN | ACK, "a": ACK, "d": PSH | ACK, "f": FIN | ACK, "r": RST,
}  # fmt: skip
_IMPLIED: Final = {
    ConnState.S0: "S", ConnState.S1: "ShA", ConnState.SF: "ShADadFf", ConnState.REJ: "Sr",
    ConnState.S2: "ShADadF", ConnState.S3: "ShADadf", ConnState.RSTO: "ShADadR",
    ConnState.RSTR: "ShADadr", ConnState.RSTOS0: "SR", ConnState.RSTRH: "hr",
    ConnState.SH: "SF", ConnState.SHR: "hf", ConnState.OTH: "",
}  # fmt: skip


@dataclass(slots=True)
class Connection:
    """One connection. Times in µs UTC, ports or ICMP type and code, bytes of payload; all of it at once."""

    start: int
    end: int
    flow_id: int
    orig_h: bytes
    resp_h: bytes
    orig_p: int = 0
    resp_p: int = 0
    proto: int = 0
    vlan: int = 0
    state: ConnState = ConnState.OTH
    orig_flags: int = 0
    resp_flags: int = 0
    orig_pkts: int = 0
    resp_pkts: int = 0
    orig_bytes: int = 0
    resp_bytes: int = 0
    local_orig: bool = False
    local_resp: bool = False

    def row(self) -> NumberedRow:
        """Its row of the table ``flows``; the row's time is its last packet."""
        row: Row = (
            max(self.start, self.end),
            self.start,
            self.flow_id,
            0,
            int(FlowState.END),
            self.orig_h,
            self.resp_h,
            self.orig_p,
            self.resp_p,
            self.proto,
            self.vlan,
            int(self.state),
            self.orig_flags,
            self.resp_flags,
            self.orig_pkts,
            self.resp_pkts,
            self.orig_bytes,
            self.resp_bytes,
            int(self.local_orig),
            int(self.local_resp),
            0,  # hints: nobody else looks at the SYN as the meter does
        )
        return NUMBER["flows"], row


def flow_id(name: str) -> int:
    """A number for whatever a sensor calls a flow; `logs.read_logs` counts them anew."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big") >> 2


def implied_history(state: ConnState) -> str:
    """What a state says was seen, in the letters of Zeek's ``history``."""
    return _IMPLIED[state]


def flags_of(history: str) -> tuple[int, int]:
    """TCP flags that originator and responder set, by Zeek's ``history``.

    >>> flags_of("Sr") == (SYN, RST)
    True
    """
    orig = resp = 0
    for letter in history:
        if letter.isupper():
            orig |= _HISTORY.get(letter.lower(), 0)
        else:
            resp |= _HISTORY.get(letter, 0)
    return orig, resp


def state_of(proto: int, orig_flags: int, resp_flags: int, answered: bool) -> ConnState:
    """What became of a connection, by the flags that either side set at all.

    Flags without their order leave open who aborted first where both did: it counts as the originator.

    >>> state_of(TCP, SYN, RST | ACK, True).name, state_of(TCP, SYN | ACK | FIN, SYN | ACK | FIN, True).name
    ('REJ', 'SF')
    """
    if proto != TCP:
        return ConnState.SF if answered else ConnState.S0
    if not orig_flags & SYN:
        return _without_syn(resp_flags)
    if resp_flags & SYN:
        return _established(orig_flags, resp_flags)
    if resp_flags & RST:
        return ConnState.REJ
    return ConnState.OTH if answered else _unanswered(orig_flags)


def _established(orig_flags: int, resp_flags: int) -> ConnState:
    if orig_flags & RST:
        return ConnState.RSTO
    if resp_flags & RST:
        return ConnState.RSTR
    if orig_flags & FIN:
        return ConnState.SF if resp_flags & FIN else ConnState.S2
    return ConnState.S3 if resp_flags & FIN else ConnState.S1


def _unanswered(orig_flags: int) -> ConnState:
    if orig_flags & RST:
        return ConnState.RSTOS0
    return ConnState.SH if orig_flags & FIN else ConnState.S0


def _without_syn(resp_flags: int) -> ConnState:
    if not resp_flags & SYN:
        return ConnState.OTH
    if resp_flags & RST:
        return ConnState.RSTRH
    return ConnState.SHR if resp_flags & FIN else ConnState.OTH


def payload_bytes(frames: int, packets: int, proto: int, orig_h: bytes, flags: int | None) -> int:
    """Payload in ``frames`` bytes of whole frames, by the least headers that they had.

    ``flags``: what this side set, if that is known: TCP that never pushed has sent no data.
    """
    if proto == TCP and flags is not None and not flags & PSH:
        return 0
    header = _ETHERNET + (20 if orig_h[:12] == V4_PREFIX else 40) + _HEADER.get(proto, 0)
    if frames <= packets * _LEAST_FRAME and proto == TCP:
        return 0
    return max(0, frames - packets * header)
