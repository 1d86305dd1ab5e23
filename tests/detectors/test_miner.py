"""Workers of mining pools against whoever else reports, chats, trades and is pushed to, turn by turn."""

from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise
from statistics import mean, pstdev

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dijkwacht_detectors.checks import score_rows
from dijkwacht_detectors.miner import Miner
from dijkwacht_records.hints import NAMED, SPEECH, Named, Speech
from dijkwacht_records.tables import FlowState

SECOND = 1_000_000
DAY = 86_400 * SECOND
LINE = 5.6
"""What the shipped table asks for."""


def top(rows):
    scores = score_rows(Miner(), rows)
    return float(np.nanmax(scores)) if not np.isnan(scores).all() else 0.0


def told(messages, *, port=3333, speech=Speech.TEXT, named=Named.BY_ORIG, begun=0, **ends):
    """Rows of a line on which ``messages`` pass: (s, 0 ours or 1 theirs, bytes)."""
    ends = {"resp_p": port, "resp_h": 77} | ends
    hints, part, turns, before = NAMED.put(named) | SPEECH.put(speech), 0, [], -9.0
    row = {"table": "flows", "time": begun, "start": begun, "state": FlowState.OPEN, "hints": hints}
    rows, next_part = [row | ends], 15.0
    for at, side, size in sorted(messages):
        if turns and turns[-1][1] == side and at - before < 0.5:
            turns[-1][2] += size
        else:
            turns.append([at, side, size])
        before = at
        if at < next_part:
            continue
        part, next_part = part + 1, at + 15.0
        now = {"time": begun + round(at * SECOND)} | ends
        rows.append(
            {"table": "flows", "start": begun, "part": part, "state": FlowState.UPDATE} | now
        )
        if len(turns) >= 8:
            rows.append({"table": "talks", **talk(turns)} | now)
            turns = []
    return rows


def talk(turns):
    row = {"turns": len(turns), "orig_turns": sum(side == 0 for _, side, _ in turns)}
    for number, side in enumerate(("orig", "resp")):
        sizes = Counter(size for _, who, size in turns if who == number)
        size, times = max(sizes.items(), key=lambda item: item[1], default=(0, 0))
        share = 100 * times // max(sizes.total(), 1)
        row |= {f"{side}_size": size, f"{side}_share": share, f"{side}_sizes": min(len(sizes), 8)}
    began = [at for at, side, _ in turns if side == 0]
    gaps = [b - a for a, b in pairwise(began)]
    if gaps:
        spread = min(1000, round(100 * pstdev(gaps) / max(mean(gaps), 1e-3)))
        row |= {"gap": round(1000 * mean(gaps)), "gap_spread": spread}
    return row


def by_chance(rng, every, until):
    at = rng.expovariate(1 / every)
    while at < until:
        yield at
        at += rng.expovariate(1 / every)


def by_clock(rng, every, until):
    at = rng.uniform(0, every)
    while at < until:
        yield at
        at += every * rng.uniform(0.98, 1.02)


def stratum(rng, hours=2.0, share=15.0, job=40.0, wrap=0):
    """Log in, get work, report results as they are found; new work as blocks come or by the clock."""
    until, work = 3600 * hours, rng.randint(250, 800)
    report, answer, away = rng.randint(120, 300), rng.randint(38, 110), rng.uniform(0.01, 0.2)
    yield from ((0.0, 0, rng.randint(180, 500) + wrap), (away, 1, work + 60 + wrap))
    for number, at in enumerate(by_chance(rng, share, until)):
        digits = len(str(number))
        yield from ((at, 0, report + digits + wrap), (at + away, 1, answer + digits + wrap))
    for at in rng.choice((by_chance, by_clock))(rng, job, until):
        yield at, 1, work + rng.choice((0, 0, 1, 2)) + wrap
    if rng.random() < 0.5:
        for at in by_clock(rng, 60, until):
            yield from ((at, 0, 70 + wrap), (at + away, 1, answer + wrap))


def events(rng, hours=4.0):
    """A device's, in words of their own, each acknowledged; a heartbeat, and now and then a command."""
    until, size, vary = 3600 * hours, rng.randint(100, 300), rng.choice((0, 1, 3))
    for at in by_chance(rng, rng.choice((10, 30, 60)), until):
        yield from ((at, 0, size + rng.randint(0, vary)), (at + 0.1, 1, 50))
    for at in by_clock(rng, 30, until):
        yield from ((at, 0, 28), (at + 0.1, 1, 28))
    for at in by_chance(rng, rng.choice((300, 900, 3600)), until):
        yield from ((at, 1, rng.randint(80, 200)), (at + 0.1, 0, 50))


def telemetry(rng, hours=4.0):
    """A sensor at a broker: the clock's, or as something happens, acknowledged or not."""
    until, size, vary = 3600 * hours, rng.randint(80, 400), rng.choice((0, 1, 2, 5))
    acknowledged = rng.random() < 0.7
    for at in rng.choice((by_chance, by_clock))(rng, rng.choice((5, 10, 30, 60)), until):
        yield at, 0, size + rng.randint(0, vary)
        if acknowledged:
            yield at + 0.08, 1, 4
    for at in by_clock(rng, rng.choice((30, 60)), until):
        yield from ((at, 0, 2), (at + 0.08, 1, 2))


def chat(rng, hours=4.0):
    until = 3600 * hours
    for at in by_chance(rng, rng.choice((10, 30)), until):
        yield at, rng.randint(0, 1), round(rng.lognormvariate(5, 0.5))
    for at in by_clock(rng, 60, until):
        yield from ((at, 0, 30), (at + 0.1, 1, 30))


def trading(rng, hours=4.0):
    until = 3600 * hours
    for at in by_chance(rng, rng.choice((0.5, 2, 10)), until):
        yield at, 1, rng.randint(80, 500)
    for at in by_clock(rng, rng.choice((10, 30)), until):
        yield at, 0, rng.choice((85, 86))
    for at in by_chance(rng, 300, until):
        yield from ((at, 0, rng.randint(150, 260)), (at + 0.1, 1, rng.randint(200, 400)))


def pushed(rng, hours=4.0):
    until = 3600 * hours
    for at in by_chance(rng, 120, until):
        yield from ((at, 1, round(rng.lognormvariate(6, 0.6))), (at + 0.1, 0, 40))
    for at in by_clock(rng, 240, until):
        yield from ((at, 0, 10), (at + 0.1, 1, 10))


def heartbeats(rng, hours=4.0):
    """A server that says by the clock that it is there, in words of one length, and is not answered."""
    until, size = 3600 * hours, rng.randint(40, 400)
    yield from ((0.0, 0, 120), (0.1, 1, 200))
    for at in by_clock(rng, rng.choice((5, 15, 20, 60)), until):
        yield at, 1, size


def listening(rng, hours=6.0, job=50.0):
    """A weak worker: it is handed work, and finds next to nothing."""
    until, work = 3600 * hours, rng.randint(200, 700)
    yield from ((0.0, 0, 330), (0.1, 1, work + 40))
    for at in by_chance(rng, job, until):
        yield at, 1, work
    for at in by_chance(rng, 7200, until):
        yield from ((at, 0, 180), (at + 0.1, 1, 60))


def equihash(rng, minutes=5.0):
    """Solutions of Zcash and its kin, which are long, and each told that it is good."""
    yield from ((0.0, 0, 200), (0.2, 1, 520))
    for at in by_chance(rng, 8, 60 * minutes):
        yield from ((at, 0, 2817), (at + 0.05, 1, 36))


def usual(seed=3, **values):
    ends = {
        name: values.pop(name) for name in ("port", "speech", "named", "resp_h") if name in values
    }
    return told(stratum(random.Random(seed), **values), **ends)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(4, 30), st.floats(15, 60))
def test_a_worker_is_told_within_hours_at_any_usual_pace(seed, share, job):
    assert top(usual(seed, share=share, job=job)) > LINE


@settings(max_examples=15, deadline=None)
@example(events, 443)  # of some thousands the one that comes nearest
@given(
    st.sampled_from([events, telemetry, chat, trading, pushed, heartbeats]), st.integers(0, 1000)
)
def test_whoever_else_speaks_so_is_quiet_even_in_words_at_a_port_of_nobody(make, seed):
    rng = random.Random(seed)
    assert top(told(make(rng), port=8100)) < LINE - 1.0


def test_at_443_in_tls_it_is_not_told_and_elsewhere_it_is():
    tls = {"speech": Speech.TLS, "wrap": 22}
    assert top(usual(port=443, **tls)) < 4.0
    assert top(usual(port=14_444, **tls)) > LINE
    assert top(usual(port=443)) > LINE  # in words, no web server's


def test_more_reports_are_stronger_and_a_name_makes_it_weaker():
    assert top(usual(hours=0.2)) < top(usual(hours=1)) < top(usual(hours=4))
    assert top(usual(named=Named.NOBODY)) == pytest.approx(top(usual()) + 1, abs=0.1)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_work_handed_out_is_enough_where_a_weak_machine_finds_nothing(seed):
    rng = random.Random(seed)
    assert top(told(listening(rng), named=Named.UNKNOWN)) > LINE
    assert top(told(listening(rng), speech=Speech.BYTES)) == 0.0


def test_solutions_of_their_own_length_are_told_within_minutes():
    rng = random.Random(5)
    assert top(told(equihash(rng))) > LINE
    longer = [(at, side, size + 400) for at, side, size in equihash(rng)]
    assert top(told(longer)) < 1.0


def test_what_is_inside_or_no_tcp_is_not_looked_at():
    rows = usual()
    assert top([row | {"local_resp": 1} for row in rows]) == 0.0
    assert top([row | {"proto": 17} for row in rows]) == 0.0


def test_work_that_is_never_handed_out_unasked_is_no_pool():
    assert top(usual(job=1e9)) < top(usual()) - 3.0


def test_it_says_how_often():
    said = Miner().explain(dict.fromkeys(Miner.facts, 0.0) | {"reports": 41.4})
    assert "41 times" in said.desc_en
    assert "41 keer" in said.desc_nl
    handed = Miner().explain(dict.fromkeys(Miner.facts, 0.0) | {"work": 90.2})
    assert "handed work about 90 times" in handed.desc_en
    assert "90 keer ongevraagd werk" in handed.desc_nl
