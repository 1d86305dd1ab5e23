"""The meter as a whole: everything adds up, and only the frames decide."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import Block, block_of, in_blocks
from dijkwacht_agent.link_layers import LINKS
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import AGENT, TABLES, FlowState

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
DROPS = ("dropped_ring", "dropped_truncated", "dropped_malformed", "dropped_unsupported")

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
KINDS = [
    bytes(ETHER / packet)
    for packet in (
        IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, flags="S"),
        IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=40000, flags="SA"),
        IP(src="10.0.0.1", dst="10.0.0.2") / TCP(sport=40000, dport=80, flags="FA"),
        IP(src="10.0.0.2", dst="10.0.0.1") / TCP(sport=80, dport=40000, flags="R"),
        IP(src="10.0.0.1", dst="8.8.8.8") / UDP(sport=5000) / DNS(qd=DNSQR(qname="example.nl")),
        IPv6(src="fd00::1", dst="fd00::2") / UDP(sport=5000, dport=6000) / Raw(b"abc"),
        Dot1Q(vlan=5) / ARP(psrc="10.0.0.1", pdst="10.0.0.2"),
        IP(frag=3, src="10.0.0.1", dst="10.0.0.2") / Raw(bytes(40)),
    )
]


def frame(time: int, data: bytes, link_type: int = 1) -> tuple:
    return START + time, link_type, data, len(data), 0


def rows_of(frames: list, block: int, **limits: int) -> list:
    meter = Meter(LocalNetworks(), **limits)
    for at in range(0, len(frames), block):
        meter.feed(block_of(frames[at : at + block]))
    meter.finish()
    return list(meter.take().rows())


@st.composite
def mutated(draw):
    """A frame of a known kind, perhaps cut or with a few bytes changed."""
    data = bytearray(draw(st.sampled_from(KINDS)))
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data[: draw(st.integers(0, len(data)) | st.just(len(data)))])


traffic = st.lists(
    st.tuples(st.integers(-SECOND, 20 * SECOND), mutated() | st.sampled_from(KINDS)), max_size=80
)


def timed(steps: list) -> list:
    time, frames = 0, []
    for gap, data in steps:
        time += gap
        frames.append(frame(time, data))
    return frames


@given(
    st.lists(st.tuples(st.sampled_from([*LINKS, 7, 250]), mutated() | st.binary(max_size=80))),
    st.integers(0, 1000),
)
def test_every_packet_is_metered_or_dropped_for_a_reason(packets, lost):
    meter = Meter(LocalNetworks())
    for block in in_blocks(frame(0, data, link_type) for link_type, data in packets):
        meter.feed(block)
    meter.dropped_ring = lost
    counters = meter.counters
    assert counters["packets_seen"] == len(packets) + lost
    assert counters["packets_seen"] == counters["packets_metered"] + sum(
        counters[reason] for reason in DROPS
    )


def test_the_counters_are_named_as_in_the_contract():
    assert set(Meter(LocalNetworks()).counters) <= {column.name for column in AGENT.columns}


@given(traffic, st.integers(1, 7))
def test_the_size_of_the_blocks_changes_nothing(steps, block):
    frames = timed(steps)
    assert rows_of(frames, block, max_flows=3) == rows_of(frames, 1000, max_flows=3)


@given(traffic.filter(bool), st.lists(st.integers(0, 80)))
def test_a_block_cut_anywhere_gives_the_same_rows_and_counters(steps, places):
    whole = block_of(timed(steps))
    at_once, in_parts = (Meter(LocalNetworks(), max_flows=3) for _ in range(2))
    at_once.feed(whole)
    edges = sorted({0, len(whole), *(place % (len(whole) + 1) for place in places)})
    for begin, end in pairwise(edges):
        in_parts.feed(whole.cut(begin, end))
        in_parts.feed(whole.cut(end, end))  # time passed
    assert in_parts.counters == at_once.counters
    at_once.finish()
    in_parts.finish()
    assert list(in_parts.take().rows()) == list(at_once.take().rows())


@given(traffic.filter(bool), st.binary(min_size=1, max_size=20))
def test_what_lies_between_the_frames_of_a_block_is_not_metered(steps, between):
    frames = timed(steps)
    tight = block_of(frames)
    moved = [len(between) * (place + 1) for place in range(len(frames))]
    loose = Block(
        b"".join(between + data for _, _, data, _, _ in frames) + between,
        tight.link_type,
        tight.times,
        [begin + by for begin, by in zip(tight.begins, moved, strict=True)],
        [end + by for end, by in zip(tight.ends, moved, strict=True)],
        tight.wire_lens,
        tight.vlans,
    )
    meter = Meter(LocalNetworks(), max_flows=3)
    meter.feed(loose)
    meter.finish()
    assert list(meter.take().rows()) == rows_of(frames, 1000, max_flows=3)


@pytest.mark.parametrize("link_type", [1, 250])
def test_an_empty_block_is_nothing(link_type):
    meter = Meter(LocalNetworks())
    before = meter.counters
    meter.feed(Block(b"", link_type, [], [], [], [], []))
    meter.finish()
    assert list(meter.take().rows()) == []
    assert meter.counters == before


@given(traffic, st.lists(st.integers(0, 20 * SECOND)))
def test_looking_more_often_changes_what_is_in_no_row(steps, looks):
    frames = [frame for frame in timed(steps) if frame[0] >= START]
    frames.sort(key=lambda frame: frame[0])
    meter = Meter(LocalNetworks())
    for place, each in enumerate(frames):
        meter.feed(block_of([each]))
        later = frames[place + 1][0] if place + 1 < len(frames) else each[0]
        for look in looks:
            meter.advance(min(each[0] + look, later))
    meter.finish()
    assert sorted(meter.take().rows()) == sorted(rows_of(frames, 1000))


@given(traffic)
def test_rows_hold_what_the_contract_says(steps):
    kinds = {"int": int, "addr": bytes, "text": str}
    for number, row in rows_of(timed(steps), 10):
        columns = TABLES[number].columns
        assert len(row) == len(columns)
        for column, value in zip(columns, row, strict=True):
            assert type(value) is kinds[column.kind], column
            if column.kind == "int":
                assert 0 <= value < 1 << 62
            if column.kind == "addr":
                assert len(value) == 16


def test_rows_of_one_export_are_in_order_of_row_time():
    frames = [
        frame(place * 1000, KINDS[5][:56] + bytes([0, place]) + KINDS[5][58:])
        for place in range(50)
    ]
    frames += [frame(500_000 - place * 1000, each[2]) for place, each in enumerate(frames)]
    meter = Meter(LocalNetworks())
    meter.feed(block_of(sorted(frames)))
    meter.advance(START + 10 * SECOND)
    times = [row[0] for _, row in meter.take().rows()]
    assert len(times) == 50
    assert times == sorted(times)


def test_a_gap_of_a_million_years_is_stepped_over():
    meter = Meter(LocalNetworks())
    for year in range(30):
        meter.feed(block_of([frame(year * 31_536_000 * SECOND, KINDS[0])]))
    meter.advance(START + 10**6 * 31_536_000 * SECOND)
    assert meter.counters["flows_active"] == 0


def test_a_little_disorder_is_evened_out():
    rows = rows_of(
        [frame(3 * SECOND, KINDS[5]), frame(0, KINDS[5]), frame(3 * SECOND + 1, KINDS[5])], 1
    )
    ((_, row),) = rows
    assert (row[0] - START, row[1] - START, row[14]) == (3 * SECOND + 1, 3 * SECOND, 3)


def test_a_clock_that_was_set_back_ends_every_flow():
    meter = Meter(LocalNetworks())
    meter.feed(block_of([frame(0, KINDS[5])]))
    meter.feed(block_of([frame(-3600 * SECOND, KINDS[5])]))
    ((_, row),) = meter.take().rows()
    assert row[4] == FlowState.END
    meter.advance(START - 3599 * SECOND)
    ((_, row),) = meter.take().rows()
    assert (row[1] - START, row[4]) == (-3600 * SECOND, FlowState.OPEN)


def test_frames_of_1970_are_metered():
    meter = Meter(LocalNetworks())
    meter.feed(block_of([(0, 1, KINDS[0], 54, 0), (5, 1, KINDS[1], 54, 0)]))
    meter.finish()
    ((_, row),) = meter.take().rows()
    assert row[:2] == (5, 0)


def test_names_beyond_the_budget_are_counted_and_the_next_second_has_its_own():
    meter = Meter(LocalNetworks(), names_per_second=3)
    meter.feed(block_of([frame(place * 1000, KINDS[4]) for place in range(10)]))
    meter.feed(block_of([frame(SECOND, KINDS[4])]))
    assert len([number for number, _ in meter.take().rows() if number == 1]) == 4
    assert meter.counters["names_shed"] == 7


def test_arp_has_a_budget_of_its_own():
    meter = Meter(LocalNetworks(), names_per_second=3)
    meter.feed(block_of([frame(place, KINDS[6]) for place in range(10)]))
    meter.feed(block_of([frame(20, KINDS[4])]))
    assert [number for number, _ in meter.take().rows()] == [4, 4, 4, 1]
    assert meter.counters["packets_metered"] == 11


def test_names_stand_in_sequence_with_flows():
    meter = Meter(LocalNetworks())
    meter.feed(
        block_of([frame(0, KINDS[0]), frame(500_000, KINDS[4]), frame(2 * SECOND, KINDS[4])])
    )
    assert [number for number, _ in meter.take().rows()] == [1, 0, 0, 1]


def test_rows_are_counted_and_taken_once():
    meter = Meter(LocalNetworks())
    meter.feed(block_of([frame(0, KINDS[4])]))
    assert len(list(meter.take().rows())) == 1
    assert list(meter.take().rows()) == []
    meter.finish()
    assert meter.counters["rows_made"] == 2


@pytest.mark.parametrize(
    ("declared", "own", "address", "expected"),
    [
        (None, (), "10.1.2.3", True),
        (None, (), "172.31.255.255", True),
        (None, (), "172.32.0.0", False),
        (None, (), "fe80::1", True),
        (None, (), "fd12::1", True),
        (None, (), "::1", True),
        (None, (), "2001:db8::1", False),
        (None, (), "8.8.8.8", False),
        (None, ("203.0.113.7/28",), "203.0.113.14", True),
        (None, ("203.0.113.7/28",), "203.0.113.16", False),
        (("203.0.113.0/24",), ("192.0.2.0/24",), "203.0.113.9", True),
        (("203.0.113.0/24",), ("192.0.2.0/24",), "192.0.2.9", False),
        (("203.0.113.0/24",), (), "10.0.0.1", False),
        ((), (), "10.0.0.1", False),
        (("::/0",), (), "10.0.0.1", True),
    ],
)
def test_inside_is_what_was_declared_or_what_is_private(declared, own, address, expected):
    inside = LocalNetworks(declared, own)
    assert (pack_address(address) in inside) is expected
    assert (pack_address(address) in inside) is expected  # remembered


@settings(max_examples=30)
@given(st.lists(st.ip_addresses(), max_size=20))
def test_inside_agrees_with_the_standard_library(addresses):
    inside = LocalNetworks()
    for address in addresses:
        expected = any(
            address.version == prefix.version and address in prefix for prefix in inside.prefixes
        )
        assert (pack_address(str(address)) in inside) is expected


def test_inside_says_what_it_assumed():
    assert "203.0.113.0/28" in LocalNetworks(None, ["203.0.113.7/28"]).describe()
    assert "assumed" in LocalNetworks().describe()
    assert "declared: 198.51.100.0/24" in LocalNetworks(["198.51.100.0/24"]).describe()


def test_inside_refuses_what_is_no_prefix():
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/40"):
        LocalNetworks(["10.0.0.0/40"])
