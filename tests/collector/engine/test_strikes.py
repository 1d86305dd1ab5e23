"""A detector that fails does so for one entry's rows of one site; what counts is in the journal."""

from __future__ import annotations

import logging
import random
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.hosted import STRIKES
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.journal import (
    Bundles,
    Draft,
    Entry,
    Journal,
    Release,
    Strike,
    partition_of,
)
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import Sinks
from dijkwacht_detectors.api import Explanation, RowDetector, SiteDetector, Who, WindowDetector
from dijkwacht_records.wire import encode

MINUTE = 60_000_000
ODD = -1.0


class Row(RowDetector):
    """Counts the rows of a site so far; fails at an odd one, in the middle of its rows."""

    name = "row"
    table = "system"
    reads = ("value",)
    entity = "site"
    kind = "other"
    technique = ""
    who = Who("", "", "")
    subject = "agent"
    state = {"count": ("i8", ())}  # noqa: RUF012  # as the contract has it

    def fold(self, rows, state, scores, facts):
        for i in range(len(rows)):
            if rows.fresh[i]:
                state["count"][rows.slot[i]] = 0
            state["count"][rows.slot[i]] += 1
            scores[i] = state["count"][rows.slot[i]]
            if rows["value"][i] == ODD:
                raise ZeroDivisionError("odd")

    def explain(self, facts):
        return Explanation("t", "t", "t", "t")


class Window(WindowDetector):
    """The same by windows; fails when it learns."""

    name = "window"
    table = "system"
    reads = ("value",)
    entity = "site"
    kind = "other"
    technique = ""
    who = Who("", "", "")
    subject = "agent"
    state = {"count": ("i8", ())}  # noqa: RUF012

    def score(self, window, state):
        before = np.where(window.fresh, 0, state["count"][window.slot])
        return before + 1.0, np.zeros((len(window), 0))

    def learn(self, window, state):
        state["count"][window.slot[window.fresh]] = 0
        state["count"][window.slot[0]] += len(window)
        if (window["value"] == ODD).any():
            raise ZeroDivisionError("odd")

    def explain(self, facts):
        return Explanation("t", "t", "t", "t")


class Own(SiteDetector):
    """The same, an object a site."""

    name = "own"
    table = "system"
    reads = ("value",)
    who = Who("", "", "")
    subject = "agent"

    def __init__(self):
        self.count_ = 0

    def score_many(self, window):
        return np.full(len(window), self.count_ + 1.0)

    def learn_many(self, window):
        self.count_ += len(window)
        if (window["value"] == ODD).any():
            raise ZeroDivisionError("odd")


KINDS = [Row, Window, Own]


def a_batch(position, site, minute, values):
    time = 1_000_000 * MINUTE + minute * MINUTE
    rows = [(5, (time + i, "cpu_ratio", value)) for i, value in enumerate(values)]
    payload = encode(site, "till", bytes(16), position, time, rows)
    return Entry(position, "batch", partition_of(site), time, site, payload)


class Told:
    """All opinions, by site and time."""

    def __init__(self):
        self.scores = {}

    def see(self, scored, numbering):
        for one in scored:
            for site, at, score in zip(one.site, one.time, one.scores, strict=True):
                self.scores.setdefault(numbering.sites[site], []).append((int(at), float(score)))


def opinions(kind, entries, cuts=(), stops=(), folder=None):
    """What is told with the entries cut into steps so, and restarts at some of the cuts."""
    told = Told()
    engine = Engine([kind()], watch=told.see)
    begin = 0
    for number, end in enumerate([*sorted(cuts), len(entries)]):
        engine.step(entries[begin:end])
        begin = end
        if number in stops:
            save(engine, folder / str(number))
            engine = Engine([kind()], watch=told.see)
            load(engine, folder / str(number))
    return {site: sorted(map(repr, of)) for site, of in told.scores.items()}, engine


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.CRITICAL)


@pytest.mark.parametrize("kind", KINDS)
def test_an_odd_row_of_one_site_changes_nothing_at_another(kind):
    def entries(odd):
        made = []
        for minute in range(8):
            made.append(
                a_batch(2 * minute + 1, "bakery", minute, [1.0, odd if minute % 2 else 1.0])
            )
            made.append(a_batch(2 * minute + 2, "garage", minute, [1.0, 2.0, 3.0]))
        return made

    sound, _ = opinions(kind, entries(1.0))
    odd, engine = opinions(kind, entries(ODD))
    assert odd["garage"] == sound["garage"]
    assert odd["bakery"] != sound["bakery"]
    [(site, strike)] = engine.controls.take_strikes()
    assert (site, strike.detector, strike.why) == ("bakery", kind.name, "ZeroDivisionError: odd")


@st.composite
def journals(draw):
    """Batches of three sites, odd rows among them, and strikes that some run has put there."""
    made, minutes = [], dict.fromkeys(("bakery", "garage", "clinic"), 0)
    for position in range(1, draw(st.integers(5, 40))):
        site = draw(st.sampled_from(sorted(minutes)))
        if draw(st.integers(0, 5)) == 0:
            strike = Strike(draw(st.sampled_from([kind.name for kind in KINDS])), position - 1)
            payload = strike.draft(site, 0).payload
            made.append(Entry(position, "strike", partition_of(site), 0, site, payload))
            continue
        minutes[site] += draw(st.integers(0, 1))
        values = draw(st.lists(st.sampled_from([1.0, 2.0, ODD]), min_size=1, max_size=4))
        made.append(a_batch(position, site, minutes[site], values))
    return made


@settings(max_examples=40)
@given(journals(), st.sets(st.integers(1, 39)), st.sets(st.integers(0, 5)), st.sampled_from(KINDS))
def test_the_same_journal_gives_the_same_opinions_for_any_steps_and_restarts(
    tmp_path_factory, entries, cuts, stops, kind
):
    folder = tmp_path_factory.mktemp("saved")
    whole, engine = opinions(kind, entries)
    cut, again = opinions(kind, entries, cuts, stops, folder)
    assert cut == whole
    assert again.controls.left_out() == engine.controls.left_out()


def test_it_counts_from_its_own_entry_on_and_there_is_one_at_a_time():
    told = Told()
    engine = Engine([Row()], watch=told.see)
    position = 0
    for number in range(STRIKES):
        for _ in range(5):  # it fails again and again before the strike is in the journal
            position += 1
            engine.step([a_batch(position, "bakery", number, [ODD])])
        [(site, strike)] = engine.controls.take_strikes()
        assert strike.position == position - 4
        assert engine.controls.left_out() == []
        assert engine.controls.take_strikes() == []
        position += 1
        engine.step([Entry(position, "strike", 95, 0, site, strike.draft(site, 0).payload)])
    assert engine.controls.left_out() == [("bakery", "row")]
    before = len(told.scores["bakery"])
    engine.step(
        [a_batch(position + 1, "bakery", 9, [1.0]), a_batch(position + 2, "clinic", 9, [1.0])]
    )
    assert len(told.scores["bakery"]) == before
    assert len(told.scores["clinic"]) == 1


def test_another_release_gives_it_another_chance(tmp_path):
    engine = Engine([Row()])
    engine.step([a_batch(1, "bakery", 0, [1.0])])
    for position in range(2, 2 + STRIKES):
        payload = Strike("row", 1).draft("bakery", 0).payload
        engine.step([Entry(position, "strike", 95, 0, "bakery", payload)])
    save(engine, tmp_path)
    engine = Engine([Row()])
    load(engine, tmp_path)
    assert engine.controls.left_out() == [("bakery", "row")]
    for release, left_out in (("0" * 32, []), (engine.controls.release, [])):
        payload = Release(release).draft("", 0).payload
        engine.step([Entry(9, "release", 95, 0, "", payload)])
        assert engine.controls.left_out() == left_out


def test_a_shipped_detector_that_fails_is_asked_entry_by_entry_from_then_on(monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.hosted._SHIPPED", __name__)
    told = Told()
    engine = Engine([Row()], watch=told.see)
    steps = [
        [a_batch(1, "bakery", 0, [1.0]), a_batch(2, "garage", 0, [1.0])],
        [a_batch(3, "bakery", 1, [ODD]), a_batch(4, "garage", 1, [1.0])],
        [a_batch(5, "bakery", 2, [ODD]), a_batch(6, "garage", 2, [1.0])],
    ]
    for step in steps:
        engine.step(step)
    scored = {s: [score for _, score in of if not np.isnan(score)] for s, of in told.scores.items()}
    assert (len(scored["bakery"]), len(scored["garage"])) == (1, 2), (
        "one call's rows are lost to it"
    )
    assert [(site, s.position) for site, s in engine.controls.take_strikes()] == [("bakery", 5)]
    assert engine.take_observed().failures == {"row": 2}


def test_random_failures_never_reach_the_engine():
    dice = random.Random(3)

    class Wild(Row):
        name = "wild"

        def fold(self, rows, state, scores, facts):
            raise dice.choice([ValueError, KeyError, MemoryError, RecursionError])

    engine = Engine([Wild()])
    for position in range(1, 60):
        engine.step([a_batch(position, dice.choice(["bakery", "garage"]), position, [1.0])])
    assert engine.take_observed().failures == {"wild": 59}


def struck(journal):
    """The strikes that a journal holds, by site and the position that each is for."""
    after, found = dict.fromkeys(range(128), 0), []
    while journal.wait(after, after, 0):
        entries, after = journal.read(after, after)
        found += [(e.site, Strike.read(e).position) for e in entries if e.kind == "strike"]
    return found


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited 20 s"
        threading.Event().wait(0.005)


def test_a_worker_journals_each_strike_once_and_a_restart_adds_none(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.open()

    def workers():
        parts = EngineParts(
            journal,
            Bundles(tmp_path / "bundles"),
            SimpleNamespace(engine=lambda **parts: Engine([Row()], **parts), own_files=dict),
            Sinks([]),
            SimpleNamespace(
                is_new=False, epoch=0, mark=0, note=lambda _: None, identity="one", sites=list
            ),
            Telemetry(["row"]),
            lambda: 1,
            1000.0,
        )
        started = EngineWorkers(2, parts, tmp_path / "checkpoints", training=False)
        started.open()
        return started

    def feed(minute, site, value):
        entry = a_batch(minute + 1, site, minute, [value])
        draft = Draft("batch", site, entry.arrival, entry.payload, f"till/{minute}")
        return journal.append_all([(entry.partition, draft)])

    running, failed = workers(), []
    for minute in range(STRIKES):
        failed.append(feed(minute, "bakery", ODD))
        feed(minute, "garage", 1.0)
        until(lambda: len(struck(journal)) == len(failed))
    until(lambda: running.left_out == [("bakery", "row")])
    running.close()
    for path in (tmp_path / "checkpoints").iterdir():  # all is folded again, and fails again
        path.unlink()
    running = workers()
    feed(STRIKES, "bakery", ODD)
    until(lambda: running.position == journal.last)
    assert running.left_out == [("bakery", "row")]
    running.close()
    journal.close()
    journal.open()
    assert struck(journal) == [("bakery", position) for position in failed]
    journal.close()
