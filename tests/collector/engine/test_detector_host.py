"""A detector that fails is fenced off; a student's detector lives by the same rules."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.hosted import STRIKES
from dijkwacht_collector.engine.trainer import training_rows
from dijkwacht_collector.incidents import IncidentEvent
from dijkwacht_collector.journal import Entry, Verdict, partition_of
from dijkwacht_collector.policy import Calibration, Calibrations
from dijkwacht_detectors.api import Explanation, RowDetector, SiteDetector, Who, WindowDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import TABLE
from dijkwacht_records.wire import encode

MINUTE = 60_000_000


class Broken(RowDetector):
    name = "broken"
    table = "system"
    reads = ("value",)
    entity = "site"
    kind = "other"
    technique = ""
    who = Who("", "", "")
    subject = "agent"

    def fold(self, rows, state, scores, facts):
        raise ZeroDivisionError

    def explain(self, facts):
        return Explanation("", "", "", "")


class Jump(SiteDetector):
    """How far the mean of a window is from all windows before it."""

    name = "jump"
    table = "system"
    reads = ("metric", "value")
    who = Who("", "", "", name="metric")
    subject = "agent"

    def __init__(self):
        self.seen_ = 0
        self.mean_ = 0.0

    def score_many(self, window):
        if self.seen_ < 3:
            return np.full(len(window), np.nan)
        return np.abs(window["value"] - self.mean_)

    def learn_many(self, window):
        self.seen_ += 1
        self.mean_ += (window["value"].mean() - self.mean_) / self.seen_


def samples(site, minute, value, rows=4):
    time = 1_000 * MINUTE + minute * MINUTE
    made = [(5, (time + i, "cpu_ratio", value)) for i in range(rows)]
    payload = encode(site, "till", bytes(16), minute, time, made)
    return Entry(minute + 1, "batch", 0, time, site, payload)


def engine_of(*detectors):
    tables = {
        d.name: Calibration(d.name, 1, "a test", [0.0, 5.0], [168.0, 1e-6]) for d in detectors
    }
    return Engine(detectors, Calibrations(tables))


def played(engine, entries):
    """The events of ``entries``; strikes are journalled as they come due."""
    events, position = [], 1000
    for entry in entries:
        events += engine.step([entry])
        for site, strike in engine.controls.take_strikes():
            position += 1
            payload = strike.draft(site, 0).payload
            engine.step([Entry(position, "strike", partition_of(site), 0, site, payload)])
    return events


def of_incidents(events):
    return [event for event in events if isinstance(event, IncidentEvent)]


def test_a_broken_detector_is_left_out_and_counted(caplog):
    engine = engine_of(Broken(), Jump())
    with caplog.at_level(logging.CRITICAL):
        events = played(engine, [samples("bakery", m, 9.0 if m == 7 else 0.5) for m in range(9)])
    assert engine.controls.left_out() == [("bakery", "broken")]
    assert engine.take_observed().failures == {"broken": STRIKES}
    assert [e.incident.detector for e in of_incidents(events)] == ["jump"]


def test_a_site_detector_is_an_object_a_site_and_told_in_words():
    engine = engine_of(Jump())
    events = []
    for minute in range(10):
        events += engine.step([samples("bakery", minute, 9.0 if minute == 8 else 0.5)])
        events += engine.step([samples("garage", minute, 9.0)])
    (event,) = [e for e in of_incidents(events) if e.activity == "create"]
    assert event.incident.site == "bakery"
    assert event.incident.subject == "till"
    assert event.incident.evidences[0].name == "cpu_ratio"
    assert "jump" in event.incident.title_nl


class Short(Jump):
    name = "short"

    def score_many(self, window):
        return np.array([9.0])


def test_a_score_too_few_is_a_failure_not_a_score_for_all():
    engine = engine_of(Short())
    assert played(engine, [samples("bakery", m, 9.0) for m in range(STRIKES + 3)]) == []
    assert engine.take_observed().failures == {"short": STRIKES}


class Narrow(WindowDetector):
    name = "narrow"
    table = "system"
    reads = ("value",)
    entity = "site"
    kind = "other"
    technique = ""
    who = Who("", "", "")
    subject = "agent"
    facts = ("a", "b")

    def score(self, window, state):
        return window["value"], window["value"][:, None]

    def explain(self, facts):
        return Explanation("", "", "", "")


def test_facts_that_are_not_those_declared_are_a_failure_of_the_detector_alone():
    engine = engine_of(Narrow(), Jump())
    events = played(engine, [samples("bakery", m, 9.0 if m == 7 else 0.5) for m in range(9)])
    assert engine.take_observed().failures["narrow"] == STRIKES
    assert [e.incident.detector for e in of_incidents(events)] == ["jump"]


class Fall(Jump):
    """The same, on another scale, for the same kind and subject."""

    name = "fall"

    def score_many(self, window):
        return super().score_many(window) / 2 + 1.0


@pytest.mark.parametrize("verdict", ["normal", "attack"])
def test_a_verdict_closes_and_moves_no_detectors_line(verdict):
    engine = engine_of(Jump(), Fall())
    events = []
    for minute in range(10):
        events += engine.step([samples("bakery", minute, 11.0 if minute == 8 else 0.5)])
    events = of_incidents(events)
    (uid,) = {event.incident.uid for event in events}
    assert {evidence.detector for evidence in events[-1].incident.evidences} == {"jump", "fall"}
    before = [policy.rarity(0, 8.0) for policy in engine.policy.detectors]
    said = Verdict(uid, verdict).draft("bakery", 0).payload
    (closed, _) = engine.step([Entry(99, "verdict", 0, 0, "bakery", said)])
    assert closed.incident.status == ("normal" if verdict == "normal" else "confirmed")
    assert [policy.rarity(0, 8.0) for policy in engine.policy.detectors] == before
    assert [sum(policy.history[0]) for policy in engine.policy.detectors] == [0, 0]


def test_a_site_chooses_its_budget_and_its_exceptions():
    engine = engine_of(Jump())
    engine.step([Entry(1, "budget", 0, 0, "bakery", b'{"per_week":0.0000001}')])
    events = [
        e for m in range(10) for e in engine.step([samples("bakery", m, 9.0 if m == 8 else 0.5)])
    ]
    assert events == []
    engine = engine_of(Jump())
    until = b'{"kind":"other","subject":"till","until":9000000000000000}'
    engine.step([Entry(1, "exemption", 0, 0, "bakery", until)])
    events = [
        e for m in range(10) for e in engine.step([samples("bakery", m, 9.0 if m == 8 else 0.5)])
    ]
    assert events == []


def test_nothing_is_there_to_train_on_before_the_first_row():
    for kept in Engine(shipped_detectors()).take_samples().values():
        assert len(training_rows(kept)) == 0


class Mute(Jump):
    """Has words with a place that nobody fills."""

    name = "mute"

    def explain(self, facts):
        return Explanation("{nobody}", "", "", "")


def test_a_detector_whose_words_fail_is_counted_and_stops_nobody(caplog):
    engine = engine_of(Mute(), Jump())
    with caplog.at_level(logging.CRITICAL):
        events = [
            e for m in range(9) for e in engine.step([samples("bakery", m, 9.0 if m == 7 else 0.5)])
        ]
    assert engine.take_observed().failures["mute"] >= 1
    assert [e.incident.detector for e in of_incidents(events)] == ["jump"]


class Forgetful(WindowDetector):
    """Counts rows, with room for two pairs only: entities make way for others all the time."""

    name = "forgetful"
    table = "flows"
    reads = ()
    entity = "pair"
    kind = "other"
    technique = ""
    state = {"rows": ("i8", ())}  # noqa: RUF012
    entities_per_site = 2

    def score(self, window, state):
        return self.count(window, state["rows"].copy()), np.zeros((len(window), 0))

    def learn(self, window, state):
        self.count(window, state["rows"])

    def count(self, window, counts):
        scores = np.zeros(len(window))
        for i, slot in enumerate(window.slot):
            counts[slot] = 0 if window.fresh[i] else counts[slot] + 1
            scores[i] = counts[slot]
        return scores

    def explain(self, facts):
        raise NotImplementedError


def told_by(entries, step):
    engine, told = Engine([Forgetful()]), []
    evidence = engine.policy.evidence

    def listen(scored):
        for one in scored:
            told.extend(
                zip(one.time, one.slot, one.fresh, one.scores, one.facts.tolist(), strict=True)
            )
        return evidence(scored)

    engine.policy.evidence = listen
    for at in range(0, len(entries), step):
        engine.step(entries[at : at + step])
    engine.finish()
    return told


def test_minutes_that_end_in_one_step_are_scored_as_one_by_one():
    names = [c.name for c in TABLE["flows"].columns]
    entries = []
    for minute in range(60):
        time = 1_000 * MINUTE + minute * MINUTE
        rows = []
        for host in (7, 7, 8 + minute // 9 % 3):
            row = dict.fromkeys(names, 0) | {"time": time, "start": time, "resp_p": 443, "proto": 6}
            row |= {"part": 0, "orig_h": inside(host), "resp_h": pack_address("198.51.100.9")}
            rows.append((0, tuple(row.values())))
        body = encode("bakery", "till", bytes(16), minute, time, rows)
        entries.append(Entry(minute + 1, "batch", 0, time, "bakery", body))
    one_by_one, at_once = told_by(entries, 1), told_by(entries, 60)
    assert repr(at_once) == repr(one_by_one)
    assert len(at_once) == 180
    assert sum(bool(fresh) for _, _, fresh, _, _ in at_once) > 6
    assert any(score > 0 for _, _, _, score, _ in at_once)


def inside(host):
    return pack_address(f"192.168.77.{host}")


@pytest.mark.parametrize("kind", [Broken, Jump])
@pytest.mark.parametrize("field", ["reads", "who"])
def test_a_detector_that_reads_time_as_a_column_stops_nobody(kind, field, caplog):
    """`check_detector` and every loader refuse it; whoever makes an engine of it anyway may."""
    value = {"reads": ("time", "value"), "who": Who("", "", port="time")}[field]
    odd = type("Odd", (kind,), {"name": "odd", field: value, "fold": lambda _, rows, *__: rows["time"],
                                "score_many": lambda _, window: window["time"] * 0.0})  # fmt: skip
    engine = engine_of(odd(), Jump())
    with caplog.at_level(logging.CRITICAL):
        events = played(engine, [samples("bakery", m, 9.0 if m == 7 else 0.5) for m in range(9)])
    assert engine.take_observed().failures["odd"] >= STRIKES
    assert [e.incident.detector for e in of_incidents(events)] == ["jump"]
