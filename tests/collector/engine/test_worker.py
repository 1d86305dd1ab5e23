import threading
import time

import msgspec
import pytest

from dijkwacht_collector.engine.checkpoints import Checkpoints
from dijkwacht_collector.engine.engine import Observed
from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.site_record import Control, Head, SiteRecord
from dijkwacht_collector.engine.worker import EngineParts, EngineWorkers
from dijkwacht_collector.incidents import Incident, IncidentEvent, SiteIncidents
from dijkwacht_collector.journal import Draft, Journal
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import Sinks


class CountingEngine:
    """Says one incident an entry; remembers every position it was handed."""

    def __init__(self):
        self.position, self.store_id = -1, ""
        self.folded = []
        self.numbering = Numbering()
        self.numbering.site("bakery")

    def step(self, entries):
        self.folded += [entry.position for entry in entries]
        if entries:
            self.position = entries[-1].position
        return [
            IncidentEvent("create", an_incident(e.position, e.site), e.position) for e in entries
        ]

    def head(self):
        return Head(
            self.position, self.store_id, {"folded": msgspec.msgpack.encode(self.folded)}, {}
        )

    def take(self, name):
        control = Control([], None, SiteIncidents([], [], [], [], {}))
        return SiteRecord(name, self.position, control, {}, {})

    def resume(self, head, records):
        self.position, self.store_id = head.position, head.store_id
        self.folded = msgspec.msgpack.decode(head.bundles["folded"])
        assert [record.name for record in records] == ["bakery"]

    def take_observed(self):
        return Observed()

    def take_samples(self):
        return {}


def an_incident(number, site):
    return Incident(
        str(number), site, "scan", "scan", "T1046", "10.0.0.7", 0, 3, 90, 0.1, 1, 2, 1,
        "title", "titel", "desc", "besch", (),
    )  # fmt: skip


class Kept:
    """A sink in memory; the first ``refusals`` calls fail."""

    def __init__(self, refusals=0):
        self.events, self.refusals, self.flushed = [], refusals, 0

    def open(self):
        pass

    def handle(self, events):
        if self.refusals:
            self.refusals -= 1
            raise OSError(28, "No space left on device")
        self.events += events

    def flush(self):
        self.flushed = len(self.events)

    def close(self):
        pass


@pytest.fixture
def journal(tmp_path):
    journal = Journal(tmp_path / "journal")
    journal.open()
    yield journal
    journal.close()


@pytest.fixture
def start(journal, tmp_path):
    started, stores = [], ["first"]

    def start_workers(
        sink, count=1, make_engine=CountingEngine, interval=1000.0, *, training=False
    ):
        parts = EngineParts(
            journal, make_engine, Sinks([sink]), Telemetry(["scan"]), interval, lambda: stores[-1]
        )
        workers = EngineWorkers(count, parts, tmp_path / "checkpoints", training=training)
        started.append(workers)
        workers.open()
        return workers

    start_workers.stores = stores
    yield start_workers
    for workers in started:
        workers.close()


def feed(journal, *sites):
    return journal.append_many([Draft("batch", site, 1, b"x") for site in sites])


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited 20 s"
        threading.Event().wait(0.005)


def test_the_engine_gets_every_entry_once_and_in_order(journal, start):
    sink = Kept()
    workers = start(sink)
    for _ in range(20):
        feed(journal, "bakery", "clinic")
    until(lambda: workers.position == 40)
    assert [e.position for e in sink.events] == list(range(1, 41))


class DroppingEngine(CountingEngine):
    def take_observed(self):
        return Observed(dropped={"bakery": 5})


def test_what_full_windows_drop_reaches_the_metrics(journal, tmp_path):
    telemetry = Telemetry(["scan"])
    parts = EngineParts(journal, DroppingEngine, Sinks([Kept()]), telemetry, 1000.0, lambda: "")
    workers = EngineWorkers(1, parts, tmp_path / "checkpoints", training=False)
    workers.open()
    feed(journal, "bakery")
    until(lambda: workers.position == 1)
    workers.close()
    line = b'dijkwacht_rows_dropped_total{site="bakery",reason="window_full"} 5\n'
    assert line in telemetry.render()


def test_a_stop_saves_and_a_start_goes_on_behind_it(journal, start):
    sink = Kept()
    workers = start(sink)
    feed(journal, "bakery", "bakery")
    until(lambda: workers.position == 2)
    workers.close()
    assert sink.flushed == 2
    feed(journal, "bakery")
    workers = start(sink)
    until(lambda: workers.position == 3)
    assert [e.position for e in sink.events] == [1, 2, 3]


def test_a_store_that_is_new_gets_everything_again(journal, start, caplog):
    workers = start(Kept(), count=2)
    feed(journal, "bakery", "clinic", "bakery")
    until(lambda: workers.position == 3)
    workers.close()
    start.stores.append("second")
    sink = Kept()
    workers = start(sink, count=2)
    until(lambda: workers.position == 3)
    workers.close()
    assert sorted(e.position for e in sink.events) == [1, 2, 3]
    said = [record.message for record in caplog.records]
    assert said == ["checkpoint is of another incidents.db"] * 2
    sink = Kept()
    workers = start(sink, count=2)
    until(lambda: workers.position == 3)
    assert sink.events == []


def test_a_store_that_is_new_is_told_what_cannot_come_back(tmp_path, caplog):
    journal = Journal(tmp_path / "journal", segment_bytes=100)
    journal.open()
    for _ in range(4):
        feed(journal, "bakery")
    assert journal.forget(4, 1 << 60) > 0
    assert journal.first == 3
    parts = EngineParts(
        journal, CountingEngine, Sinks([sink := Kept()]), Telemetry(["scan"]), 1000.0, lambda: "new"
    )
    workers = EngineWorkers(1, parts, tmp_path / "checkpoints", training=False)
    workers.open()
    until(lambda: workers.position == 4)
    workers.close()
    journal.close()
    assert [e.position for e in sink.events] == [3, 4]
    [said] = [record for record in caplog.records if "trimmed" in record.message]
    assert (said.levelname, said.position, said.first) == ("WARNING", 0, 3)


def test_every_partition_has_one_thread(journal, start):
    sink = Kept()
    workers = start(sink, count=3)
    sites = [f"site-{n}" for n in range(40)]
    feed(journal, *sites, *sites)
    until(lambda: workers.position == 80)
    assert sorted(e.position for e in sink.events) == list(range(1, 81))
    for site in sites:
        of_site = [e.position for e in sink.events if e.incident.site == site]
        assert of_site == sorted(of_site)
    partitions = [p for worker in workers.each for p in worker.partitions]
    assert sorted(partitions) == list(range(128))


def test_a_model_reaches_every_engine(journal, start):
    engines = []

    def make_engine():
        engines.append(CountingEngine())
        return engines[-1]

    workers = start(Kept(), count=2, make_engine=make_engine)
    journal.append_many([Draft("model", "", 1, b"scan\nbundle")])
    until(lambda: workers.position == 1)
    assert [engine.folded for engine in engines] == [[1], [1]]


def test_sinks_that_cannot_take_events_are_asked_again(journal, start, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.worker._RETRY_S", 0.01)
    sink = Kept(refusals=3)
    workers = start(sink)
    feed(journal, "bakery")
    until(lambda: workers.position == 1)
    assert len(sink.events) == 1
    assert workers.troubles == []


def test_no_checkpoint_passes_what_sinks_have_not_taken(journal, start):
    sink = Kept(refusals=1 << 30)
    workers = start(sink, interval=0.0)
    feed(journal, "bakery")
    until(lambda: workers.troubles == ["sinks wait"])
    workers.close()
    assert workers.saved == 0
    sink.refusals = 0
    workers = start(sink)
    until(lambda: workers.position == 1)
    assert [e.position for e in sink.events] == [1]


def test_a_broken_engine_stops_loudly(journal, start):
    class Broken(CountingEngine):
        def step(self, entries):
            raise RuntimeError("no such luck")

    workers = start(Kept(), make_engine=Broken)
    feed(journal, "bakery")
    until(lambda: workers.troubles == ["engine: no such luck"])
    assert feed(journal, "bakery") == 2


def saved_engine(position):
    engine = CountingEngine()
    engine.position = position
    return engine


def keep(checkpoints, engine):
    save_round = checkpoints.begin(engine, lambda: None)
    save_round.advance(engine)
    return save_round.result()


def test_the_newest_whole_checkpoint_is_taken(tmp_path):
    checkpoints = Checkpoints(tmp_path, "engine")
    assert checkpoints.restore(CountingEngine, 100, "").position == -1
    assert keep(checkpoints, saved_engine(7)) == 7
    assert (tmp_path / "engine.checkpoint").stat().st_mode & 0o777 == 0o600
    assert keep(checkpoints, saved_engine(9)) == 9
    assert checkpoints.restore(CountingEngine, 100, "").position == 9
    (tmp_path / "engine.checkpoint").write_bytes(b"torn")
    assert checkpoints.restore(CountingEngine, 100, "").position == 7
    (tmp_path / "engine.previous").write_bytes(b"")
    assert checkpoints.restore(CountingEngine, 100, "").position == -1


def test_sites_are_taken_between_steps_and_the_file_counts_when_the_last_is(tmp_path):
    checkpoints, engine, flushed = Checkpoints(tmp_path, "engine"), CountingEngine(), []
    engine.numbering.site("clinic")
    engine.position = 3
    save_round = checkpoints.begin(engine, lambda: flushed.append(engine.position))
    save_round.advance(engine, 0.0)
    assert not save_round.finished
    engine.position = 8
    assert not (tmp_path / "engine.checkpoint").exists()
    save_round.advance(engine, 0.0)
    assert save_round.result() == 3, "what one site still needs of the journal"
    assert flushed == [8]
    assert (tmp_path / "engine.checkpoint").exists()


def test_a_writer_that_fails_in_any_way_saves_nothing(tmp_path, monkeypatch):
    def fail(_file, bodies):
        list(bodies)
        raise MemoryError

    checkpoints = Checkpoints(tmp_path, "engine")
    monkeypatch.setattr("dijkwacht_collector.engine.checkpoints.write_frames", fail)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with pytest.raises(OSError, match="writer"):
        keep(checkpoints, saved_engine(7))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_does_not_take_the_place_of_the_one_before(tmp_path):
    checkpoints = Checkpoints(tmp_path, "engine")
    keep(checkpoints, saved_engine(7))
    keep(checkpoints, saved_engine(8))
    path = tmp_path / "engine.checkpoint"
    path.write_bytes(path.read_bytes()[:-1])
    assert checkpoints.restore(CountingEngine, 100, "").position == 7
    keep(checkpoints, saved_engine(9))
    path.write_bytes(b"")
    assert checkpoints.restore(CountingEngine, 100, "").position == 7


def test_an_abandoned_checkpoint_leaves_the_one_before(tmp_path):
    checkpoints = Checkpoints(tmp_path, "engine")
    keep(checkpoints, saved_engine(7))
    save_round = checkpoints.begin(saved_engine(9), lambda: None)
    save_round.abandon()
    assert save_round.finished
    assert checkpoints.restore(CountingEngine, 100, "").position == 7
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine.checkpoint"]


def test_every_flipped_bit_of_a_checkpoint_is_noticed(tmp_path):
    checkpoints = Checkpoints(tmp_path, "engine")
    keep(checkpoints, saved_engine(7))
    path = tmp_path / "engine.checkpoint"
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert checkpoints.restore(CountingEngine, 100, "").position == -1, bit


def test_a_checkpoint_ahead_of_the_journal_is_not_used(tmp_path):
    checkpoints = Checkpoints(tmp_path, "engine")
    assert keep(checkpoints, saved_engine(7)) == 7
    assert keep(checkpoints, saved_engine(9)) == 9
    assert checkpoints.restore(CountingEngine, 8, "").position == 7
    assert checkpoints.restore(CountingEngine, 5, "").position == -1


def test_an_engine_with_nothing_to_do_holds_nobody_back(journal, start):
    workers = start(Kept(), count=3, interval=0.0)
    feed(journal, "bakery", "bakery", "bakery")
    until(lambda: workers.saved == 3)


class Troubled:
    """A trainer on a full disk."""

    def __init__(self):
        self.asked = 0

    def collect(self):
        return None

    def offer(self, kept):
        self.asked += 1
        raise OSError(28, "No space left on device")

    def stop(self):
        pass


def test_a_training_that_cannot_begin_stops_no_engine(journal, start, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.worker._TRAINING_S", 0.0)
    trainer = Troubled()
    monkeypatch.setattr("dijkwacht_collector.engine.worker.Trainer", lambda _: trainer)
    workers = start(Kept(), training=True)
    until(lambda: trainer.asked > 2)
    feed(journal, "bakery")
    until(lambda: workers.position == 1)
    assert workers.troubles == []
