"""Watched time is a recording's own, whatever the cut, the agents' order, or who else is watched."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht.offline import cut
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.columns import Arrival, join_columns
from dijkwacht_collector.engine.fold import Fold
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.watched_time import GAP_US, WatchedTime
from dijkwacht_collector.journal import Budget, Entry, partition_of
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.scoreboard import Watched
from dijkwacht_records.tables import AGENT, ARP, DEFAULTS, SYSTEM, TABLES
from dijkwacht_records.wire import decode, encode

START = 1_773_651_600_000_000
SITES = ("bakery", "clinic")
WANTED = {number: frozenset({"time"}) for number in range(len(TABLES))}
PACKETS = TABLES.index(ARP)


def row(table, time):
    return table, (time, *DEFAULTS[table][1:])


# (site, table, µs since the row before of any site): a gap of exactly an hour among them.
STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from([PACKETS, PACKETS, TABLES.index(AGENT), TABLES.index(SYSTEM)]),
        st.one_of(st.integers(0, GAP_US // 2), st.sampled_from([GAP_US - 1, GAP_US, 2 * GAP_US])),
    ),
    min_size=1,
    max_size=40,
)


def batches_of(steps, cuts):
    """(site, rows) in the order of the journal, and the rows by site."""
    rows, now = [], START
    for site, table, step in steps:
        now += step
        rows.append((site, row(table, now)))
    bounds = [0, *sorted({cut % len(rows) for cut in cuts} - {0}), len(rows)]
    pieces = [
        (site, [each for s, each in rows[a:b] if s == site])
        for a, b in itertools.pairwise(bounds)
        for site in (0, 1)
    ]
    return [(site, of_site) for site, of_site in pieces if of_site]


class Site:
    """Folds batches as the engine joins them: several at once, each agent with its own event time."""

    def __init__(self):
        self.numbering, self.time = Numbering(), WatchedTime()
        self.clocks = np.zeros(0, np.int64)

    def fold(self, batches, speaks=lambda names: names):
        arrivals = []
        for site, agent, rows in batches:
            number = self.numbering.site(SITES[site])
            of = self.numbering.agent(number, agent)
            if of >= len(self.clocks):
                self.clocks = np.append(self.clocks, np.zeros(of + 1, np.int64))
            batch = decode(encode(SITES[site], agent, bytes(16), 1, 0, rows))
            arrivals.append(Arrival.of(batch, number, of, 1 << 60))
        step = join_columns(arrivals, WANTED, self.clocks)
        fold = Fold(step, arrivals, range(len(arrivals)), self.clocks)
        self.time.note(fold, self.numbering, speaks)

    def take(self):
        return self.time.take(self.numbering)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.lists(st.integers(0, 40), max_size=6), st.integers(1, 5))
def test_it_is_what_a_recording_covers_in_any_cut(steps, cuts, at_once):
    site, alone = Site(), [Watched(), Watched()]
    taken = dict.fromkeys(SITES, 0.0)
    for chunk in cut(batches_of(steps, cuts), at_once):
        site.fold([(s, "till", rows) for s, rows in chunk])
        for name, seconds in site.take().items():
            taken[name] += seconds
        for s, rows in chunk:
            for table, (time, *_) in rows:
                if table == PACKETS:
                    alone[s].see(time)
    assert [taken[name] for name in SITES] == pytest.approx([one.seconds for one in alone])


def test_a_spool_that_drains_beside_a_live_agent_adds_nothing():
    site, minute = Site(), 60_000_000
    site.fold([(0, "till", [row(PACKETS, START + m * minute) for m in range(100, 160)])])
    assert site.take() == {"bakery": 59 * 60}
    site.fold([(0, "desk", [row(PACKETS, START + m * minute) for m in range(110)])])
    site.fold([(0, "desk", [row(PACKETS, START + m * minute) for m in range(110, 170)])])
    assert site.take() == {"bakery": 10 * 60}


def test_heartbeats_of_an_agent_that_sees_nothing_are_no_watch():
    site = Site()
    beats = [row(TABLES.index(AGENT), START + m * 60_000_000) for m in range(60)]
    site.fold([(0, "till", beats)])
    assert site.take() == {}


def test_what_another_release_decides_is_gone_through_and_not_counted():
    site, minute = Site(), 60_000_000
    site.fold([(0, "till", [row(PACKETS, START + minute)])])
    later = [[row(PACKETS, START + m * minute)] for m in (11, 16)]
    site.fold([(0, "till", later[0]), (1, "door", later[0])], lambda names: names - {"bakery"})
    assert site.take() == {}
    site.fold([(0, "till", later[1]), (1, "door", later[1])])
    assert site.take() == {"bakery": 300.0, "clinic": 300.0}


def flows(name, minutes):
    """A flow a minute, of 20 minutes a batch, from the start on."""
    rows = [(0, (START + m * 60_000_000, *DEFAULTS[0][1:])) for m in range(minutes)]
    for seq, part in enumerate(cut(rows, 20)):
        yield part[-1][1][0], name, encode(name, "till", bytes(16), seq, part[-1][1][0], part)


def entries(*batches):
    return [
        Entry(n, "batch", partition_of(name), end, name, payload)
        for n, (end, name, payload) in enumerate(sorted(batches), 1)
    ]


@pytest.mark.parametrize("at_once", [1, 7, 100])
def test_the_engine_tells_how_long_it_watched_each_site(at_once):
    engine, taken = Engine([Scan()]), Counter()
    for chunk in cut(entries(*flows("bakery", 200), *flows("clinic", 90)), at_once):
        engine.step(chunk)
        taken.update(engine.take_observed().watched)
    assert taken == {"bakery": 199 * 60, "clinic": 89 * 60}
    assert engine.take_observed().watched == {}


def test_a_budget_is_told_once_when_it_is_chosen_and_once_after_a_restart(tmp_path):
    engine = Engine([Scan()])
    payload = Budget(0.25).draft("bakery", 0).payload
    engine.step([Entry(1, "budget", partition_of("bakery"), 0, "bakery", payload)])
    assert engine.take_observed().budgets == {"bakery": 0.25}
    assert engine.take_observed().budgets == {}
    save(engine, tmp_path)
    again = Engine([Scan()])
    load(again, tmp_path)
    assert again.take_observed().budgets == {"bakery": 0.25}
