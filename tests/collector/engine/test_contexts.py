"""What is usual at a site comes to detectors as columns, the same in any cut, mix, move and restart."""

from __future__ import annotations

import logging
from itertools import pairwise

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.site_record import SiteRecord
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.api import RowDetector, SiteDetector, WindowDetector
from dijkwacht_detectors.context.hosts import Hosts
from dijkwacht_detectors.scan import Scan
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import TABLE, TABLES
from dijkwacht_records.wire import encode

START = 1_700_000_000_000_000
SECOND = 1_000_000
NOTHING = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}
SITES = ["bakery", "clinic", "garage"]


class Known(RowDetector):
    """How often its site called this one before, and when first, in one number."""

    name = "known"
    table = "flows"
    reads = ("part",)
    context = ("dest_first", "dest_rows")
    entity = "site"
    kind = "policy"
    technique = ""

    def fold(self, rows, state, scores, facts):
        scores[:] = both(rows)

    def explain(self, facts):
        raise NotImplementedError


class KnownWindow(WindowDetector):
    name = "known_window"
    reads = {"dns": ("qtype",), "flows": ("part",)}  # noqa: RUF012
    context = Known.context
    entity = "site"
    kind = "policy"
    technique = ""

    def score(self, window, state):
        assert not window["dest_first"][window.table == 0].any(), "a question has no destination"
        return np.where(window.table == 1, both(window), np.nan), np.zeros((len(window), 0))

    def explain(self, facts):
        raise NotImplementedError


class KnownSite(SiteDetector):
    name = "known_site"
    table = "flows"
    reads = ("part",)
    context = Known.context

    def score_many(self, window):
        return both(window)


def both(rows):
    return (rows["dest_first"] - START) * 100.0 + rows["dest_rows"]


def entry(position, site, table, time, **values):
    own = {c.name: NOTHING[c.kind] for c in TABLE[table].columns} | {"time": time} | values
    rows = [(TABLES.index(TABLE[table]), tuple(own.values()))]
    return Entry(
        position, "batch", 0, time, site, encode(site, "a", bytes(16), position, time, rows)
    )


def streams(made):
    entries, now = [], START
    for n, (site, table, dest, part, seconds) in enumerate(made, 1):
        now += seconds * SECOND + 1
        values = {"resp_h": pack_address(f"198.51.100.{dest}")}
        values |= {"part": part} if table == "flows" else {"qtype": 1}
        entries.append(entry(n, site, table, now, **values))
    return entries


def model(made):
    now, first, count, told = START, {}, {}, {}
    for site, table, dest, part, seconds in made:
        now += seconds * SECOND + 1
        if table == "flows":
            key = (site, dest)
            known = first.setdefault(key, now)
            told[site, now] = (known - START) * 100.0 + count.get(key, 0)
            count[key] = count.get(key, 0) + (part == 0)
    return told


class Told:
    def __init__(self, *detectors):
        self.detectors, self.scores = detectors, {d.name: {} for d in detectors}

    def watch(self, scored, numbering):
        for one in scored:
            scores = self.scores[self.detectors[one.detector].name]
            for i in np.flatnonzero(~np.isnan(one.scores)):
                scores[numbering.sites[one.site[i]], int(one.time[i])] = float(one.scores[i])


MADE = st.lists(
    st.tuples(
        st.sampled_from(SITES), st.sampled_from(["flows", "flows", "dns"]),
        st.integers(1, 3), st.integers(0, 1), st.integers(0, 40),
    ),
    min_size=1,
    max_size=40,
)  # fmt: skip


@settings(max_examples=25)
@given(made=MADE, cuts=st.sets(st.integers(0, 40)), moves=st.sets(st.integers(0, 40), max_size=2))
def test_any_cut_any_mix_of_sites_and_any_move_gives_equal_columns(made, cuts, moves):
    detectors = (Known(), KnownWindow(), KnownSite())
    entries, told = streams(made), Told(*detectors)
    engine = Engine(detectors, watch=told.watch)
    bounds = sorted({0, *(c for c in cuts | moves if c < len(entries)), len(entries)})
    for begin, end in pairwise(bounds):
        if begin in moves:
            taken = [msgspec.msgpack.encode(engine.take(s)) for s in engine.numbering.sites]
            engine = Engine([type(d)() for d in detectors], watch=told.watch)
            for record in reversed(taken):
                engine.put(msgspec.msgpack.decode(record, type=SiteRecord))
        engine.step(entries[begin:end])
    engine.finish()
    wanted = model(made)
    assert told.scores == {d.name: wanted for d in detectors}
    assert engine.take_observed().failures == {}


ENTRIES = streams([(SITES[n % 2], "flows", n % 3, 0, 5) for n in range(24)])


def scores_after(engine, told, entries):
    told.scores["known"].clear()
    for one in entries:
        engine.step([one])
    return list(told.scores["known"].values())


def test_a_checkpoint_has_it(tmp_path):
    told = Told(Known())
    whole = scores_after(Engine([Known()], watch=told.watch), told, ENTRIES)
    engine = Engine([Known()])
    engine.step(ENTRIES[:12])
    save(engine, tmp_path / "c")
    again = Engine([Known()], watch=told.watch)
    load(again, tmp_path / "c")
    assert scores_after(again, told, ENTRIES[12:]) == whole[12:]


def test_a_context_that_is_another_now_starts_anew_and_one_of_before_there_were_any(monkeypatch):
    told = Told(Known())
    engine = Engine([Known()])
    engine.step(ENTRIES[:12])
    records = [engine.take(site) for site in engine.numbering.sites]
    old = [msgspec.structs.replace(record, contexts={}) for record in records]
    state = {**Hosts.state, "more": ("f4", ())}
    cold = scores_after(Engine([Known()], watch=told.watch), told, ENTRIES[12:])
    for changed, given_records in ((Hosts.state, old), (state, records)):
        monkeypatch.setattr(Hosts, "state", changed)
        again = Engine([Known()], watch=told.watch)
        for record in given_records:
            again.put(record)
        assert scores_after(again, told, ENTRIES[12:]) == cold


def test_only_what_a_detector_asks_for_is_computed(monkeypatch):
    called = []
    monkeypatch.setattr(Hosts, "fold", lambda *_: called.append(1))
    engine = Engine([Scan()])
    engine.step(ENTRIES[:3])
    assert not called
    assert engine.take("bakery").contexts == {}
    Engine([Scan(), Known(), KnownSite()]).step(ENTRIES[:3])
    assert called == [1], "once for all"


def test_whoever_asked_for_a_context_that_fails_has_failed_and_the_others_go_on(
    monkeypatch, caplog
):
    inner, calls = Hosts.fold, []

    def fold(self, rows, state, out):
        calls.append(1)
        if len(calls) in {2, 4}:
            raise ZeroDivisionError
        inner(self, rows, state, out)

    monkeypatch.setattr(Hosts, "fold", fold)
    scan, known = Scan(), Known()
    told = Told(scan, known)
    engine = Engine([scan, known], watch=told.watch)
    with caplog.at_level(logging.CRITICAL):
        for one in ENTRIES[:8]:
            engine.step([one])
    assert engine.controls.take_strikes() == [], "it was not its own doing"
    assert engine.take_observed().failures == {"known": 2}
    assert len(told.scores["known"]) == 6
    # The second row was not learned: the eighth, of the same site and destination, is the first.
    (site, time), score = list(told.scores["known"].items())[-1]
    assert (site, score) == ("clinic", (time - START) * 100.0)


class Met(RowDetector):
    """When its site met each of the two ends, in seconds after the start."""

    name = "met"
    table = "flows"
    reads = ()
    context = ("orig_first", "dest_first")
    entity = "site"
    kind = "policy"
    technique = ""
    facts = context

    def fold(self, rows, state, scores, facts):
        scores[:] = (rows["orig_first"] - START) // SECOND * 1000 + (
            rows["dest_first"] - START
        ) // SECOND

    def explain(self, facts):
        raise NotImplementedError


def test_a_context_that_fails_has_seen_neither_end_of_its_rows(monkeypatch, caplog):
    inner, calls = Hosts.fold, []

    def fold(self, rows, state, out):
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError
        inner(self, rows, state, out)

    monkeypatch.setattr(Hosts, "fold", fold)
    told = Told(Met())
    engine = Engine([Met()], watch=told.watch)
    ends = [(1, 2), (3, 4), (4, 3), (3, 1), (2, 4)]  # the second row, of two new ends, fails
    with caplog.at_level(logging.CRITICAL):
        for n, (orig, resp) in enumerate(ends, 1):
            both_ends = {
                "orig_h": pack_address(f"192.0.2.{orig}"),
                "resp_h": pack_address(f"192.0.2.{resp}"),
            }
            engine.step([entry(n, "bakery", "flows", START + n * SECOND, **both_ends)])
    assert list(told.scores["met"].values()) == [1001, 3003, 3001, 1003]


def test_detectors_whose_context_keeps_failing_are_asked_again_each_time(monkeypatch, caplog):
    def fold(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(Hosts, "fold", fold)
    engine = Engine([Known(), KnownSite(), Scan()])
    with caplog.at_level(logging.CRITICAL):
        for one in ENTRIES:
            engine.step([one])
    failures = engine.take_observed().failures
    assert failures == dict.fromkeys(("known", "known_site"), len(ENTRIES))
    assert engine.controls.left_out() == []
