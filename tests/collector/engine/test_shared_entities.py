"""Detectors that share a table of entities, or rows, say what each would say alone."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.detector_host import DetectorHost
from dijkwacht_collector.engine.hosted import STRIKES
from dijkwacht_collector.journal import Entry
from dijkwacht_detectors.api import RowDetector, Who
from dijkwacht_detectors.state.memory import pick_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import TABLE, TABLES
from dijkwacht_records.wire import encode

START = 1_700_000_000_000_000
NOTHING = {"int": 0, "float": 0.0, "addr": bytes(16), "text": ""}


def entries_of(rows, size):
    """(table, host) each, ``size`` to a batch; a row a microsecond."""
    made = []
    for n, (table, host) in enumerate(rows):
        own = {c.name: NOTHING[c.kind] for c in TABLE[table].columns}
        own |= {"time": START + n, "orig_h": pack_address(f"192.168.1.{host}")}
        made.append((TABLES.index(TABLE[table]), tuple(own.values())))
    return [
        Entry(n, "batch", 0, START + at, "bakery",
              encode("bakery", "a", bytes(16), n, START + at, made[at : at + size]))
        for n, at in enumerate(range(0, len(made), size), 1)
    ]  # fmt: skip


class Counts(RowDetector):
    """Scores each flow by what its entity counted before it."""

    kind = "policy"
    technique = ""
    who = Who()
    state = {"had": ("i8", ())}  # noqa: RUF012
    counts = "flows"

    def fold(self, rows, state, scores, facts):
        tables = [self.table] if hasattr(self, "table") else [*self.reads]
        for i, slot in enumerate(rows.slot):
            if rows.fresh[i]:
                state["had"][slot] = 0
            table = tables[rows.table[i]]
            if table == "flows":
                scores[i] = state["had"][slot]
            state["had"][slot] += table == self.counts

    def explain(self, facts):
        raise NotImplementedError


class Flows(Counts):
    """Flows of a host."""

    name = "flows_before"
    table = "flows"
    reads = ("resp_p",)
    entity = "orig"


class Asked(Counts):
    """Questions of a host."""

    name = "asked"
    reads = {"flows": ("resp_p",), "dns": ("qtype", "query")}  # noqa: RUF012
    entity = "orig"
    counts = "dns"


class Few(Asked):
    """The same of two hosts: others are forgotten."""

    entities_per_site = 2


class Passing(Few):
    """The same, and rows that it does not read may come along."""

    passes_over = True

    def fold(self, rows, state, scores, facts):
        assert not rows.fresh[rows.table < 0].any()
        own = np.flatnonzero(rows.table >= 0)
        told = np.full(len(own), np.nan)
        super().fold(pick_rows(rows, own), state, told, facts)
        scores[own] = told


class Hellos(Passing):
    """Hellos of a site: it brings rows along that `Passing` does not read."""

    name = "hellos"
    reads = {"tls": ("resp_p",), "flows": ("resp_p",)}  # noqa: RUF012
    entity = "site"
    counts = "tls"


def scores_of(name, detectors, entries, moved_after):
    found = []

    def watch(scored, numbering):
        found.extend(float(s) for one in scored if detectors[one.detector].name == name
                     for s in one.scores if not np.isnan(s))  # fmt: skip

    engine = Engine(detectors, watch=watch)
    for at, one in enumerate(entries):
        if at == moved_after:
            record = engine.take("bakery")
            engine = Engine(detectors, watch=watch)
            engine.put(record)
        engine.step([one])
    assert engine.take_observed().failures == {}
    return found


def rows_of(*tables):
    return st.lists(st.tuples(st.sampled_from(tables), st.integers(1, 4)), min_size=1)


@settings(max_examples=25, deadline=None)
@given(rows=rows_of("flows", "dns"), size=st.integers(1, 5), moved_after=st.integers(0, 9))
def test_whoever_shares_a_table_of_entities_scores_as_if_alone(rows, size, moved_after):
    entries = entries_of(rows, size)
    together = [Asked(), Flows()]
    tables = DetectorHost(together)._entity_tables
    assert tables[0] == tables[1]
    for detector in together:
        alone = scores_of(detector.name, [detector], entries, moved_after)
        assert scores_of(detector.name, together, entries, moved_after) == alone


@settings(max_examples=40, deadline=None)
@given(rows=rows_of("flows", "dns", "tls"), size=st.integers(1, 9), moved_after=st.integers(0, 9))
@example(rows=[("dns", 1), ("tls", 2), ("tls", 3), ("flows", 1)], size=4, moved_after=0)
def test_rows_that_come_along_change_nothing(rows, size, moved_after):
    """They are no reason to forget somebody, either."""
    entries = entries_of(rows, size)
    alone = scores_of("asked", [Few()], entries, moved_after)
    assert scores_of("asked", [Passing(), Hellos(), Flows()], entries, moved_after) == alone
    before, told = 0, []
    for table, _ in rows:
        before += table == "tls"
        told += [before] * (table == "flows")
    assert scores_of("hellos", [Hellos(), Passing()], entries, moved_after) == told


class One(Flows):
    """Flows of the one host that there is room for."""

    name = "one_host"
    entities_per_site = 1


def test_who_was_left_out_begins_anew_with_whoever_came_meanwhile():
    scores = []
    engine = Engine([One()], watch=lambda told, _: scores.extend(told[0].scores.tolist()))
    first, meanwhile, last = (
        entries_of([("flows", host)] * 3, 3)[0]._replace(position=n)
        for n, host in enumerate((1, 2, 2), 1)
    )
    engine.step([first])
    [hosted] = engine.host.hosted
    hosted.strike(0, STRIKES)
    engine.step([meanwhile])
    hosted.forgive(0)
    engine.step([last])
    assert scores == [0, 1, 2, 0, 1, 2]
