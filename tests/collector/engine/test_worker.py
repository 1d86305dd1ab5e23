import threading
import time
from functools import partial
from types import SimpleNamespace

import pytest

from dijkwacht_collector.engine.numbering import Numbering
from dijkwacht_collector.engine.observed import Observed
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.progress import Progress
from dijkwacht_collector.engine.site_record import Control, PartitionState, SiteRecord
from dijkwacht_collector.engine.succession import Succession, no_history
from dijkwacht_collector.engine.trainer import Trainer
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.incidents import Incident, IncidentEvent, SiteIncidents
from dijkwacht_collector.journal import Bundles, Draft, Journal, Release, bundle_name, partition_of
from dijkwacht_collector.journal.entry import read_frame, read_header, write_header
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import Sinks
from dijkwacht_records.contracts import READS

OF_CLINIC = {"watched": {"clinic": 2.5}, "budgets": {"clinic": 0.5}}


class CountingEngine:
    """Says one incident a batch; remembers every position it was handed, and who decided."""

    own = b"this release"
    reads = READS

    def __init__(self, **_parts):
        self.progress, self.touched, self.folded = Progress(), set(), {}
        self.positions = self.progress.positions
        self.numbering = Numbering()
        self.succession = Succession(lambda: bundle_name(self.own), no_history)
        self.observed, self.controls = Observed(dropped={"bakery": 5}, **OF_CLINIC), self
        self.host = SimpleNamespace(number=lambda name: 0)

    def step(self, entries):
        events = []
        for entry in entries:
            self.folded.setdefault(entry.partition, []).append(entry.position)
            self.positions[entry.partition] = entry.position
            self.touched.add(entry.partition)
            if entry.kind == "release":
                release = Release.read(entry).bundle
                self.succession.obey(entry.partition, release, entry.position)
            if entry.kind == "batch":
                self.numbering.site(entry.site)
                incident = an_incident(entry.position, entry.site)
                events.append(IncidentEvent("create", incident, entry.position))
        return events

    def description(self):
        return self.own

    def state_of(self, partition, owner):
        folded = ",".join(map(str, self.folded.get(partition, [])))
        position = self.positions.get(partition, 0)
        return PartitionState(
            partition, position, *owner[:2], "release", {"folded": {"": folded}}, owner[2]
        )

    def take(self, name):
        control = Control([], None, SiteIncidents([], [], [], [], {}))
        position = self.positions.get(partition_of(name), 0)
        return SiteRecord(name, position, control, {}, {})

    def resume(self, states, records):
        for state in states:
            self.positions[state.partition] = state.position
            if folded := state.given["folded"][""]:
                self.folded[state.partition] = [int(position) for position in folded.split(",")]
        _ = [self.numbering.site(record.name) for record in records]

    def take_observed(self):
        return self.__dict__.pop("observed", Observed())

    def take_samples(self):
        return {}

    def take_exemptions(self, *, counted):
        return {}

    def take_strikes(self):
        return []

    left_out = take_strikes


class Engines:
    """As a `DetectorSet`: remembers the engines it made."""

    def __init__(self, kind=CountingEngine):
        self.kind, self.made = kind, []

    def engine(self, **parts):
        return self.made.append(self.kind(**parts)) or self.made[-1]

    def own_files(self):
        return {}


def a_store(identity="first"):
    """As an `IncidentStore` that holds nothing."""
    store = SimpleNamespace(identity=identity, is_new=False, epoch=0, mark=0, sites=list)
    store.note = partial(setattr, store, "mark")
    return store


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


def parts_of(journal, sink, engines=None, interval=1000.0, store=None, telemetry=None):
    return EngineParts(
        journal,
        Bundles(journal.folder / "bundles"),
        engines or Engines(),
        Sinks([sink]),
        store or vars(journal).setdefault("store", a_store()),
        telemetry or Telemetry(["scan"]),
        lambda: 1,
        interval,
    )


@pytest.fixture
def start(journal, tmp_path):
    started = []

    def start_workers(sink, count=1, *, training=False, **kinds):
        parts = parts_of(journal, sink, **kinds)
        workers = EngineWorkers(count, parts, tmp_path / "checkpoints", training=training)
        started.append(workers)
        workers.open()
        return workers

    yield start_workers
    for workers in started:
        workers.close()


def feed(journal, *sites):
    return journal.append_all([(partition_of(s), Draft("batch", s, 1, b"x")) for s in sites])


def folded(journal, workers):
    return workers.position == journal.last


def until(true):
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline, "waited 20 s"
        threading.Event().wait(0.005)


def test_the_engine_gets_every_entry_once_and_in_order(journal, start):
    sink, engines, telemetry = Kept(), Engines(), Telemetry(["scan"])
    workers = start(sink, engines=engines, telemetry=telemetry)
    for _ in range(20):
        feed(journal, "bakery", "clinic")
    until(lambda: folded(journal, workers))
    [engine] = engines.made
    assert sorted(p for of in engine.folded.values() for p in of) == list(range(1, 169))
    assert [e.position for e in sink.events] == list(range(129, 169))
    shown = telemetry.render()
    full = b'dijkwacht_rows_dropped_total{site="bakery",reason="window_full"} 5\n'
    assert full in shown, "what it counts on the way reaches the metrics"
    assert b'dijkwacht_watched_seconds_total{site="clinic"} 2.5\n' in shown
    assert b'dijkwacht_budget_interruptions_per_week{site="clinic"} 0.5\n' in shown


def test_a_release_is_said_before_anything_is_folded(journal, start):
    start(Kept(), count=2)
    feed(journal, "bakery")
    entries, _ = journal.read(range(128), {})
    assert [e.kind for e in entries] == ["release"] * 128 + ["batch"]
    assert sorted(e.partition for e in entries[:128]) == list(range(128))
    assert {Release.read(e).bundle for e in entries[:128]} == {bundle_name(CountingEngine.own)}
    bundles = Bundles(journal.folder / "bundles")
    assert bundles.get(bundle_name(CountingEngine.own)) == CountingEngine.own


def test_a_stop_saves_and_a_start_goes_on_behind_it(journal, start):
    sink, engines = Kept(), Engines()
    workers = start(sink, engines=engines)
    feed(journal, "bakery", "bakery")
    until(lambda: folded(journal, workers))
    workers.close()
    assert sink.flushed == 2
    before = journal.last
    feed(journal, "bakery")
    workers = start(sink, engines=engines)
    until(lambda: folded(journal, workers))
    assert [e.position for e in sink.events] == [129, 130, 131]
    later, _ = journal.read(range(128), dict.fromkeys(range(128), before))
    assert [(e.kind, e.site) for e in later] == [("batch", "bakery"), ("release", "")], (
        "where nothing came meanwhile, nobody else can have decided"
    )
    bakery = partition_of("bakery")
    assert engines.made[1].folded[bakery] == [*engines.made[0].folded[bakery], 131, 132]


@pytest.mark.parametrize("counts", [(1, 2, 1), (2, 1, 3), (4, 4, 2)])
def test_any_number_of_workers_goes_on_with_what_others_saved(journal, start, counts):
    sink, sites = Kept(), [f"site-{number}" for number in range(40)]
    for count in counts:
        workers = start(sink, count=count)
        feed(journal, *sites)
        until(lambda: folded(journal, workers))  # noqa: B023  at once
        workers.close()
    assert len({e.position for e in sink.events}) == len(sink.events) == 120


def test_a_store_that_is_new_gets_everything_again(journal, start, caplog):
    workers = start(Kept(), count=2)
    feed(journal, "bakery", "clinic", "bakery")
    until(lambda: folded(journal, workers))
    workers.close()
    sink, second = Kept(), a_store("second")
    workers = start(sink, count=2, store=second)
    until(lambda: folded(journal, workers))
    workers.close()
    assert sorted(e.position for e in sink.events) == [129, 130, 131]
    assert {r.message for r in caplog.records} == {"checkpoint is of another incidents.db"}
    sink = Kept()
    workers = start(sink, count=2, store=second)
    until(lambda: folded(journal, workers))
    assert sink.events == []


def test_a_store_that_is_new_is_told_what_cannot_come_back(tmp_path, start, journal, caplog):
    workers = start(Kept())
    for _ in range(4):
        feed(journal, "bakery")
    until(lambda: folded(journal, workers))
    workers.close()
    journal.close()
    first, *_ = (tmp_path / "journal").glob("*.dwj")
    data = first.read_bytes()
    # As after trimming: a segment that begins behind the release.
    header = read_header(data)
    at = header.size
    heads = [0] * 128
    for _ in range(129):
        frame = read_frame(data, at, header.salt)
        heads[frame.entry.partition] = frame.entry.position
        at = frame.end
    first.with_name(f"{130:020d}.dwj").write_bytes(
        write_header(header.salt, 130, heads) + data[at:]
    )
    first.unlink()
    journal = Journal(tmp_path / "journal")
    journal.open()
    parts = parts_of(journal, sink := Kept(), store=a_store("new"))
    workers = EngineWorkers(1, parts, tmp_path / "checkpoints", training=False)
    workers.open()
    until(lambda: folded(journal, workers))
    workers.close()
    journal.close()
    assert [e.position for e in sink.events] == [130, 131, 132]
    [said] = [record for record in caplog.records if "trimmed" in record.message]
    assert (said.levelname, said.first) == ("WARNING", 130)


def test_every_partition_has_one_thread(journal, start):
    workers = start(sink := Kept(), count=3)
    sites = [f"site-{n}" for n in range(40)]
    feed(journal, *sites, *sites)
    until(lambda: folded(journal, workers))
    assert sorted(e.position for e in sink.events) == list(range(129, 209))
    for site in sites:
        of_site = [e.position for e in sink.events if e.site == site]
        assert of_site == sorted(of_site)
    partitions = [p for worker in workers.each for p in worker.partitions]
    assert sorted(partitions) == list(range(128))


def test_what_nobody_vouches_for_is_learned_until_this_release_begins(journal, start):
    feed(journal, "bakery", "clinic")
    engines = Engines()
    workers = start(Kept(), engines=engines)
    decides = engines.made[0].succession.decides
    waiting = {partition for partition in range(128) if not decides(partition)}
    assert waiting <= {partition_of("bakery"), partition_of("clinic")}
    until(lambda: folded(journal, workers))
    assert all(map(decides, range(128)))


def test_an_engine_whose_partitions_were_taken_stops_and_saves_nothing(journal, start, tmp_path):
    workers = start(sink := Kept(), interval=0.0)
    feed(journal, "bakery")
    until(lambda: folded(journal, workers) and set(workers.durable.values()) == {129})
    saved = {path.name: path.read_bytes() for path in (tmp_path / "checkpoints").iterdir()}
    journal.own([95])
    feed(journal, "bakery")
    until(lambda: workers.troubles)
    assert "partition 95" in workers.troubles[0]
    assert {p.name: p.read_bytes() for p in (tmp_path / "checkpoints").iterdir()} == saved
    assert sink.events


def test_sinks_that_cannot_take_events_are_asked_again(journal, start, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.worker._RETRY_S", 0.01)
    sink = Kept(refusals=3)
    workers = start(sink)
    feed(journal, "bakery")
    until(lambda: folded(journal, workers))
    assert len(sink.events) == 1
    assert workers.troubles == []


def test_no_checkpoint_passes_what_sinks_have_not_taken(journal, start):
    sink = Kept(refusals=1 << 30)
    workers = start(sink, interval=0.0)
    feed(journal, "bakery")
    until(lambda: workers.troubles == ["sinks wait"])
    workers.close()
    assert workers.durable[partition_of("bakery")] < 129
    sink.refusals = 0
    workers = start(sink)
    until(lambda: folded(journal, workers))
    assert [e.position for e in sink.events] == [129]


def test_a_broken_engine_stops_loudly(journal, start):
    class Broken(CountingEngine):
        def step(self, entries):
            raise RuntimeError("no such luck")

    workers = start(Kept(), engines=Engines(Broken))
    feed(journal, "bakery")
    until(lambda: workers.troubles == ["engine: no such luck"])
    assert feed(journal, "bakery") == 130


def test_what_a_partition_needs_of_the_journal_moves_on_when_it_stands_still(journal, start):
    workers = start(Kept(), count=3, interval=0.0)
    feed(journal, "bakery", "bakery", "bakery")
    until(lambda: set(workers.durable.values()) == {131})


class Troubled(Trainer):
    """A trainer on a full disk."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def offer(self, engine, kept):
        self.asked += 1
        raise OSError(28, "No space left on device")


def test_a_training_that_cannot_begin_stops_no_engine(journal, start, monkeypatch):
    monkeypatch.setattr("dijkwacht_collector.engine.worker._TRAINING_S", 0.0)
    trainer = Troubled()
    monkeypatch.setattr("dijkwacht_collector.engine.workers.Trainer", lambda *_: trainer)
    workers = start(Kept(), training=True)
    until(lambda: trainer.asked > 2)
    feed(journal, "bakery")
    until(lambda: folded(journal, workers))
    assert workers.troubles == []
