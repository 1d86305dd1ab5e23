"""From payloads to rows of the tables ``dns``, ``tls``, ``dhcp``, within a budget of event time."""

from __future__ import annotations

from struct import Struct
from typing import Final

from dijkwacht_agent.dissect import TCP, UDP, Packet, endpoints
from dijkwacht_agent.flows import Flow
from dijkwacht_agent.names import dhcp, dns, tls
from dijkwacht_records.tables import NO_ANSWER, Row

MAX_PER_SECOND: Final = 2000
"""Messages dissected in one second of event time; the rest is counted and left alone."""
MAX_GROWING: Final = 256
"""ClientHellos that may wait for their next segment at one time."""
_SECOND: Final = 1_000_000
_DNS, _TLS, _DHCP = 1, 2, 3

_u32 = Struct(">I").unpack_from
_growing = Struct(">I").pack


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
    """Reads the names in packets that the meter hands over and appends (table, row) to ``rows``."""

    def __init__(self, rows: list[tuple[int, Row]], limit: int = MAX_PER_SECOND) -> None:
        self.budget = Budget(limit)
        self._rows = rows
        self._hellos = 0  # that wait for their next segment

    def read_datagram(self, time: int, data: bytes, packet: Packet) -> None:
        """Read DNS or DHCP over UDP, by port."""
        key, _, sport, dport, _, _, at, size = packet
        if not size or not self.budget.allows(time):
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

        ``flow.hello`` is empty before the first segment, then the sequence number that comes next
        and what has come so far, and ``None`` once there is nothing to wait for.
        """
        _, _, _, _, _, transport_at, at, size = packet
        (sequence,) = _u32(data, transport_at + 4)
        payload = data[at : at + size]
        if flow.hello:
            if sequence != _u32(flow.hello)[0]:
                return  # seen before, or out of order: the right one may still come
            payload = flow.hello[4:] + payload
        elif not tls.begins_hello(payload):
            flow.hello = None
            return
        whole = tls.hello_size(payload)
        cut = len(data) < at + size  # by the capture: nothing can be joined to it
        if len(payload) < whole and not cut and (flow.hello or self._hellos < MAX_GROWING):
            self._hellos += not flow.hello
            flow.hello = _growing((sequence + size) & 0xFFFFFFFF) + payload
            return
        self.forget(flow)
        hello = tls.read_hello(payload) if self.budget.allows(time) else None
        if hello is not None:
            orig_h, resp_h = endpoints(flow.key)
            row = (time, flow.flow_id, orig_h, resp_h, flow.resp_p, *hello)
            self._rows.append((_TLS, row))

    def forget(self, flow: Flow) -> None:
        """Stop waiting for the rest of a ClientHello."""
        self._hellos -= bool(flow.hello)
        flow.hello = None

    def _dns(self, time: int, data: bytes, size: int, key: bytes, sport: int, dport: int) -> None:
        message = dns.read_message(data)
        if message is None:
            return
        sender, receiver = endpoints(key)
        name = (message.query, message.qtype)
        if message.response:
            row = (time, receiver, sender, sport, *name, 0, message.rcode, message.answers, size)
        else:
            row = (time, sender, receiver, dport, *name, 1, NO_ANSWER, 0, 0)
        self._rows.append((_DNS, row))

    def _dhcp(self, time: int, data: bytes, key: bytes) -> None:
        message = dhcp.read_message(data, endpoints(key)[0])
        if message is not None:
            self._rows.append((_DHCP, (time, *message)))


NAME_PORTS: Final = {UDP: dns.PORTS | dhcp.PORTS, TCP: frozenset({53})}
"""Ports whose payload is worth a look, by protocol."""
