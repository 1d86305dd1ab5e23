"""Export datagrams made by hand, field by field."""

import struct

import pytest

from dijkwacht_agent.flow_export.export_meter import ExportMeter
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.sources.export_socket import export_block
from dijkwacht_records.addresses import pack_address

SECOND = 1_000_000
BEGIN = 1_700_000_000
"""Seconds UTC at which the datagrams are sent, when the router has run for 100 s."""
UPTIME = 100_000
V9_FIELDS = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (1, 4), (2, 4), (22, 4), (21, 4)]


class Wire:
    """Makes datagrams of the three protocols. A flow is a dict with what differs from a default."""

    begin = BEGIN
    fields = V9_FIELDS

    def _values(self, flow):
        usual = {
            "src": "192.168.7.5",
            "dst": "192.0.2.1",
            "sport": 50_000,
            "dport": 443,
            "proto": 6,
        }
        usual |= {"flags": 0x1B, "octets": 500, "pkts": 5, "first": 90_000, "last": 95_000}
        return usual | flow

    def v5(self, *flows, seq=0, sampling=0):
        head = (5, len(flows), UPTIME, BEGIN, 250_000_000, seq, 0, 0, sampling)
        body = b""
        for flow in map(self._values, flows):
            ends = pack_address(flow["src"])[12:], pack_address(flow["dst"])[12:], bytes(4)
            counts = 1, 2, flow["pkts"], flow["octets"], flow["first"], flow["last"]
            ports = flow["sport"], flow["dport"], 0, flow["flags"], flow["proto"], 0, 0, 0, 0, 0, 0
            body += struct.pack(">4s4s4sHHIIIIHHBBBBHHBBH", *ends, *counts, *ports)
        return struct.pack(">HHIIIIBBH", *head) + body

    def template(self, number=256, fields=V9_FIELDS):
        body = struct.pack(">HH", number, len(fields))
        return body + b"".join(struct.pack(">HH", *field) for field in fields)

    def record(self, flow):
        flow = self._values(flow)
        ends = pack_address(flow["src"])[12:], pack_address(flow["dst"])[12:]
        rest = (
            flow["sport"],
            flow["dport"],
            flow["proto"],
            flow["flags"],
            flow["octets"],
            flow["pkts"],
        )
        return struct.pack(">4s4sHHBBIIII", *ends, *rest, flow["first"], flow["last"])

    def a_set(self, number, body):
        body += bytes(-len(body) % 4)
        return struct.pack(">HH", number, 4 + len(body)) + body

    def v9(self, *sets, seq=0, seconds=BEGIN, uptime=UPTIME):
        return struct.pack(">HHIIII", 9, len(sets), uptime, seconds, seq, 0) + b"".join(sets)

    def ipfix(self, *sets, seq=0, seconds=BEGIN):
        body = b"".join(sets)
        return struct.pack(">HHIII", 10, 16 + len(body), seconds, seq, 0) + body


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture(scope="session")
def wire_for_all():
    """The same, for a test that is run on many examples."""
    return Wire()


ROUTER = pack_address("192.168.7.1")


class Fed:
    """A meter that was given datagrams at µs of arrival; ``rows`` are all that it made."""

    def __init__(self, **options):
        self.meter = ExportMeter(LocalNetworks(), **options)
        self.hold = options.get("hold", 0)

    def give(self, *datagrams, at=BEGIN * SECOND, sender=ROUTER):
        parts = [sender + datagram for datagram in datagrams]
        times = [at - self.hold] * len(parts)
        self.meter.feed(export_block(parts, times, list(map(len, parts))))
        return self

    @property
    def rows(self):
        self.meter.finish()
        return [row for _, row in self.meter.take().rows()]


@pytest.fixture
def fed():
    return Fed
