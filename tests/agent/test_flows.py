"""Flow parts, states and time-outs, one conversation at a time."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from dijkwacht_agent.frames import block_of, in_blocks
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.hints import OPTIONS, SPEECH, WINDOW, Speech, SynOptions, SynWindow
from dijkwacht_records.tables import FLOWS, ConnState, FlowState

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
A, B = "10.0.0.1", "198.51.100.2"


def row_of(values: tuple) -> dict:
    return dict(zip((column.name for column in FLOWS.columns), values, strict=True))


def crafted(packet: Packet) -> bytes:
    return bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)


def frame(seconds: float, packet: Packet | bytes) -> tuple:
    data = packet if isinstance(packet, bytes) else crafted(packet)
    return START + round(seconds * SECOND), 1, data, len(data), 0


@cache
def there(flags="", payload=b"", sport=40000, dport=80) -> bytes:
    return crafted(IP(src=A, dst=B) / TCP(sport=sport, dport=dport, flags=flags) / Raw(payload))


@cache
def back(flags="", payload=b"", sport=40000, dport=80) -> bytes:
    return crafted(IP(src=B, dst=A) / TCP(sport=dport, dport=sport, flags=flags) / Raw(payload))


def metered(*packets: tuple[float, Packet | bytes], meter: Meter | None = None) -> list[dict]:
    meter = meter or Meter(LocalNetworks())
    meter.feed(block_of([frame(*packet) for packet in packets]))
    meter.finish()
    return [row_of(row) for number, row in meter.take().rows() if number == 0]


def test_a_connection_that_is_over_within_its_first_second_is_one_row():
    rows = metered(
        (0.95, there("S")),
        (1.00, back("SA")),
        (1.01, there("A")),
        (1.02, there("PA", b"hello")),
        (1.10, back("PA", b"goodbye!")),
        (1.20, there("FA")),
        (1.30, back("FA")),
        (1.31, there("A")),
        (9.00, there("S", sport=40001)),
    )
    (row, _) = rows
    assert row == {
        "time": START + 1_310_000,
        "start": START + 950_000,
        "flow_id": 1,
        "part": 0,
        "state": FlowState.END,
        "orig_h": pack_address(A),
        "resp_h": pack_address(B),
        "orig_p": 40000,
        "resp_p": 80,
        "proto": 6,
        "vlan": 0,
        "conn_state": ConnState.SF,
        "orig_flags": 0x1B,
        "resp_flags": 0x1B,
        "orig_pkts": 5,
        "resp_pkts": 3,
        "orig_bytes": 5,
        "resp_bytes": 8,
        "local_orig": 1,
        "local_resp": 0,
        "hints": OPTIONS.put(SynOptions.NONE)
        | WINDOW.put(SynWindow.LARGE)
        | SPEECH.put(Speech.TEXT),
    }


def test_a_long_flow_is_opened_updated_while_it_moves_and_ended():
    meter = Meter(LocalNetworks())
    meter.feed(block_of([frame(0, there("S")), frame(0.1, back("SA"))]))
    meter.advance(START + 999_999)
    assert list(meter.take().rows()) == []
    meter.advance(START + SECOND)
    ((_, opened),) = meter.take().rows()
    meter.feed(block_of([frame(5, there("PA", b"x" * 10)), frame(10, there("PA", b"x" * 10))]))
    meter.advance(START + 16 * SECOND)
    ((_, updated),) = meter.take().rows()
    meter.advance(START + 200 * SECOND)
    assert list(meter.take().rows()) == []  # it does not move
    meter.advance(START + 310 * SECOND)
    ((_, ended),) = meter.take().rows()
    rows = [row_of(row) for row in (opened, updated, ended)]
    assert [row["state"] for row in rows] == [FlowState.OPEN, FlowState.UPDATE, FlowState.END]
    assert [row["part"] for row in rows] == [0, 1, 2]
    assert [row["orig_bytes"] for row in rows] == [0, 20, 0]
    assert [row["orig_pkts"] for row in rows] == [1, 2, 0]
    assert [row["time"] - START for row in rows] == [100_000, 10 * SECOND, 10 * SECOND]
    assert {row["flow_id"] for row in rows} == {1}


@pytest.mark.parametrize(
    ("packets", "state"),
    [
        ([there("S")], ConnState.S0),
        ([there("S"), back("SA")], ConnState.S1),
        ([there("S"), back("SA"), there("A"), there("FA"), back("FA")], ConnState.SF),
        ([there("S"), back("SA"), there("A"), there("FA")], ConnState.S2),
        ([there("S"), back("SA"), there("A"), back("FA")], ConnState.S3),
        ([there("S"), back("RA")], ConnState.REJ),
        ([there("S"), back("SA"), there("A"), there("R")], ConnState.RSTO),
        ([there("S"), back("SA"), there("A"), back("R")], ConnState.RSTR),
        ([there("S"), back("SA"), there("A"), back("R"), there("R")], ConnState.RSTR),
        ([there("S"), there("R")], ConnState.RSTOS0),
        ([back("SA"), back("R")], ConnState.RSTRH),
        ([there("S"), there("FA")], ConnState.SH),
        ([back("SA"), back("FA")], ConnState.SHR),
        ([there("A"), back("A")], ConnState.OTH),
        ([there("S"), back("A", b"data")], ConnState.S1),
        ([IP(src=A, dst=B) / UDP(sport=40000, dport=99)], ConnState.S0),
        ([IP(src=A, dst=B) / UDP(sport=40000, dport=99), IP(src=B, dst=A) / UDP(sport=99, dport=40000)], ConnState.SF),
        ([IP(src=B, dst=A) / UDP(sport=99, dport=40000)], ConnState.SHR),
        ([IP(src=A, dst=B) / ICMP(type=8), IP(src=B, dst=A) / ICMP(type=0)], ConnState.SF),
        ([IP(src=A, dst=B) / ICMP(type=8)], ConnState.S0),
    ],
)  # fmt: skip
def test_the_state_of_a_connection_is_zeeks(packets, state):
    (row,) = metered(*((place / 10, packet) for place, packet in enumerate(packets)))
    assert ConnState(row["conn_state"]) is state
    assert row["orig_h"] == pack_address(A)


def test_whoever_answers_first_is_still_the_responder():
    (row,) = metered((0, back("SA", sport=1024, dport=9999)))
    assert (row["orig_h"], row["orig_p"], row["resp_p"]) == (pack_address(A), 1024, 9999)
    assert (row["orig_pkts"], row["resp_pkts"]) == (0, 1)


def test_who_speaks_to_a_group_is_no_responder():
    (row,) = metered((0, IP(src=B, dst="239.1.2.3") / UDP(sport=99, dport=40000)))
    assert row["orig_h"] == pack_address(B)
    (row,) = metered((0, IPv6(src="fd00::1", dst="ff02::1") / UDP(sport=99, dport=40000)))
    assert row["orig_h"] == pack_address("fd00::1")


@pytest.mark.parametrize(
    ("packet", "seconds"),
    [
        (there("S"), 10),
        (there("A", b"midstream"), 300),
        (IP(src=A, dst=B) / UDP(sport=1, dport=2), 60),
        (IP(src=A, dst=B) / ICMP(type=8), 30),
        (IP(src=A, dst=B, proto=47), 60),
    ],
)
def test_a_silent_flow_ends_at_its_time_out(packet, seconds):
    meter = Meter(LocalNetworks())
    meter.feed(block_of([frame(0, packet)]))
    meter.advance(START + seconds * SECOND - 1)
    assert meter.counters["flows_active"] == 1
    meter.advance(START + seconds * SECOND)
    assert meter.counters["flows_active"] == 0


def test_the_same_ports_again_are_another_connection():
    rows = metered((0, there("S")), (0.1, back("RA")), (0.2, there("S")), (0.3, back("RA")))
    assert [row["flow_id"] for row in rows] == [1, 2]
    assert [row["conn_state"] for row in rows] == [ConnState.REJ, ConnState.REJ]


def test_a_connection_ends_a_second_after_it_closed():
    meter = Meter(LocalNetworks())
    meter.feed(block_of([frame(0, there("S")), frame(0.1, back("SA"))]))
    meter.feed(block_of([frame(5, there("FA")), frame(5.1, back("FA")), frame(5.2, there("A"))]))
    meter.advance(START + 6_099_999)
    assert meter.counters["flows_active"] == 1
    meter.advance(START + 6_100_000)
    assert meter.counters["flows_active"] == 0


def test_vlans_are_other_networks():
    meter = Meter(LocalNetworks())
    time, link_type, data, size, _ = frame(0, there("S"))
    meter.feed(block_of([(time, link_type, data, size, vlan) for vlan in (0, 5, 5)]))
    meter.finish()
    rows = [row_of(row) for _, row in meter.take().rows()]
    assert [(row["vlan"], row["orig_pkts"]) for row in rows] == [(0, 1), (5, 2)]


def test_a_host_may_talk_to_itself():
    packet = IP(src=A, dst=A) / UDP(sport=9, dport=9)
    (row,) = metered((0, packet), (0.1, packet))
    assert row["orig_pkts"] == 2


def test_a_full_table_gives_up_the_oldest_unanswered_flow():
    meter = Meter(LocalNetworks(), max_flows=3)
    meter.counts_floods = False
    kept = [(0, there("S", sport=1)), (0.01, back("SA", sport=1))]
    flood = [(0.1 + place / 100, there("S", sport=1000 + place)) for place in range(10)]
    rows = metered(*kept, *flood, meter=meter)
    assert meter.counters["flows_evicted"] == 8
    assert [row["orig_p"] for row in rows[:8]] == list(range(1000, 1008))
    assert {row["orig_p"] for row in rows[8:]} == {1, 1008, 1009}


def test_a_table_full_of_answered_flows_gives_up_the_oldest():
    meter = Meter(LocalNetworks(), max_flows=2)
    packets = []
    for port in (1, 2, 3, 4):
        packets += [(port / 10, there("S", sport=port)), (port / 10 + 0.01, back("SA", sport=port))]
    rows = metered(*packets, meter=meter)
    assert [row["orig_p"] for row in rows] == [1, 2, 3, 4]
    assert meter.counters["flows_evicted"] == 2


def test_a_flood_leaves_nothing_behind():
    meter = Meter(LocalNetworks(), max_flows=64)
    time, link_type, data, size, _ = frame(0, there("S"))
    for turn in range(50):
        frames = [
            (time + turn * 1000 + n, link_type, data[:26] + (turn << 8 | n).to_bytes(4, "big") + data[30:], size, 0)
            for n in range(100)
        ]  # fmt: skip
        meter.feed(block_of(frames))
        meter.take()
        table = meter._table
        assert len(table.by_key) <= 2 * 64
        assert len(table._timers) <= 250
        assert len(table._fresh) <= 250
        assert len(table._unanswered) + len(table._answered) <= 250


@given(
    st.lists(
        st.tuples(st.integers(0, 500_000), st.booleans(), st.sampled_from(["S", "SA", "R", "A"]), st.integers(1, 9)),
        min_size=100,
        max_size=400,
    )
)  # fmt: skip
@settings(max_examples=20)
def test_whatever_comes_the_table_holds_no_more_than_it_may(steps):
    meter = Meter(LocalNetworks(), max_flows=2)
    time = 0
    for gap, forth, flags, port in steps:
        time += gap
        meter.feed(block_of([frame(time / SECOND, (there if forth else back)(flags, sport=port))]))
        table = meter._table
        assert meter.counters["flows_active"] <= 2
        assert len(table.by_key) <= 4
        assert max(len(table._timers), len(table._fresh)) <= 70
        assert len(table._unanswered) + len(table._answered) <= 70


conversation = st.lists(
    st.tuples(
        st.integers(0, 40_000_000),  # µs since the packet before
        st.booleans(),
        st.sampled_from(["S", "SA", "A", "PA", "FA", "R", "RA", ""]),
        st.integers(0, 100),
        st.sampled_from([40000, 40001]),
    ),
    max_size=60,
)


@given(conversation, st.integers(1, 4))
def test_parts_add_up_to_what_was_sent_and_count_each_flow_once(steps, max_flows):
    meter = Meter(LocalNetworks(), max_flows=max_flows)
    meter.counts_floods = False
    time, sent, frames = 0, 0, []
    for gap, forth, flags, size, port in steps:
        time += gap
        sent += size
        packet = (there if forth else back)(flags, bytes(size), sport=port)
        frames.append(frame(time / SECOND, packet))
    for block in in_blocks(frames):
        meter.feed(block)
    meter.finish()
    rows = [row_of(row) for number, row in meter.take().rows() if number == 0]
    assert sum(row["orig_bytes"] + row["resp_bytes"] for row in rows) == sent
    assert sum(row["orig_pkts"] + row["resp_pkts"] for row in rows) == len(steps)
    by_flow: dict[int, list[dict]] = {}
    for row in rows:
        by_flow.setdefault(row["flow_id"], []).append(row)
    for parts in by_flow.values():
        assert [part["part"] for part in parts] == list(range(len(parts)))
        states = [part["state"] for part in parts]
        assert states[-1] == FlowState.END
        assert (
            states[:-1] == ([FlowState.OPEN] + [FlowState.UPDATE] * len(states))[: len(states) - 1]
        )
        assert len({(part["orig_h"], part["orig_p"], part["start"]) for part in parts}) == 1
        times = [part["time"] for part in parts]
        assert times == sorted(times)
        # A part cut in the first second may still hold the stragglers of a connection that closed.
        assert times[0] <= parts[0]["start"] + 2 * SECOND
