"""Export datagrams in, rows of ``flows`` out: what a router counted goes into the meter's flow table.

There a record is what many packets would have been: parts, ends and time-outs are those of the meter,
so that a flow counts once, whoever counted its packets. Records come late and in any order: each
waits `hold` µs behind the clock, for its other direction and for its turn.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import Final

from dijkwacht_agent.conn_states import is_answer
from dijkwacht_agent.dissect import ACK, FIN, RST, SYN, TCP, reverse
from dijkwacht_agent.flow import Flow
from dijkwacht_agent.flow_export.elements import ExportedFlow
from dijkwacht_agent.flow_export.exporter import VERSIONS, Exporter, Malformed
from dijkwacht_agent.flow_export.waiting import Waiting
from dijkwacht_agent.flows import MAX_FLOWS, FlowTable
from dijkwacht_agent.frames import Block
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.meter import STEP
from dijkwacht_records.columns import Columns

SENDER_BYTES: Final = 16
"""A frame is the address of the exporter, then its datagram."""
MAX_EXPORTERS: Final = 32
SILENT: Final = 600_000_000
"""µs after which an exporter that says nothing may be forgotten for another."""
BYTES_PER_SECOND: Final = 256 * 1024
"""What is read of the datagrams of one second: some 5,000 flows. A burst may be four times as long."""
CLOCK_OFF: Final = 10_000_000
"""µs by which an exporter's clock may be off; past it, its times count from the arrival."""
_SECOND: Final = 1_000_000


class Allowance:
    """So many bytes a second, saved up for a burst; ``None``: any number."""

    def __init__(self, per_second: int | None) -> None:
        self._rate = per_second
        self._left = 4 * (per_second or 0)
        self._time = 0

    def allows(self, size: int, time: int) -> bool:
        """Spend ``size`` at ``time`` (µs), if there is as much."""
        if self._rate is None:
            return True
        gained = max(time - self._time, 0) * self._rate // _SECOND
        self._left, self._time = min(self._left + gained, 4 * self._rate), time
        if size > self._left:
            return False
        self._left -= size
        return True


class ExportMeter:
    """Meters blocks of export datagrams, as `Meter` does frames, and with its counters.

    ``heard``: from which addresses. ``hold``: µs by which the times of the blocks are behind their
    arrival. Without ``live`` times are those of a recording: no clock is right or wrong, and nothing
    is too much.
    """

    def __init__(
        self,
        inside: LocalNetworks,
        heard: Container[bytes] | None = None,
        *,
        hold: int = 0,
        live: bool = True,
        max_flows: int = MAX_FLOWS,
    ) -> None:
        self.dropped_ring = 0
        self._heard, self._hold, self._live = heard, hold, live
        self._made = MadeRows()
        self._table = FlowTable(inside, self._made, max_flows)
        self._waiting = Waiting()
        self._allowance = Allowance(BYTES_PER_SECOND if live else None)
        self._exporters: OrderedDict[bytes, tuple[Exporter, int]] = OrderedDict()
        self._totals: OrderedDict[bytes, tuple[int, int, int]] = OrderedDict()
        self._clock = self._taken = 0
        self._read = self._truncated = self._malformed = self._unsupported = 0
        self._shed = self._missing = 0
        self._told = dict.fromkeys(
            ("records", "strangers", "unusable", "unread", "latest", "clock_off", "late"), 0
        )

    @property
    def counts_floods(self) -> bool:
        """Flows that a full table gives up before their first row are counted in ``floods``."""
        return self._table.counts_floods

    @counts_floods.setter
    def counts_floods(self, counts: bool) -> None:
        self._table.counts_floods = counts

    @property
    def counters(self) -> dict[str, int]:
        """Counts since the start, named as in the ``agent`` table; a packet is a datagram here.

        What never came, by the exporters' numbers, is lost in the ring: often it was. Beside them
        stand those of `exports`.
        """
        lost = max(self.dropped_ring, self._missing) + self._shed
        dropped = lost + self._truncated + self._malformed + self._unsupported
        return {
            "packets_seen": self._read + dropped,
            "packets_metered": self._read,
            "dropped_ring": lost,
            "dropped_truncated": self._truncated,
            "dropped_malformed": self._malformed,
            "dropped_unsupported": self._unsupported,
            "flows_active": self._table.active + len(self._waiting),
            "flows_evicted": self._table.evicted,
            "flows_counted": self._table.floods.counted,
            "names_shed": 0,
            "messages_shed": 0,
            "rows_made": self._taken + len(self._made),
        } | {f"export_{name}": value for name, value in self.exports.items()}

    @property
    def exports(self) -> dict[str, int]:
        """What only flow export has: for the owner, not for the collector.

        ``records`` read, of which ``unusable`` told of no flow and ``doubles`` were told twice; sets
        ``unread`` for want of a template; datagrams of ``strangers``, others
        ``refused``, ``shed`` for there were too many, ``missing`` by their numbers; ``exporters`` now, the coarsest ``sampling`` among them;
        ``latest`` arrival, and then ``clock_off`` and how ``late`` the youngest record was (µs).
        """
        refused = self._truncated + self._malformed + self._unsupported - self._told["strangers"]
        exporters = [exporter for exporter, _ in self._exporters.values()]
        return self._told | {
            "exporters": len(exporters),
            "sampling": max((exporter.sampling for exporter in exporters), default=1),
            "doubles": self._waiting.doubles,
            "shed": self._shed,
            "refused": refused,
            "missing": self._missing,
        }

    def feed(self, block: Block) -> None:
        """Read its datagrams and count the records that fall due among them."""
        for time, begin, end, size in zip(
            block.times, block.begins, block.ends, block.wire_lens, strict=True
        ):
            self._move(time)
            sender = block.data[begin : begin + SENDER_BYTES]
            datagram = block.data[begin + SENDER_BYTES : end]
            if self._heard is not None and sender not in self._heard:
                self._told["strangers"] += 1
                self._unsupported += 1
            elif size > end - begin:
                self._truncated += 1
            elif not self._allowance.allows(len(datagram), time):
                self._shed += 1
            else:
                self._datagram(sender, datagram, time + self._hold)

    def advance(self, now: int) -> None:
        """Count every record that is due at ``now`` (µs), and cut every part."""
        for flow in self._waiting.due(now):
            self._count(flow)
        if now >= self._table.due:
            self._table.run(now)

    def finish(self) -> None:
        """Nothing more will come: count what waits, end every flow."""
        for flow in self._waiting.due(1 << 62):
            self._count(flow)
        self._table.end_all()

    def take(self) -> Columns:
        """Rows made since the last call, in the order they were made."""
        self._taken += len(self._made)
        return self._made.take()

    def _move(self, time: int) -> None:
        if time < self._clock - STEP and self._live:
            self.finish()  # the clock was set: what was timed by it means nothing any more
            self._clock = max(time, 0)
        elif time > self._clock:
            self._clock = time
            self.advance(time)

    def _datagram(self, sender: bytes, datagram: bytes, arrival: int) -> None:
        if len(datagram) < 2:
            self._truncated += 1
            return
        if datagram[0] << 8 | datagram[1] not in VERSIONS:
            self._unsupported += 1
            return
        exporter = self._exporter(sender, arrival)
        if exporter is None:
            self._told["strangers"] += 1
            self._unsupported += 1
            return
        unread = exporter.templates.unread
        try:
            told = exporter.read(datagram)
        except Malformed as error:
            if error.short:
                self._truncated += 1
            else:
                self._malformed += 1
            return
        self._read += 1
        self._missing += told.missing
        self._told["records"] += len(told.flows) + told.unusable
        self._told["unusable"] += told.unusable
        self._told["unread"] += exporter.templates.unread - unread
        off = arrival - told.exported if self._live else 0
        self._told["clock_off"], self._told["latest"] = off, arrival
        shift = off if abs(off) > CLOCK_OFF else 0
        for flow in told.flows:
            self._add(flow, shift)
        if told.flows and self._live:
            self._told["late"] = arrival - max(flow.last for flow in told.flows)

    def _exporter(self, sender: bytes, arrival: int) -> Exporter | None:
        """The state of ``sender``; ``None`` if there are too many already."""
        known = self._exporters.pop(sender, None)
        if known is None and len(self._exporters) >= MAX_EXPORTERS:
            oldest, (_, heard) = next(iter(self._exporters.items()))
            if arrival - heard < SILENT:
                return None
            del self._exporters[oldest]
        exporter = known[0] if known is not None else Exporter()
        self._exporters[sender] = exporter, arrival
        return exporter

    def _add(self, flow: ExportedFlow, shift: int) -> None:
        for one in (flow, flow.back):
            if one is not None:
                one.start, one.last = max(one.start + shift, 0), max(one.last + shift, 0)
        if flow.total:
            self._since_last(flow)
        early = self._waiting.add(flow)
        if early is not None:
            self._count(early)

    def _since_last(self, flow: ExportedFlow) -> None:
        """Counters that run from a flow's beginning: less what was told of it before."""
        start, pkts, payload = self._totals.pop(flow.key, (0, 0, 0))
        self._totals[flow.key] = flow.start, flow.pkts, flow.payload
        if len(self._totals) > MAX_FLOWS:
            self._totals.popitem(last=False)
        if start == flow.start:
            flow.pkts, flow.payload = max(flow.pkts - pkts, 0), max(flow.payload - payload, 0)

    def _count(self, told: ExportedFlow) -> None:
        """Count a record, and its other direction, into the flow that it belongs to."""
        table, back = self._table, told.back
        last = told.last if back is None else max(told.last, back.last)
        if last >= table.due:
            table.run(last)
        flow = table.by_key.get(told.key)
        if flow is not None and flow.closed and told.flags & SYN and told.start > flow.last:
            table.end(flow)  # the same ports again: another connection
            flow = None
        if flow is None:
            start = told.start if back is None else min(told.start, back.start)
            ends = _as_called(told)
            flow = table.begin_told(ends.key, told.proto, ends.sport, ends.dport, start, last)
        flow.last = max(flow.last, last)
        _into(flow, told)
        if back is not None:
            _into(flow, back)
        if told.proto == TCP and not flow.closed:
            self._close(flow, last)

    def _close(self, flow: Flow, last: int) -> None:
        if (flow.orig_flags | flow.resp_flags) & RST:
            flow.aborter = 1 if flow.orig_flags & RST else 2
            self._table.close(flow, last)
        elif (flow.orig_seen | flow.orig_flags) & (flow.resp_seen | flow.resp_flags) & FIN:
            self._table.close(flow, last)


def _into(flow: Flow, told: ExportedFlow) -> None:
    if told.key == flow.key:
        flow.orig_pkts += told.pkts
        flow.orig_bytes += told.payload
        flow.orig_flags |= told.flags
    else:
        flow.resp_pkts += told.pkts
        flow.resp_bytes += told.payload
        flow.resp_flags |= told.flags


def _as_called(told: ExportedFlow) -> ExportedFlow:
    """The direction of ``told`` from who called to who was called, as far as its ends go.

    The flags of a whole connection tell it only where one side has no SYN, or never had an ACK. Else
    it is who sent first, as for the meter: but for a sender that was called by its port.
    """
    back = told.back or _turned(told)
    if told.proto == TCP:
        if _only_called(told.flags) or (back.flags & SYN == 0 and told.back and told.flags & SYN):
            return told
        refused = told.flags & RST and not told.flags & SYN
        if (
            _only_called(back.flags)
            or refused
            or (told.back and back.flags & SYN > told.flags & SYN)
        ):
            return back
    if told.back is None:
        first, second = told, back
    else:
        first, second = (told, back) if told.start <= back.start else (back, told)
        if told.flags & back.flags & SYN and told.start != back.start:
            return first
    return second if is_answer(first.proto, first.sport, first.dport, 0, first.key) else first


def _only_called(flags: int) -> bool:
    return bool(flags & SYN and not flags & ACK)


def _turned(told: ExportedFlow) -> ExportedFlow:
    """The other direction of ``told``, of which nothing was told."""
    return ExportedFlow(
        reverse(told.key), told.proto, told.dport, told.sport, told.start, told.last
    )
