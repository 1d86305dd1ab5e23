"""From payloads to rows of the tables ``dns``, ``tls``, ``dhcp``, within a budget of event time."""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.dissect import TCP, UDP, Packet, endpoints
from dijkwacht_agent.flows import Flow
from dijkwacht_agent.made_rows import MadeRows
from dijkwacht_agent.protocols import dhcp, dns, tls
from dijkwacht_agent.search_suffixes import SearchSuffixes
from dijkwacht_records.tables import DHCP, DNS, NO_ANSWER, TABLES, TLS

MAX_PER_SECOND: Final = 2000
"""Messages dissected in one second of event time; the rest is counted and left alone."""
MAX_GROWING: Final = 256
"""ClientHellos that may wait for their next segment at one time."""
_SECOND: Final = 1_000_000
_DNS, _TLS, _DHCP = map(TABLES.index, (DNS, TLS, DHCP))

_u32 = Struct(">I").unpack_from


class Budget:
    """At most ``limit`` messages in one second of event time."""

    def __init__(self, limit: int) -> None:
        self.shed = 0
        self._limit = limit
        self._second = -1
        self._left = limit

    def allows(self, time: int) -> bool:
        """Spend one message at ``time`` (µs), or count it as shed."""
        second = time // _SECOND
        if second != self._second:
            self._second, self._left = second, self._limit
        if self._left:
            self._left -= 1
            return True
        self.shed += 1
        return False


class NameReader:
    """Reads the names in packets that the meter hands over and adds their rows to ``made``.

    ``suffixes`` learns from them what the site's own names end in.
    """

    def __init__(
        self, made: MadeRows, suffixes: SearchSuffixes, limit: int = MAX_PER_SECOND
    ) -> None:
        self.budget = Budget(limit)
        self._made, self._suffixes = made, suffixes
        self._growing: dict[int, tuple[int, bytes]] = {}
        """Flow → the sequence number that comes next, and the hello so far."""

    def read_datagram(self, time: int, data: bytes, packet: Packet) -> None:
        """Read DNS or DHCP over UDP, by port."""
        key, _, sport, dport, _, _, at, size = packet
        if at >= len(data) or not self.budget.allows(time):
            return
        if sport in dhcp.PORTS and dport in dhcp.PORTS:
            self._dhcp(time, data[at : at + size], key)
        else:
            self._dns(time, data[at : at + size], size, key, sport, dport)

    def read_segment(self, time: int, data: bytes, packet: Packet) -> None:
        """Read DNS over TCP, where one segment holds the message."""
        key, _, sport, dport, _, _, at, size = packet
        if size > 14 and self.budget.allows(time):
            self._dns(time, data[at + 2 : at + size], size - 2, key, sport, dport)

    def read_opening(self, time: int, data: bytes, packet: Packet, flow: Flow) -> None:
        """Read the originator's first payload: a ClientHello, perhaps over several segments.

        Clears ``flow.opening`` once there is nothing more to wait for.
        """
        _, _, _, _, _, transport_at, at, size = packet
        if at >= len(data):
            return  # cut off by the capture, or a later fragment
        (sequence,) = _u32(data, transport_at + 4)
        payload = data[at : at + size]
        begun = self._growing.get(flow.flow_id)
        if begun is not None:
            if sequence != begun[0]:
                return  # seen before, or out of order: the right one may still come
            payload = begun[1] + payload
        elif not tls.begins_hello(payload):
            flow.opening = False
            return
        cut = len(data) < at + size  # by the capture: nothing can be joined to it
        if len(payload) < tls.hello_size(payload) and not cut:
            self._grow(flow, (sequence + size) & 0xFFFFFFFF, payload)
            return
        flow.opening = False
        self._growing.pop(flow.flow_id, None)
        hello = tls.read_hello(payload) if self.budget.allows(time) else None
        if hello is not None:
            orig_h, resp_h = endpoints(flow.key)
            row = (time, flow.flow_id, orig_h, resp_h, flow.resp_p, *hello)
            self._made.add(_TLS, row)

    def _grow(self, flow: Flow, expected: int, payload: bytes) -> None:
        """Keep the beginning of a hello; the oldest makes room, and counts as shed."""
        if flow.flow_id not in self._growing and len(self._growing) >= MAX_GROWING:
            del self._growing[next(iter(self._growing))]
            self.budget.shed += 1
        self._growing[flow.flow_id] = expected, payload

    def _dns(self, time: int, data: bytes, size: int, key: bytes, sport: int, dport: int) -> None:
        message = dns.read_message(data)
        if message is None:
            return
        self._suffixes.learn_from_query(message.query)
        sender, receiver = endpoints(key)
        name = (message.query, message.qtype)
        if message.response:
            row = (time, receiver, sender, sport, *name, 0, message.rcode, message.answers, size)
        else:
            row = (time, sender, receiver, dport, *name, 1, NO_ANSWER, 0, 0)
        self._made.add(_DNS, row)

    def _dhcp(self, time: int, data: bytes, key: bytes) -> None:
        message = dhcp.read_message(data, endpoints(key)[0])
        if message is not None:
            self._suffixes.learn(dhcp.read_suffixes(data))
            self._made.add(_DHCP, (time, *message))


NAME_PORTS: Final = {UDP: dns.PORTS | dhcp.PORTS, TCP: frozenset({53})}
"""Ports whose payload is worth a look, by protocol."""
