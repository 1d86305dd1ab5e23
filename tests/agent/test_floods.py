"""Flows that a full table gives up before their first row: counted, and none of them lost."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.floods import MAX_DISTINCT, MAX_KEYS
from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_records.addresses import UNSPECIFIED, pack_address
from dijkwacht_records.hints import OPTIONS, SynOptions
from dijkwacht_records.tables import FLOODS, FLOWS, TABLES

MS = 1000
SECOND = 1000 * MS
START = 1_700_000_000 * SECOND


def address(n: int, *, inside: bool) -> str:
    return f"{'10.0' if inside else '198.51'}.{n // 256}.{n % 256}"


def frame(ms: float, orig: str, resp: str, port: int, sport: int, proto=TCP) -> tuple:
    transport = {
        TCP: lambda: TCP(sport=sport, dport=port, flags="S"),
        UDP: lambda: UDP(sport=sport, dport=port) / Raw(bytes(9)),
    }[proto]()
    data = bytes(
        Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src=orig, dst=resp) / transport
    )
    return START + round(ms * MS), 1, data, len(data), 0


def rows_of(meter: Meter) -> tuple[list[dict], list[dict]]:
    rows = list(meter.take().rows())
    return tuple(
        [
            dict(zip((c.name for c in table.columns), row, strict=True))
            for number, row in rows
            if number == TABLES.index(table)
        ]
        for table in (FLOWS, FLOODS)
    )


def metered(frames: list, max_flows: int, most: int = 10_000, *, counts: bool = True):
    meter = Meter(LocalNetworks(), max_flows=max_flows)
    meter.counts_floods = counts
    for at in range(0, len(frames), most):
        meter.feed(block_of(frames[at : at + most]))
    meter.finish()
    return meter, *rows_of(meter)


def test_a_flood_at_one_port_is_a_row_a_second():
    frames = [
        frame(10 * n, address(n, inside=False), "10.0.0.80", 80, 40000 + n) for n in range(200)
    ]
    meter, flows, floods = metered(frames, max_flows=8)
    assert meter.counters["flows_counted"] == 192
    assert len(flows) == 8
    assert [(row["flows"], row["origs"], row["resps"]) for row in floods] == [
        (92, 64, 1),
        (100, 64, 1),
    ]
    first, second = floods
    assert first["orig_h"] == UNSPECIFIED
    assert (first["resp_h"], first["resp_p"], first["proto"]) == (pack_address("10.0.0.80"), 80, 6)
    assert (first["local_orig"], first["local_resp"]) == (0, 1)
    assert (first["orig_pkts"], first["orig_bytes"]) == (92, 0)
    assert (first["start"], first["time"]) == (START, START + 91 * 10 * MS)
    assert second["start"] == START + 920 * MS
    assert OPTIONS.get(first["hints"]) == SynOptions.NONE


def test_one_who_calls_many_is_a_row_once_there_are_too_many():
    frames = [frame(n, "10.0.0.1", address(n % 100, inside=True), 22, 1000 + n) for n in range(500)]
    _, _, floods = metered(frames, max_flows=1)
    targets, sources = floods[:MAX_KEYS], floods[MAX_KEYS:]
    assert all((row["origs"], row["resps"], row["flows"]) == (1, 1, 5) for row in targets)
    (source,) = sources
    assert (source["orig_h"], source["resp_h"]) == (pack_address("10.0.0.1"), UNSPECIFIED)
    assert (source["flows"], source["origs"], source["resps"]) == (499 - 5 * MAX_KEYS, 1, 64)
    assert (source["resp_p"], source["proto"]) == (22, 6)


def test_what_fits_nowhere_is_one_row_a_side_of_the_border():
    frames = [
        frame(n, address(n, inside=n % 2 == 0), address(n, inside=False), n % 7 + 1, 1000 + n)
        for n in range(900)
    ]
    _, _, floods = metered(frames, max_flows=1)
    assert len(floods) == 2 * MAX_KEYS + 2
    assert sum(row["flows"] for row in floods) == 899
    for row in floods[-2:]:
        assert (row["orig_h"], row["resp_h"], row["resp_p"]) == (UNSPECIFIED, UNSPECIFIED, 0)
        assert row["origs"] == row["resps"] == MAX_DISTINCT


@pytest.mark.parametrize("spoken", ["answered", "told"])
def test_who_was_answered_or_has_given_a_row_is_not_counted(spoken):
    first = frame(0, "198.51.100.1", "10.0.0.80", 80, 40000)
    reply = bytes(
        Ether() / IP(src="10.0.0.80", dst="198.51.100.1") / TCP(sport=80, dport=40000, flags="SA")
    )
    answer = START + 1, 1, reply, len(reply), 0
    wait = 5 if spoken == "answered" else 1500
    late = frame(wait, "198.51.100.2", "10.0.0.80", 80, 40000)
    meter, flows, floods = metered([first, *([answer] if spoken == "answered" else []), late], 1)
    assert not floods
    assert meter.counters["flows_evicted"] == 1
    assert {row["flow_id"] for row in flows} == {1, 2}


def test_where_nobody_reads_floods_they_are_rows_of_flows():
    frames = [frame(n, address(n, inside=False), "10.0.0.80", 80, 40000) for n in range(50)]
    meter, flows, floods = metered(frames, max_flows=4, counts=False)
    assert (len(flows), floods, meter.counters["flows_counted"]) == (50, [], 0)


def test_a_second_of_a_flood_is_told_when_it_is_over():
    meter = Meter(LocalNetworks(), max_flows=1)
    meter.counts_floods = True
    meter.feed(block_of([frame(n, "10.0.0.1", "10.0.0.2", n + 1, 9) for n in range(3)]))
    meter.advance(START + SECOND - 1)
    assert rows_of(meter)[1] == []
    meter.advance(START + SECOND)
    assert [row["resp_p"] for row in rows_of(meter)[1]] == [1, 2]


floods_of_many = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 300, 900)),
        st.integers(0, 80),
        st.integers(0, 80),
        st.integers(1, 3),
        st.sampled_from((TCP, UDP)),
    ),
    min_size=1,
    max_size=300,
)


@given(floods_of_many, st.integers(1, 20), st.integers(1, 50))
@settings(max_examples=60)
def test_every_flow_is_a_row_or_counted_once(steps, max_flows, most):
    """Against a plain second computation: which flows were given up in which second, and what they share."""
    ms, frames, begun = 0, [], []
    for n, (pause, orig, resp, port, proto) in enumerate(steps):
        ms += pause
        ends = address(orig, inside=True), address(resp, inside=False)
        frames.append(frame(ms, *ends, port, 1000 + n, proto))
        begun.append((START + ms * MS, *map(pack_address, ends), port, 6 if proto is TCP else 17))
    meter, flows, floods = metered(frames, max_flows, most)
    told = {row["flow_id"] for row in flows if row["part"] == 0}
    lost = [n for n in range(len(steps)) if n + 1 not in told]
    assert meter.counters["flows_counted"] == len(lost) == sum(row["flows"] for row in floods)
    assert sum(row["orig_pkts"] for row in floods) + sum(row["orig_pkts"] for row in flows) == len(
        steps
    )
    expected = []
    by_second: dict[int, list] = {}
    for n in lost:  # given up, oldest first, by the packet that found the table full
        assert begun[n + max_flows][0] < begun[n][0] + SECOND  # before its first row was due
        by_second.setdefault(begun[n + max_flows][0] // SECOND, []).append(begun[n])
    for given_up in by_second.values():
        rows: dict[tuple, list] = {}
        for flow in given_up:
            _, orig, resp, port, proto = flow
            keys = [("to", resp, port, proto), ("from", orig), ("rest",)]
            kinds = Counter(key[0] for key in rows)
            key = next((key for key in keys[:2] if key in rows), None) or next(
                key for key in keys if kinds[key[0]] < MAX_KEYS
            )
            rows.setdefault(key, []).append(flow)
        expected += [_row(some) for some in rows.values()]
    assert (
        [{name: row[name] for name in expected[0]} for row in floods] == expected
        if expected
        else not floods
    )


def _row(some: list) -> dict:
    times, origs, resps, ports, protos = (
        list(dict.fromkeys(column)) for column in zip(*some, strict=True)
    )
    return {
        "time": max(times),
        "start": times[0],
        "orig_h": origs[0] if len(origs) == 1 else UNSPECIFIED,
        "resp_h": resps[0] if len(resps) == 1 else UNSPECIFIED,
        "resp_p": ports[0] if len(ports) == 1 else 0,
        "proto": protos[0] if len(protos) == 1 else 0,
        "flows": len(some),
        "origs": min(len(origs), MAX_DISTINCT),
        "resps": min(len(resps), MAX_DISTINCT),
        "orig_bytes": 9 * sum(flow[4] == 17 for flow in some),
        "local_orig": 1,
        "local_resp": 0,
    }


def test_pings_that_nobody_answers_are_counted():
    frames = []
    for n in range(40):
        packet = IP(src="10.0.0.1", dst=address(n, inside=True)) / ICMP(type=8, id=1, seq=n)
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        frames.append((START + n, 1, data, len(data), 0))
    meter, flows, floods = metered(frames, max_flows=4)
    assert len(flows) + sum(row["flows"] for row in floods) == 40
    assert {row["proto"] for row in floods} == {1}
    assert meter.counters["flows_active"] == 0
