"""What a site is told under a model does not depend on where it was saved, nor on who else is there."""

import threading
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.site_record import Owner
from dijkwacht_collector.engine.trainer import training_rows
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.journal import (
    Bundles,
    BundlesInHand,
    Entry,
    Journal,
    Model,
    partition_of,
)
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import Sinks
from dijkwacht_detectors.state.memory import Kept
from dijkwacht_detectors.unlike_others import UnlikeOthers
from dijkwacht_records import wire
from dijkwacht_records.tables import TABLE, TABLES

MODELS = (17, 40)
"""A model comes before every batch of these numbers."""


BUNDLES = BundlesInHand()
NOON = 1_767_268_800_000_000
REST = {"cpu_ratio": 0.1, "cpu_temperature_celsius": 45.0, "memory_used_ratio": 0.4, "net_in_bytes": 9e4,
        "disk_read_bytes": 4e4, "context_switches": 900.0}  # fmt: skip


def metrics_of(sites, readings, batch_rows):
    """Batches of machines, one a site, that read their metrics every ten minutes, in turn."""
    dice = np.random.default_rng(3)
    batches = []
    for begin in range(0, readings, batch_rows // len(REST)):
        for site in sites:
            rows = [
                (TABLES.index(TABLE["system"]), (NOON + n * 600_000_000, metric, float(usual * dice.lognormal(0, 0.2))))
                for n in range(begin, min(begin + batch_rows // len(REST), readings))
                for metric, usual in REST.items()
            ]  # fmt: skip
            arrival = rows[-1][1][0]
            body = wire.encode(site, "desk", bytes(16), len(batches) + 1, arrival, rows)
            batches.append(Entry(0, "batch", partition_of(site), arrival, site, body))
    return batches


class Watched:
    """An engine with one detector that has a model; its scores as bytes, by position."""

    def __init__(self):
        self.said = {}
        self._scores = []
        watch = lambda scored, _: self._scores.extend(scored)  # noqa: E731
        self.engine = Engine([UnlikeOthers()], watch=watch, bundles=BUNDLES)

    def step(self, entry):
        self.engine.step([entry])
        self.said[entry.position] = b"".join(one.scores.tobytes() for one in self._scores)
        self._scores.clear()


def with_models(batches):
    """``batches`` numbered anew, with the models that their rows make."""
    watched, entries = Watched(), []
    for number, batch in enumerate(batches):
        if number in MODELS:
            rows = training_rows(watched.engine.take_samples()["unlike_others"])
            payload = (
                Model("unlike_others", BUNDLES.keep(UnlikeOthers().train(rows)))
                .draft("", 0)
                .payload
            )
            for partition in sorted({batch.partition for batch in batches}):
                entries.append(Entry(len(entries) + 1, "model", partition, 0, "", payload))
                watched.step(entries[-1])
        entries.append(batch._replace(position=len(entries) + 1))
        watched.step(entries[-1])
    return entries, watched


ENTRIES, WHOLE = with_models(metrics_of(("bakery", "clinic"), 500, 100))


def test_there_are_opinions_to_compare():
    scores = np.frombuffer(b"".join(WHOLE.said.values()))
    assert np.isfinite(scores).sum() > 500
    assert np.isnan(scores).any()


def encoded(value):
    """As it comes out of a file."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value))


def encoded_all(values):
    return [encoded(value) for value in values]


@settings(max_examples=15)
@given(begin=st.integers(1, 55), pauses=st.lists(st.integers(0, 9), min_size=2, max_size=2))
def test_a_restart_changes_no_opinion(begin, pauses):
    first = Watched()
    for entry in ENTRIES[:begin]:
        first.step(entry)
    engine, records, at = first.engine, [], begin
    states = [engine.state_of(partition, Owner()) for partition in engine.positions]
    for site, pause in zip(first.engine.numbering.sites[::-1], pauses, strict=False):
        for entry in ENTRIES[at : at + pause]:
            first.step(entry)
        at += pause
        records.append(first.engine.take(site))
    again = Watched()
    again.engine.resume(encoded_all(states), encoded_all(records))
    for entry in ENTRIES[begin:]:
        again.step(entry)
    covered = {record.name: record.position for record in records}
    for entry in ENTRIES:
        of = again if entry.position > covered.get(entry.site, begin) else first
        assert of.said[entry.position] == WHOLE.said[entry.position], entry.position


def test_a_site_alone_is_told_the_same_under_the_same_models():
    for name in WHOLE.engine.numbering.sites:
        alone = Watched()
        for entry in ENTRIES:
            if entry.site in (name, ""):
                alone.step(entry)
        assert {p: said for p, said in alone.said.items() if said} == {
            e.position: WHOLE.said[e.position]
            for e in ENTRIES
            if e.site == name and WHOLE.said[e.position]
        }


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_last_model_came_after_is_kept_with_the_site(number):
    name = WHOLE.engine.numbering.sites[number]
    other = Engine([UnlikeOthers()])
    other.numbering.site("somebody else")
    other.put(encoded(WHOLE.engine.take(name)))
    kept, moved = (
        WHOLE.engine.take_samples()["unlike_others"],
        other.take_samples()["unlike_others"],
    )
    assert 0 < moved.learned[1] == kept.learned[number] < kept.seen[number] == moved.seen[1]
    assert moved.samples[1].tobytes() == kept.samples[number].tobytes()
    assert moved.seen[0] == 0


class Keeping(Engine):
    """Has kept 800 rows of one site: alone too few for a first model."""

    def take_samples(self):
        rows = np.random.default_rng(7).random((1, 800, 14))
        return {"unlike_others": Kept(rows, np.array([800]), np.array([0]))}


def test_one_model_is_trained_on_what_all_engines_keep(tmp_path, monkeypatch):
    given, trained = [], threading.Event()

    def start(*what):
        given.append(what)
        trained.set()

    monkeypatch.setattr("dijkwacht_collector.engine.worker._TRAINING_S", 0.0)
    monkeypatch.setattr("dijkwacht_collector.engine.trainer._start", start)
    journal = Journal(tmp_path / "journal")
    journal.open()
    detectors = SimpleNamespace(engine=lambda **_: Keeping([UnlikeOthers()]), own_files=dict)
    store = SimpleNamespace(is_new=False, epoch=0, mark=0, note=lambda _: None, identity="one")
    bundles = Bundles(tmp_path / "bundles")
    telemetry = Telemetry(["unlike_others"])
    parts = EngineParts(journal, bundles, detectors, Sinks([]), store, telemetry, lambda: 1, 1000.0)
    workers = EngineWorkers(2, parts, tmp_path, training=True)
    workers.open()
    assert trained.wait(20)
    workers.close()
    journal.close()
    name, rows, own_file = given[0]
    assert (name, len(rows), own_file) == ("unlike_others", 1600, None)
