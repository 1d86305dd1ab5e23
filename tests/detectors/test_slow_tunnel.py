"""Domains whose names never end, against hosts, guards and what several machines ask for."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dijkwacht_detectors.checks import Harness, score_rows
from dijkwacht_detectors.knowledge.data_bearing_domains import hash_name
from dijkwacht_detectors.slow_tunnel import SlowTunnel
from dijkwacht_detectors.state.entities import mix
from dijkwacht_records.addresses import pack_address

SECOND, HOUR = 1_000_000, 3_600_000_000
LINE = 8.0
PC, OTHER, THIRD, RESOLVER = (pack_address(f"192.168.1.{n}") for n in (20, 21, 22, 5))


def data(n, length=60):
    return f"{random.Random(n).getrandbits(4 * length):0{length}x}"


def asks(at, name, **values):
    row = {"orig_h": PC, "resp_p": 53, "question": 1, "qtype": 1, "query": name}
    return row | {"time": round(at * HOUR)} | values


def tunnel(an_hour, hours=24, **values):
    many = round(an_hour * hours)
    return [
        asks(n / an_hour, f"{data(n, 50 + n % 20)}.t.example.com", **values) for n in range(many)
    ]


def scored(rows):
    return np.nan_to_num(score_rows(SlowTunnel(), rows))


def top(rows):
    return float(scored(rows).max(initial=0.0))


def test_a_dozen_names_an_hour_is_told_within_a_day_and_one_is_not():
    assert top(tunnel(12)) > LINE
    assert 3.0 < top(tunnel(1)) < LINE - 1.5


def test_it_is_the_names_that_are_new_which_count():
    again = [asks(n / 12, f"{data(n % 20)}.t.example.com") for n in range(288)]
    assert top(again) < 5.5
    assert top(again[:40]) == pytest.approx(top(again), abs=0.2), (
        "once they are known, nothing grows"
    )


def test_what_is_counted_is_the_number_of_new_names_also_beyond_the_bits():
    short, long = (top([asks(n / 10_000, f"{data(n, 50 + n % 20)}.t.example.com") for n in range(many)]) for many in (300, 3_000))  # fmt: skip
    assert long - short == pytest.approx(np.log2(10.0), abs=0.5)


def test_what_was_gathered_halves_in_a_day():
    first = tunnel(60, 2)
    later = asks(2 + 48, f"{data(9_999)}.t.example.com")
    before, after = scored([*first, later])[-2:]
    assert before - after == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize(
    "name",
    ["www{n}.site.example", "{n}.113.0.203.bl.example", "{d}._domainkey.firm.example", "{d}.office.local", "{d}.fritz.box",
     "{d}.local", "site-{d}.example"],
)  # fmt: skip
def test_hosts_lists_policies_and_names_of_ones_own_are_nothing(name):
    assert top([asks(n / 60, name.format(n=n, d=data(n, 40 + n % 9))) for n in range(600)]) == 0.0


def test_backward_names_and_other_ports_are_nothing():
    assert (
        top(tunnel(12, qtype=12))
        == top(tunnel(12, resp_p=5353))
        == top(tunnel(12, question=0))
        == 0.0
    )


def test_types_and_names_that_end_in_data_weigh_more():
    assert top(tunnel(12)) < top(tunnel(12, qtype=16))
    nowhere = [asks(n / 12, f"cat.{data(n, 40 + n % 20)}") for n in range(144)]
    assert top(nowhere) > top(tunnel(12, 12))


def test_look_ups_of_hashes_and_known_guards_weigh_next_to_nothing():
    assert (
        top([asks(n / 60, f"{data(n, 40)}.files.guard.example") for n in range(600)]) < LINE - 2.0
    )
    assert (
        top([asks(n / 60, f"{data(n, 30 + n % 30)}.sophosxl.net") for n in range(600)]) < LINE - 1.0
    )


def test_what_several_machines_ask_new_names_of_is_a_products():
    def among(machines):
        return [row | {"orig_h": machines[n % len(machines)]} for n, row in enumerate(tunnel(12))]

    one, two, three = (top(among(many)) for many in ([PC], [PC, OTHER], [PC, OTHER, THIRD]))
    assert one - two == pytest.approx(2.0, abs=0.3)
    assert two - three == pytest.approx(2.0, abs=0.3)


def test_a_resolver_that_passes_it_on_is_nobody_who_asks():
    passed = []
    for row in tunnel(12):
        passed += [row, row | {"orig_h": RESOLVER, "time": row["time"] + SECOND // 50}]
    assert top(passed) == top(tunnel(12))
    assert not scored(passed)[1::2].any(), "nor is it blamed"


def test_a_tunnel_is_found_among_hundreds_of_other_domains():
    draw, rows = random.Random(3), []
    for row in tunnel(12):
        rows.append(row)
        rows += [
            row | {"query": f"{data(draw.random(), 12)}.cdn{draw.randrange(400)}.example", "time": row["time"] + k, "orig_h": OTHER}
            for k in range(10)
        ]  # fmt: skip
    assert top([row for row in rows if row["orig_h"] == PC]) > LINE
    assert top(rows) > LINE - 0.3


def test_sites_are_told_apart_and_words_say_how_long_the_names_are():
    rows = [row | {"site": n % 2} for n, row in enumerate(tunnel(12))]
    assert top(rows) < top(tunnel(12)) - 0.8
    scores, facts = Harness(SlowTunnel()).feed(tunnel(12))
    last = np.flatnonzero(~np.isnan(scores))[-1]
    told = dict(zip(SlowTunnel.facts, facts[last].tolist(), strict=True))
    assert told["name_askers"] == 1.0
    assert f"{told['length']:.0f} characters" in SlowTunnel().explain(told).desc_en


NAMED = st.tuples(
    st.floats(0.0, 5.0), st.integers(0, 30), st.integers(0, 2), st.sampled_from([1, 16])
)


def test_an_old_row_of_another_sensor_makes_nothing_of_it_new_again():
    rows = tunnel(2)
    late = asks(-7 * 24, f"{data(999)}.t.example.com", agent="spool")
    assert scored([*rows, late])[-1] == pytest.approx(top(rows), abs=0.1)


def _bit(name, domain):
    whole, base = (
        np.uint64(hash_name(np.frombuffer(text.encode(), np.uint8), 0, len(text)))
        for text in (name, domain)
    )
    return int(mix(whole, base | np.uint64(2))) % 512


@example([(0.0, 5, 1, 1), (0.0, 10, 1, 1)])  # names that share a bit
@given(st.lists(NAMED, max_size=40))
def test_what_a_domain_gathered_is_what_the_model_says(made):
    """Each name with a bit of its own weighs a little more than it would alone, who finds it taken is known."""
    rows, at = [], 0.0
    gathered: dict[int, tuple[float, float]] = {}
    known: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    most = 0.0
    for later, number, domain, qtype in made:
        at += later
        name = f"{data(number + 1, 70)}.t.data{domain}.example"
        rows.append(asks(at, name, qtype=qtype))
        bit = _bit(name, f"data{domain}.example")
        if bit in known[domain]:
            continue
        stands_for = 512 / (512 - len(known[domain]))
        known[domain].add(bit)
        weight = min(4.0, (71 - 6) / 24.0) * (1.5 if qtype == 16 else 1.0) * stands_for
        before, when = gathered.get(domain, (0.0, at))
        gathered[domain] = before * 0.5 ** ((at - when) / 24.0) + weight, at
        most = max(most, gathered[domain][0])
    wanted = np.log2(1.0 + most) if most >= 4.0 else 0.0
    assert top(rows) == pytest.approx(wanted, abs=0.15)
