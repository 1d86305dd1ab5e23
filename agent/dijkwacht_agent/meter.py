"""The reference meter: frames in, columns out. Everything is decided by the time in the frames.

Time comes from the frames and never runs back: a frame older than the one before it counts as equally
old, and a clock that steps back by more than `STEP` ends every flow, because what was timed by it
means nothing any more. So the rows are a function of the frames alone: neither the size of the
blocks nor the speed of the reading changes them.
"""

from __future__ import annotations

import struct
from typing import Final

from dijkwacht_agent.budget import Budget
from dijkwacht_agent.dissect import (
    ACK,
    FIN,
    ICMPV6,
    PINGS,
    RST,
    SYN,
    TCP,
    UDP,
    Fragments,
    Packet,
    dissect_arp,
    dissect_ipv4,
    dissect_ipv6,
)
from dijkwacht_agent.echoes import compare_echo
from dijkwacht_agent.first_packets import FirstPackets
from dijkwacht_agent.flow import Flow
from dijkwacht_agent.flows import MAX_FLOWS, FlowTable
from dijkwacht_agent.frames import Block
from dijkwacht_agent.link_layers import (
    ARP,
    ETHERNET,
    IPV4,
    IPV6,
    LINKS,
    Malformed,
    Unsupported,
    source_mac,
    unknown_link,
)
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.neighbours import KINDS as NEIGHBOUR_KINDS
from dijkwacht_agent.neighbours import Carried, Neighbours
from dijkwacht_agent.protocols.listener import MAX_MESSAGES, Listener
from dijkwacht_agent.protocols.names import MAX_PER_SECOND, NAME_PORTS, NameReader
from dijkwacht_agent.turn_taking import SILENCE, take_turn
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.tables import ARP as ARP_ROWS
from dijkwacht_records.tables import FLOODS, TABLES

STEP: Final = 10_000_000
"""µs by which time may run back before it counts as a clock that was set."""
_EVENTS: Final = FIN | SYN | RST
_ARP_TABLE: Final = TABLES.index(ARP_ROWS)
_FLOODS_TABLE: Final = TABLES.index(FLOODS)
_NAMES: Final = NAME_PORTS[UDP]
_IP: Final = frozenset({IPV4, IPV6})
_ether_type = struct.Struct(">H").unpack_from


class Meter:
    """Meters frames into rows of all tables but ``system`` and ``agent``.

    ``max_flows`` bounds the memory, ``names_per_second`` the work on names (and, apart from them, on
    ARP, and on neighbours in IPv6), ``messages_per_second`` that on conversations. ``counts_floods`` is set if the newest contract that is written has the table ``floods``: clear it
    where an older one is, and what would be counted are rows of ``flows``. Set ``dropped_ring`` to what the source lost, so that `counters` add up:
    ``packets_seen = packets_metered + dropped_ring + dropped_truncated + dropped_malformed +
    dropped_unsupported``.
    """

    def __init__(
        self,
        inside: LocalNetworks,
        *,
        max_flows: int = MAX_FLOWS,
        names_per_second: int = MAX_PER_SECOND,
        messages_per_second: int = MAX_MESSAGES,
    ) -> None:
        self.dropped_ring = 0
        self._made = MadeRows()
        self._table = FlowTable(inside, self._made, max_flows)
        self._table.counts_floods = CONTRACTS[max(WRITES)].has(_FLOODS_TABLE)
        self._listener = Listener(self._table, self._made, names_per_second, messages_per_second)
        memory = self._listener.memory
        self._names = NameReader(self._made, inside, memory.names, names_per_second)
        self._first = FirstPackets(memory.names, memory.commanded)
        self._arp_budget = Budget(names_per_second)
        self._neighbours = Neighbours(self._made, names_per_second)
        self._fragments = Fragments()
        self._clock = 0
        self._fed = self._metered = self._taken = 0
        self._truncated = self._malformed = self._unsupported = 0

    @property
    def counts_floods(self) -> bool:
        """Flows that a full table gives up before their first row are counted in ``floods``."""
        return self._table.counts_floods

    @counts_floods.setter
    def counts_floods(self, counts: bool) -> None:
        self._table.counts_floods = counts

    @property
    def counters(self) -> dict[str, int]:
        """Counts since the start, named as in the ``agent`` table."""
        return {
            "packets_seen": self._fed + self.dropped_ring,
            "packets_metered": self._metered,
            "dropped_ring": self.dropped_ring,
            "dropped_truncated": self._truncated,
            "dropped_malformed": self._malformed,
            "dropped_unsupported": self._unsupported,
            "flows_active": self._table.active,
            "flows_evicted": self._table.evicted,
            "flows_counted": self._table.floods.counted,
            "names_shed": self._names.budget.shed
            + self._arp_budget.shed
            + self._neighbours.budget.shed,
            "messages_shed": self._listener.shed,
            "rows_made": self._taken + len(self._made),
        }

    # One loop that calls as little as it can is what makes plain Python fast enough here.
    def feed(self, block: Block) -> None:  # noqa: C901, PLR0912, PLR0915
        """Count its frames into flows and names, and cut every part that falls due among them."""
        table, fragments, first = self._table, self._fragments, self._first
        flows = table.by_key
        clock = self._clock
        metered = unsupported = 0
        stretch, link_type = block.data, block.link_type
        is_ethernet, find_inner = link_type == ETHERNET, LINKS.get(link_type, unknown_link)
        for time, begin, end, wire_len, vlan in zip(
            block.times, block.begins, block.ends, block.wire_lens, block.vlans, strict=True
        ):
            data = stretch[begin:end]
            if time > clock:
                clock = time
                if clock >= table.due:
                    table.run(clock)
            elif time < clock - STEP:
                table.end_all()
                clock = max(time, 0)
            try:
                if is_ethernet:
                    (kind,) = _ether_type(data, 12)
                    at = 14
                if not is_ethernet or kind not in _IP:
                    kind, at, vlan = find_inner(data, vlan)  # noqa: PLW2901 - its own tag
                if kind == IPV4:
                    packet = dissect_ipv4(data, at, wire_len, vlan, fragments)
                elif kind == IPV6:
                    packet = dissect_ipv6(data, at, wire_len, vlan, fragments)
                elif kind == ARP:
                    self._arp(clock, link_type, data, at)
                    metered += 1
                    continue
                else:
                    unsupported += 1
                    continue
            except (struct.error, IndexError):
                self._truncated += 1
                continue
            except Malformed:
                self._malformed += 1
                continue
            except Unsupported:
                unsupported += 1
                continue
            metered += 1
            key, proto, sport, dport, flags, _, _, size = packet
            flow = flows.get(key)
            if flow is None or (flow.closed and flags & SYN and not flags & ACK):
                if flow is not None:
                    table.end(flow)  # the same ports again: another connection
                flow = table.begin(key, proto, sport, dport, flags, clock)
                first.begin(flow, clock, data, packet, link_type)
            from_orig = key == flow.key
            if (size or proto in PINGS) and (
                flow.speaker is not from_orig or clock - flow.last >= SILENCE
            ):
                if flow.speaker is None:
                    first.speak(flow, data, packet, from_orig=from_orig)
                take_turn(flow, clock, from_orig=from_orig)
            flow.last = clock
            if from_orig:
                flow.orig_pkts += 1
                flow.orig_bytes += size
                flow.orig_flags |= flags
            else:
                flow.resp_pkts += 1
                flow.resp_bytes += size
                flow.resp_flags |= flags
            if proto == TCP:
                if size and flow.listening:
                    self._listener.listen(clock, data, packet, flow)
                if flags & _EVENTS and not flow.closed:
                    self._tcp_event(flow, flags, clock)
                if size and (sport == 53 or dport == 53):
                    self._names.read_segment(clock, data, packet)
            elif proto == UDP:
                if sport in _NAMES or dport in _NAMES:
                    self._names.read_datagram(clock, data, packet)
                elif size and flow.listening:
                    self._listener.listen(clock, data, packet, flow)
            elif proto in PINGS:
                if proto == ICMPV6 and sport in NEIGHBOUR_KINDS:
                    self._neighbour(clock, link_type, data, at, packet)
                else:
                    compare_echo(flow, data, packet)
        self._clock = clock
        self._fed += len(block)
        self._metered += metered
        self._unsupported += unsupported

    def advance(self, now: int) -> None:
        """Cut every part that is due at ``now`` (µs), though no frame came."""
        if now >= self._table.due:
            self._table.run(now)

    def finish(self) -> None:
        """End every flow: no more frames will come."""
        self._table.end_all()

    def take(self) -> Columns:
        """Rows made since the last call, in the order they were made."""
        self._taken += len(self._made)
        return self._made.take()

    def _tcp_event(self, flow: Flow, flags: int, time: int) -> None:
        """A SYN, FIN or RST was counted into ``flow``: it may be over now."""
        if flags & RST:
            flow.aborter = 1 if flow.orig_flags & RST else 2
            self._table.close(flow, time)
        elif flags & FIN:
            both = (flow.orig_seen | flow.orig_flags) & (flow.resp_seen | flow.resp_flags)
            if both & FIN:
                self._table.close(flow, time)

    def _neighbour(self, time: int, link_type: int, data: bytes, at: int, packet: Packet) -> None:
        known = link_type == ETHERNET and data[6:12] in self._first.gateways
        beside = link_type == ETHERNET and self._first.gateways.others_at_work(time, data[6:12])
        carried = Carried(known, beside)
        self._neighbours.read(time, data, at, packet, source_mac(link_type, data), carried)

    def _arp(self, time: int, link_type: int, data: bytes, at: int) -> None:
        known = link_type == ETHERNET and data[6:12] in self._first.gateways
        row = dissect_arp(data, at, source_mac(link_type, data), time, from_gateway=known)
        if self._arp_budget.allows(time):
            self._made.add(_ARP_TABLE, row)
