"""How two sides take turns: against a list of all packets, in pauses, over cuts, and in pings."""

from fractions import Fraction
from itertools import pairwise
from math import isqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from dijkwacht_agent.frames import block_of
from dijkwacht_agent.local_networks import LocalNetworks
from dijkwacht_agent.meter import Meter
from dijkwacht_agent.sources.recording import Recording
from dijkwacht_agent.turn_taking import SILENCE
from dijkwacht_agent.turns import LEAST_TURNS, MAX_SIZES, MAX_SPREAD
from dijkwacht_records.tables import FLOWS, TABLES, TALKS
from dijkwacht_records.vocabulary import FirstSpeaker

MS = 1000
START = 1_700_000_000_000 * MS
A, B = "10.0.0.1", "198.51.100.2"
_TALKS = TABLES.index(TALKS)


def frames_of(steps: list) -> list:
    """(ms, packet) pairs as frames."""
    frames = []
    for ms, packet in steps:
        data = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet)
        frames.append((START + round(ms * MS), 1, data, len(data), 0))
    return frames


def metered(frames: list, most: int = 1000) -> tuple[list[dict], list[dict]]:
    """Rows of ``flows`` and of ``talks``."""
    meter = Meter(LocalNetworks())
    for at in range(0, len(frames), most):
        meter.feed(block_of(frames[at : at + most]))
    meter.finish()
    rows = list(meter.take().rows())
    return tuple(
        [
            dict(zip((c.name for c in table.columns), row, strict=True))
            for number, row in rows
            if number == TABLES.index(table)
        ]
        for table in (FLOWS, TALKS)
    )


def udp(from_orig: bool, size: int):
    if from_orig:
        return IP(src=A, dst=B) / UDP(sport=40000, dport=5000) / Raw(bytes(size))
    return IP(src=B, dst=A) / UDP(sport=5000, dport=40000) / Raw(bytes(size))


def tcp(from_orig: bool, size: int, flags="PA"):
    if from_orig:
        return IP(src=A, dst=B) / TCP(sport=40000, dport=8080, flags=flags) / Raw(bytes(size))
    return IP(src=B, dst=A) / TCP(sport=8080, dport=40000, flags=flags) / Raw(bytes(size))


def expected_talks(flows: list[dict], packets: list) -> list[dict]:
    """The rows by a plain second computation: all turns as a list, told part by part.

    ``packets``: (µs, from the originator, payload); which part each is in, ``flows`` says.
    """
    turns, rows, pending, begun = [], [], [], None
    first = next((from_orig for _, from_orig, size in packets if size), None)
    at = 0
    for number, part in enumerate(flows):
        for time, from_orig, size in packets[at : at + part["orig_pkts"] + part["resp_pkts"]]:
            if size:
                quiet = at > 0 and time - packets[at - 1][0] >= SILENCE
                if begun is None or begun[1] != from_orig or quiet:
                    if begun is not None:
                        pending.append(begun)
                    begun = [time, from_orig, 0]
                begun[2] += size
            at += 1
        if number == len(flows) - 1 and begun is not None:
            pending.append(begun)
        if len(pending) >= LEAST_TURNS:
            rows.append(_facts(pending, first=first))
            turns, pending = turns + pending, []
    return rows


def _facts(turns: list, *, first: bool) -> dict:
    facts = {"turns": len(turns), "first": FirstSpeaker.ORIG if first else FirstSpeaker.RESP}
    for name, side in (("orig", True), ("resp", False)):
        sizes = [size for _, from_orig, size in turns if from_orig == side]
        known = list(dict.fromkeys(sizes))[:MAX_SIZES]
        most = max(known, key=sizes.count, default=0)
        facts |= {
            f"{name}_size": most,
            f"{name}_share": 100 * sizes.count(most) // len(sizes) if sizes else 0,
            f"{name}_sizes": len(known),
        }
    facts["orig_turns"] = sum(from_orig for _, from_orig, _ in turns)
    begun = [time for time, from_orig, _ in turns if from_orig == first]
    gaps = [Fraction(b - a) for a, b in pairwise(begun)]
    mean = sum(gaps) / len(gaps) if gaps else Fraction(0)
    facts["gap"], facts["gap_spread"] = int(mean / MS), 0
    if mean:
        variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
        ratio = 10_000 * variance / mean**2
        facts["gap_spread"] = min(isqrt(ratio.numerator // ratio.denominator), MAX_SPREAD)
    return facts


steps = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 40, 499, 500, 501, 700, 3000, 9000, 20_000)),
        st.booleans(),
        st.sampled_from((0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1400)),
    ),
    min_size=1,
    max_size=80,
)


@given(steps, st.sampled_from((udp, tcp)), st.integers(1, 9))
@settings(max_examples=150)
def test_talks_are_what_a_list_of_turns_tells(conversation, make, most):
    ms, packets, taken = 0, [], []
    for pause, from_orig, size in [(0, True, 0), *conversation]:
        ms += pause
        packets.append((START + ms * MS, from_orig, size))
        taken.append((ms, make(from_orig, size)))
    frames = frames_of(taken)
    flows, talks = metered(frames, most)
    assert {row["flow_id"] for row in flows} == {1}
    flows.sort(key=lambda row: row["part"])
    expected = expected_talks(flows, packets)
    names = _facts([], first=True)
    assert [{name: row[name] for name in names} for row in talks] == expected
    for row in talks:
        assert row["time"] in {part["time"] for part in flows}
        assert row["unlike"] == 0
        assert (row["resp_p"], row["proto"]) == ((5000, 17) if make is udp else (8080, 6))


def test_a_keepalive_is_told_once_it_took_turns_enough():
    flows, talks = metered(
        frames_of([(20_000 * n + 10 * k, udp(k == 0, 49 + k)) for n in range(9) for k in (0, 1)])
    )
    assert [(row["turns"], row["gap"], row["gap_spread"]) for row in talks] == [
        (9, 20_000, 0),  # a turn counts once another begins
        (9, 20_000, 0),
    ]
    assert {(row["orig_size"], row["orig_share"], row["resp_size"]) for row in talks} == {
        (49, 100, 50)
    }
    assert len({row["flow_id"] for row in flows}) == 1


@pytest.mark.parametrize("turns", [LEAST_TURNS - 1, LEAST_TURNS])
def test_fewer_turns_give_no_row(turns):
    _, talks = metered(frames_of([(10 * n, tcp(n % 2 == 0, 5)) for n in range(turns)]))
    assert len(talks) == (turns == LEAST_TURNS)


def test_most_flows_take_no_room_for_turns():
    meter = Meter(LocalNetworks())
    meter.feed(block_of(frames_of([(0, udp(True, 40)), (20, udp(False, 200))])))
    meter.advance(START + 2_000_000)
    assert {flow.turns for flow in meter._table.by_key.values()} == {None}


def ping(asks: bool, number: int, payload: bytes, name: int = 7):
    if asks:
        return IP(src=A, dst=B) / ICMP(type=8, id=name, seq=number) / Raw(payload)
    return IP(src=B, dst=A) / ICMP(type=0, id=name, seq=number) / Raw(payload)


def ping6(asks: bool, number: int, payload: bytes, name: int = 7):
    kind, ends = (
        (ICMPv6EchoRequest, ("2001:db8::1", "2001:db8::2"))
        if asks
        else (
            ICMPv6EchoReply,
            ("2001:db8::2", "2001:db8::1"),
        )
    )
    return IPv6(src=ends[0], dst=ends[1]) / kind(id=name, seq=number, data=payload)


@pytest.mark.parametrize("make", [ping, ping6])
@given(
    st.lists(
        st.tuples(st.binary(max_size=5), st.none() | st.binary(max_size=5)), min_size=4, max_size=20
    )
)
@settings(max_examples=40)
def test_replies_that_do_not_repeat_their_request_are_counted(make, pairs):
    taken, unlike = [], 0
    for number, (asked, said) in enumerate(pairs):
        reply = asked if said is None else said
        taken += [
            (20 * number, make(True, number, asked)),
            (20 * number + 5, make(False, number, reply)),
        ]
        # Sums of other bytes may be the same, but these are too short for that unless swapped.
        held = make is ping6  # the length of the message is in the checksum then
        unlike += _words(asked, counted=held) != _words(reply, counted=held)
    _, talks = metered(frames_of(taken))
    assert sum(row["turns"] for row in talks) == 2 * len(pairs)
    assert sum(row["unlike"] for row in talks) == unlike
    if make is ping:
        assert {(row["resp_p"], row["proto"]) for row in talks} == {(0, 1)}


def _words(payload: bytes, *, counted: bool) -> int:
    """What a payload adds to the checksum; with its length, if that is ``counted``."""
    padded = payload + b"\0" * (len(payload) % 2)
    words = [int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2)]
    return (sum(words) + counted * len(payload)) % 0xFFFF


def test_replies_are_compared_with_their_own_request():
    """Requests overlap, replies come late, twice or unasked; the oldest of nine is forgotten."""
    taken = [(n, ping(True, n, bytes([n]))) for n in range(9)]
    taken += [(20, ping(False, 0, b"x")), (21, ping(False, 1, b"\x01")), (22, ping(False, 2, b"x"))]
    taken += [(23, ping(False, 2, b"y")), (24, ping(False, 99, b"z"))]
    taken += [(30 + n, ping(n % 2 == 0, 200 + n // 2, b"")) for n in range(8)]
    _, talks = metered(frames_of(taken))
    assert sum(row["unlike"] for row in talks) == 1


def test_a_reply_whose_payload_was_cut_off_is_compared():
    frames = []
    for time, kind, data, size, vlan in frames_of(
        [(10 * n, ping(n % 2 == 0, n // 2, b"abcd" if n != 5 else b"efgh")) for n in range(10)]
    ):
        frames.append((time, kind, data[:42], size, vlan))
    _, talks = metered(frames)
    assert [(row["turns"], row["unlike"], row["orig_size"]) for row in talks] == [(10, 1, 4)]


@pytest.mark.captures
def test_a_shell_in_pings_is_told_and_ordinary_pings_are_not(captures):
    def unlike(path) -> int:
        meter = Meter(LocalNetworks())
        for block in Recording([path]).blocks():
            meter.feed(block)
        meter.finish()
        place = TALKS.index("unlike")
        return sum(row[place] for number, row in meter.take().rows() if number == _TALKS)

    assert unlike(next((captures / "exfil").glob("*icmpsh.pcap"))) == 16
    assert unlike(next((captures / "scan").glob("*icmpScan.pcap"))) == 0
    assert unlike(next((captures / "scan").glob("*icmp-portscan.pcap"))) == 0


@given(steps)
@settings(max_examples=30)
def test_blocks_change_no_talk(conversation):
    ms, taken = 0, []
    for pause, from_orig, size in conversation:
        ms += pause
        taken.append((ms, tcp(from_orig, size)))
    frames = frames_of(taken)
    whole = metered(frames)
    assert metered(frames, 1) == whole
