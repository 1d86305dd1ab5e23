"""What a router tells becomes the rows that the meter would have made of the packets."""

import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dijkwacht_agent.flow_export.export_meter import (
    BYTES_PER_SECOND,
    MAX_EXPORTERS,
    SILENT,
    ExportMeter,
)
from dijkwacht_agent.flow_export.exporter import MAX_FIELDS, MAX_TEMPLATES
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.sources.export_socket import export_block
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import FLOWS, ConnState, FlowState

ROUTER = pack_address("192.168.7.1")
SECOND = 1_000_000
BEGIN = 1_700_000_000 * SECOND
OF_AN_IPFIX = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 2), (1, 8), (2, 8), (152, 8), (153, 8)]


def named(row):
    return dict(zip([column.name for column in FLOWS.columns], row, strict=True))


def turned(**flow):
    return {"src": "192.0.2.1", "dst": "192.168.7.5", "sport": 443, "dport": 50_000} | flow


def all_three(wire, *flows):
    """The same flows in NetFlow 5, in NetFlow 9 and in IPFIX."""
    records = b"".join(map(wire.record, flows))
    yield wire.v5(*flows)
    yield wire.v9(wire.a_set(0, wire.template()), wire.a_set(256, records))
    fields = OF_AN_IPFIX
    body = b""
    for flow in flows:
        old = struct.unpack(">4s4sHHBBIIII", wire.record(flow))
        first, last = ((BEGIN // 1000 - 100_000 + ms) for ms in old[8:])
        body += struct.pack(">4s4sHHBHQQQQ", *old[:8], first, last)
    yield wire.ipfix(wire.a_set(2, wire.template(256, fields)), wire.a_set(256, body))


def test_both_directions_are_one_flow_in_any_of_the_three(wire, fed):
    flows = {"octets": 340, "pkts": 6}, turned(octets=1200, pkts=5, first=90_009)
    for datagram in all_three(wire, *flows):
        [row] = map(named, fed().give(datagram).rows)
        assert (row["orig_h"], row["resp_h"]) == (
            pack_address("192.168.7.5"),
            pack_address("192.0.2.1"),
        )
        assert (row["orig_p"], row["resp_p"], row["proto"]) == (50_000, 443, 6)
        assert (row["part"], row["state"], row["conn_state"]) == (0, FlowState.END, ConnState.SF)
        assert (row["orig_pkts"], row["resp_pkts"]) == (6, 5)
        assert (row["orig_bytes"], row["resp_bytes"]) == (340 - 6 * 40, 1200 - 5 * 40)
        assert (row["local_orig"], row["local_resp"]) == (1, 0)
        assert row["time"] - row["start"] == 5 * SECOND


def test_version_5_tells_the_time_to_the_millisecond(wire, fed):
    [row] = map(named, fed().give(wire.v5({})).rows)
    assert row["start"] == BEGIN + 250_000 - 10 * SECOND


def test_version_9_comes_to_the_millisecond_by_many_datagrams(wire, fed):
    """Its clock tells whole seconds: the datagram that is sent just after one is the best."""
    told = fed()
    for n in range(20):
        ms = n * 350
        sets = wire.a_set(0, wire.template()), wire.a_set(256, wire.record({"sport": 1024 + n}))
        told.give(wire.v9(*sets, seconds=BEGIN // SECOND + (900 + ms) // 1000, uptime=100_000 + ms))
    best = next(row["start"] for row in map(named, told.rows) if row["orig_p"] == 1024 + 19)
    assert best == pytest.approx(BEGIN + 900_000 - 10 * SECOND, abs=50_001)


def test_who_called_is_told_by_syn_then_by_time_then_by_port(wire, fed):
    refused = {"flags": 0x02, "pkts": 1, "octets": 44}, turned(flags=0x14, pkts=1, octets=40)
    for flows in (refused, refused[::-1]):
        [row] = map(named, fed().give(wire.v5(*flows)).rows)
        assert (row["resp_p"], row["conn_state"]) == (443, ConnState.REJ)
        assert (row["orig_bytes"], row["resp_bytes"]) == (0, 0)
    alone = turned(flags=0x14, pkts=1)
    assert named(fed().give(wire.v5(alone)).rows[0])["resp_p"] == 443
    asked = {"proto": 17, "flags": 0, "sport": 40_000, "dport": 8_053, "first": 90_000}
    answer = turned(proto=17, flags=0, sport=8_053, dport=40_000, first=90_020)
    [*_, row] = map(named, fed().give(wire.v5(answer, asked)).rows)
    assert row["resp_p"] == 8_053
    dns = turned(proto=17, flags=0, sport=53, dport=40_000)
    assert named(fed().give(wire.v5(dns)).rows[0])["resp_p"] == 53


def test_a_ping_and_its_answer_are_one_flow(wire, fed):
    ping = {"proto": 1, "flags": 0, "sport": 0, "dport": 8 << 8, "pkts": 2, "octets": 168}
    answer = turned(proto=1, flags=0, sport=0, dport=0, pkts=2, octets=168)
    rows = [named(row) for row in fed().give(wire.v5(ping, answer)).rows]
    assert [(r["orig_p"], r["resp_p"], r["orig_pkts"], r["resp_pkts"]) for r in rows] == [
        (8, 0, 2, 2)
    ]


def test_a_long_flow_told_in_parts_counts_once(wire, fed):
    told = fed(hold=60 * SECOND)
    for n in range(4):
        when = BEGIN + n * 60 * SECOND
        part = {"flags": 0x1A if not n else 0x18, "first": 41_000, "last": 99_000}
        records = wire.record(part) + wire.record(turned(**part | {"first": 41_009}))
        sets = wire.a_set(0, wire.template()), wire.a_set(256, records)
        told.give(wire.v9(*sets, seconds=when // SECOND), at=when)
    rows = [named(row) for row in told.rows]
    assert len({row["flow_id"] for row in rows}) == 1
    assert [row["part"] for row in rows] == list(range(len(rows)))
    assert sum(row["orig_pkts"] for row in rows) == 20
    assert [row["state"] for row in rows][:: len(rows) - 1] == [FlowState.OPEN, FlowState.END]


def test_counters_of_the_whole_flow_are_told_apart_from_those_of_a_part(wire, fed):
    fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (85, 4), (86, 4), (22, 4), (21, 4)]
    told = fed()
    for octets, pkts, last in ((500, 5, 80_000), (900, 9, 95_000)):
        flow = {"octets": octets, "pkts": pkts, "first": 70_000, "last": last, "flags": 0x18}
        sets = wire.a_set(0, wire.template(256, fields)), wire.a_set(256, wire.record(flow))
        told.give(wire.v9(*sets))
    assert sum(named(row)["orig_pkts"] for row in told.rows) == 9


def test_the_other_direction_may_be_in_the_record_itself(wire, fed):
    fields = struct.pack(">HH", 256, 7)
    for field in ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1)):
        fields += struct.pack(">HH", *field)
    fields += struct.pack(">HH", 2, 4) + struct.pack(">HHI", 0x8002, 4, 29305)
    body = struct.pack(">4s4sHHBII", b"\xc0\xa8\7\5", b"\xc0\0\2\1", 40_000, 53, 17, 3, 4)
    [row, *_] = map(
        named, fed().give(wire.ipfix(wire.a_set(2, fields), wire.a_set(256, body))).rows
    )
    assert (row["orig_pkts"], row["resp_pkts"], row["time"]) == (3, 4, BEGIN)


def test_what_goes_through_two_interfaces_is_counted_once(wire, fed):
    told = fed().give(wire.v5({}, {}))
    assert sum(named(row)["orig_pkts"] for row in told.rows) == 5
    assert told.meter.exports["doubles"] == 1


def test_rows_come_out_in_the_order_of_time_though_records_do_not(wire, fed):
    told = fed(hold=60 * SECOND)
    flows = [{"sport": 1024 + n, "last": 99_000 - n * 7, "flags": 2, "pkts": 1} for n in range(200)]
    told.give(wire.v5(*flows[:30]), wire.v5(*flows[30:60]))
    assert not len(told.meter.take())
    told.meter.advance(BEGIN + 2 * SECOND)
    times = [row[0] for _, row in told.meter.take().rows()]
    assert len(times) == 60
    assert times == sorted(times)


def test_records_before_their_template_are_counted_as_unread(wire, fed):
    told = fed().give(wire.v9(wire.a_set(256, wire.record({}))))
    assert (told.rows, told.meter.exports["unread"]) == ([], 1)


def test_sampling_is_told_and_nothing_is_multiplied(wire, fed):
    told = fed().give(wire.v5({}, sampling=1 << 14 | 100))
    assert told.meter.exports["sampling"] == 100
    assert sum(named(row)["orig_pkts"] for row in told.rows) == 5


def test_a_routers_clock_that_is_off_is_told_and_set_right(wire, fed):
    told = fed(hold=60 * SECOND).give(wire.v5({}), at=BEGIN + 3600 * SECOND)
    assert told.meter.exports["clock_off"] == 3600 * SECOND - 250_000
    assert named(told.rows[0])["time"] == BEGIN + 3595 * SECOND


def test_datagrams_that_never_came_are_counted(wire, fed):
    told = fed()
    for seq in (0, 2, 4, 10):
        told.give(wire.v5({"sport": seq + 1}, {"sport": seq + 2}, seq=seq))
    counters = told.meter.counters
    assert (told.meter.exports["missing"], counters["dropped_ring"]) == (2, 2)
    assert counters["packets_seen"] == 4 + 2


def test_what_came_is_read_or_dropped_for_a_reason(wire, fed):
    told = fed(heard=LocalNetworks(["192.168.7.0/24"]))
    told.give(wire.v5({}), b"", b"\0\7\0\0", wire.v5({})[:10], wire.v9()[:12])
    told.give(wire.v5({}), sender=pack_address("203.0.113.9"))
    told.give(*[wire.v5({}) + bytes(BYTES_PER_SECOND)] * 8)
    told.meter.feed(export_block([ROUTER], [BEGIN], [99]))
    told.meter.dropped_ring = 2
    counters = told.meter.counters
    drops = {name: count for name, count in counters.items() if name.startswith("dropped_")}
    assert drops == {
        "dropped_ring": 2 + 5,  # of eight, a burst has room for three
        "dropped_truncated": 4,
        "dropped_malformed": 0,
        "dropped_unsupported": 2,
    }
    assert counters["packets_metered"] == 1 + 3
    assert counters["packets_seen"] == 4 + sum(drops.values())
    assert (told.meter.exports["strangers"], told.meter.exports["refused"]) == (1, 5)
    assert told.meter.exports["shed"] == 5


def test_too_many_exporters_push_out_only_those_that_are_silent(wire, fed):
    told = fed()
    for n in range(MAX_EXPORTERS + 5):
        told.give(wire.v5({"sport": n + 1}), sender=bytes(15) + bytes([n]))
    assert told.meter.exports["exporters"] == MAX_EXPORTERS
    assert told.meter.exports["strangers"] == 5
    told.give(wire.v5({}), at=BEGIN + SILENT, sender=b"\1" * 16)
    assert told.meter.exports["strangers"] == 5


def test_templates_do_not_grow(wire, fed):
    told = fed()
    fields = [(8, 4), (12, 4)] + [(400 + n, 4) for n in range(MAX_FIELDS - 2)]

    def teach(numbers):
        for number in numbers:
            told.give(wire.v9(wire.a_set(0, wire.template(number, fields))))

    teach(range(256, 256 + MAX_TEMPLATES))
    tracemalloc.start()
    try:
        teach(range(1000, 1000 + 4 * MAX_TEMPLATES))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    [(exporter, _)] = told.meter._exporters.values()
    assert len(exporter.templates) == MAX_TEMPLATES
    assert grown < 2_000_000


@pytest.mark.parametrize(
    "fields",
    [
        [(8, 4), (12, 4), (1, 0)],
        [(8, 4), (12, 4)] + [(1, 1)] * MAX_FIELDS,
        [(1, 1)],
    ],
)
def test_a_template_that_would_be_dear_or_useless_is_refused(wire, fed, fields):
    sets = wire.a_set(0, wire.template(256, fields)), wire.a_set(256, bytes(1200))
    told = fed().give(wire.v9(*sets))
    assert (told.rows, told.meter.exports["records"]) == ([], 0)


def test_an_option_that_no_number_holds_is_malformed_and_not_the_end(wire, fed):
    """The library divides it; that overflows."""
    template = struct.pack(">HHHHHHH", 257, 2, 1, 305, 1, 306, 200)
    sets = wire.a_set(3, template), wire.a_set(257, b"\1" + b"\xff" * 200)
    told = fed().give(wire.ipfix(*sets), wire.v5({}))
    assert told.meter.counters["dropped_malformed"] == 1
    assert told.meter.counters["packets_metered"] == 1


def test_a_flow_that_began_in_1970_costs_no_more_than_another(wire, fed):
    fields = [(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (2, 4), (150, 4), (151, 4)]
    body = struct.pack(
        ">4s4sHHBIII", b"\xc0\xa8\7\5", b"\xc0\0\2\1", 1, 2, 17, 3, 1, BEGIN // SECOND
    )
    sets = wire.a_set(2, wire.template(256, fields)), wire.a_set(256, body)
    rows = fed().give(wire.ipfix(*sets)).rows
    assert named(rows[0])["start"] == SECOND
    assert len(rows) <= 2


MUTATIONS = st.lists(
    st.tuples(st.integers(0, 400), st.integers(0, 255), st.sampled_from(["set", "cut", "add"])),
    max_size=8,
)


@given(st.integers(0, 2), MUTATIONS, st.integers(0, 2), MUTATIONS)
def test_no_bytes_do_harm(wire_for_all, first, mutations, second, others):
    wire, meter = wire_for_all, ExportMeter(LocalNetworks())
    made = list(all_three(wire, {}, turned()))
    for which, changes in ((first, mutations), (second, others)):
        data = bytearray(made[which])
        for place, value, what in changes:
            at = place % (len(data) + 1)
            if what == "cut":
                del data[at : at + value % 9]
            elif what == "add":
                data[at:at] = bytes([value]) * (value % 9)
            elif at < len(data):
                data[at] = value
        meter.feed(export_block([bytes(16) + data], [BEGIN], [16 + len(data)]))
    meter.finish()
    rows = meter.take()
    counters = meter.counters
    drops = sum(count for name, count in counters.items() if name.startswith("dropped_"))
    assert counters["packets_seen"] == counters["packets_metered"] + drops
    for _, row in rows.rows():
        flow = named(row)
        assert 0 <= flow["start"] <= flow["time"]
        assert all(0 <= flow[n] < 1 << 63 for n in ("orig_pkts", "resp_pkts", "orig_bytes"))
