"""One flow, and what it says."""

from __future__ import annotations

from typing import Final

from dijkwacht_agent.dissect import CALLED_BY_PORT, ICMP, ICMPV6, SYN, TCP, UDP
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.turns import Turns

SECOND: Final = 1_000_000
IDLE_TCP: Final = 300 * SECOND
IDLE_ATTEMPT: Final = 10 * SECOND
"""For a TCP connection that one side has not answered."""
IDLE: Final = {UDP: 60 * SECOND, ICMP: 30 * SECOND, ICMPV6: 30 * SECOND}
IDLE_OTHER: Final = 60 * SECOND
LOOKS: Final = 6
"""Payloads of a flow that are looked at before it is left alone as not known."""
LOCAL_ORIG: Final = 1
LOCAL_RESP: Final = 2
LOCAL: Final = LOCAL_ORIG | LOCAL_RESP
"""Among a flow's ``marks``: its ends are inside the site."""
RESP_SPOKE_FIRST: Final = 4
ORIG_SENT: Final = 8
RESP_SENT: Final = 16
"""Also: a side has sent, in parts already cut."""


class Conversation:
    """Reads one flow in one protocol. Keeps counts and what a message needs to be understood, bounded.

    ``over``: nothing more is to be read. ``messages``: how many the payload held that was read last; they
    cost as much as in payloads of their own. `read` must accept any bytes, in any order, with gaps and
    repetitions, and raises nothing.
    """

    __slots__ = ("messages", "over")
    opens = False
    """It reads how a connection is opened, and no more."""

    def __init__(self) -> None:
        self.over = False
        self.messages = 0

    def read(self, time: int, payload: bytes, size: int, sequence: int, *, from_orig: bool) -> None:
        """One packet's payload at ``time`` (µs).

        ``size``: its length on the wire, of which ``payload`` may hold the beginning; ``sequence``:
        TCP's number of its first byte, 0 over UDP.
        """
        raise NotImplementedError

    def passes(self, size: int, sequence: int, *, from_orig: bool) -> bool:  # noqa: ARG002
        """Whether a payload holds nothing to be read. It counts as read then, and costs no budget."""
        return False

    def kept(self) -> int:
        """About how many bytes it keeps now."""
        return 1024

    def give_up(self, time: int, made: MadeRows) -> None:
        """What was waited for (`FlowTable.wait`) did not come within its time."""

    def facts(self, flow: Flow, made: MadeRows) -> None:
        """A part of ``flow`` was cut, or its last: add the rows of what was read since the one before."""


class Flow:
    """One flow. Counters run from the last part; ``*_seen`` and ``*_any`` from the beginning."""

    __slots__ = (
        "aborter",
        "back_key",
        "begun",
        "closed",
        "conversation",
        "cut",
        "echo",
        "flow_id",
        "hints",
        "key",
        "last",
        "listening",
        "marks",
        "orig_bytes",
        "orig_flags",
        "orig_held",
        "orig_p",
        "orig_pkts",
        "orig_seen",
        "part",
        "proto",
        "resp_bytes",
        "resp_flags",
        "resp_held",
        "resp_p",
        "resp_pkts",
        "resp_seen",
        "speaker",
        "start",
        "turns",
    )

    def __init__(
        self,
        flow_id: int,
        key: bytes,
        back_key: bytes,
        proto: int,
        orig_p: int,
        resp_p: int,
        start: int,
    ) -> None:
        self.flow_id = flow_id
        self.key = key  # as the originator sends; empty once the flow is over
        self.back_key = back_key  # as the responder sends
        self.proto = proto
        self.orig_p = orig_p
        self.resp_p = resp_p
        self.start = start
        self.last = start  # last packet
        self.cut = start  # last part
        self.part = 0
        self.orig_pkts = self.orig_bytes = self.orig_flags = 0
        self.resp_pkts = self.resp_bytes = self.resp_flags = 0
        self.orig_seen = self.resp_seen = 0  # TCP flags in parts already cut
        self.closed = 0  # when TCP closed it, 0 while it is open
        self.aborter = 0  # whose RST came first: 1 originator, 2 responder
        self.listening = LOOKS if proto in CALLED_BY_PORT else 0  # payloads yet to be looked at
        self.conversation: Conversation | None = None
        self.marks = 0  # LOCAL_ORIG and the like
        self.hints = 0  # `hints.Field`, since the last part
        self.speaker: bool | None = None  # whose turn it is: the originator's?
        self.begun = (
            start  # when the turn did; the first speaker's, as long as there are no `turns`
        )
        self.orig_held = self.resp_held = 0  # bytes of parts already cut, but of no turn yet
        self.turns: Turns | None = None
        self.echo = 0  # the only request that waits for its reply, as `turns` packs it

    @property
    def orig_any(self) -> bool:
        """The originator has sent."""
        return self.orig_pkts > 0 or self.marks & ORIG_SENT > 0

    @property
    def resp_any(self) -> bool:
        """The responder has sent."""
        return self.resp_pkts > 0 or self.marks & RESP_SENT > 0

    @property
    def answered(self) -> bool:
        """Both sides have sent."""
        return self.orig_any and self.resp_any

    @property
    def ended(self) -> bool:
        """The part that was cut last is the flow's last: all others are cut later than its last packet."""
        return self.cut == self.last

    def idle_limit(self) -> int:
        """After how many idle µs this flow is over."""
        if self.proto == TCP:
            attempt = (self.orig_seen | self.orig_flags) & SYN and not self.answered
            return IDLE_ATTEMPT if attempt else IDLE_TCP
        return IDLE.get(self.proto, IDLE_OTHER)
