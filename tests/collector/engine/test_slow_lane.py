"""Whoever is folded later, piece by piece, is told the same: nobody else waits, and nothing grows."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine, slow_lane
from dijkwacht_collector.engine.progress import MOST_LAGGING, Progress
from dijkwacht_collector.engine.site_record import Owner
from dijkwacht_collector.engine.slow_lane import SlowLane
from dijkwacht_collector.incidents import Event, IncidentEvent
from dijkwacht_collector.journal import (
    Budget,
    Draft,
    Entry,
    Exemption,
    Reading,
    Release,
    Verdict,
    partition_of,
)
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

MINUTE = 60_000_000
MATE = next(
    f"shop-{n}" for n in range(10_000) if partition_of(f"shop-{n}") == partition_of("bakery")
)
SITES = ("bakery", MATE, "clinic")


class Kept:
    """A journal in memory; it makes its entries when they are read."""

    def __init__(self, drafts: list[Entry]) -> None:
        self._fields = [tuple(entry) for entry in drafts]

    def read(
        self,
        partitions: Collection[int],
        after: Mapping[int, int],
        max_entries: int = 4096,
        max_bytes: int = 1 << 20,
    ) -> Reading:
        """As `Readable.read`."""
        begin = min((after.get(p, 0) for p in partitions), default=0)
        found: list[Entry] = []
        through = begin
        for fields in self._fields[begin:]:
            if max_bytes <= 0 or len(found) == max_entries:
                break
            entry = Entry(*fields)  # type: ignore[arg-type]  # as they were
            max_bytes -= len(entry.payload)
            through = entry.position
            if entry.partition in partitions and entry.position > after.get(entry.partition, 0):
                found.append(entry)
        return Reading(found, {p: max(through, after.get(p, 0)) for p in partitions})

    def head(self, _partition: int) -> int:
        """As `Readable.head`, of all."""
        return len(self._fields)

    def wait(self, *_: object) -> bool:
        """As `Readable.wait`."""
        return True


def scan_rows(site: int) -> list[tuple[int, Row]]:
    start = WORKING_MORNING + (2 + site) * MINUTE
    thief, server = pack_address("192.168.77.66"), pack_address("192.168.77.2")
    rows = []
    for n in range(400):
        port, sent = (1 + n, 0) if n < 300 else (22, 900 + n % 7)
        time = start + n * 300_000
        rows.append((0, (
            time, time - 1000, 10_000_000 + n, 0, 2, thief, server, 40_000 + n, port, 6, 0,
            3 if sent else 4, 2, 18 if sent else 20, 1 + sent // 100, 1 + sent // 100, sent, sent, 1, 1,
        )))  # fmt: skip
    return rows


@cache
def journal_entries() -> tuple[Entry, ...]:
    """Three offices with an intruder each, of two agents; answers, budgets, and another release for a while."""
    made: list[tuple[int, Draft | None, str, int]] = []
    for seed, site in enumerate(SITES):
        rows = [*office_rows(seed, 4, WORKING_MORNING, 12 * MINUTE), *scan_rows(seed)]
        rows.sort(key=lambda row: row[1][0])
        at, seq = 0, 0
        while at < len(rows):
            part = rows[at : at + (40, 130, 12)[seq % 3]]
            end = max(int(row[0]) for _, row in part)
            body = encode(site, f"agent-{seq % 2}", bytes(16), seq, end, part)
            late = 3 * MINUTE if seq % 5 == 2 else 0  # behind what its agent has sent since
            made.append((end + late, Draft("batch", site, end, body), site, 0))
            at, seq = at + len(part), seq + 1
        made.append((WORKING_MORNING + 4 * MINUTE, Budget(0.5 + seed).draft(site, 0), site, 0))
        muted = Exemption("bruteforce", "192.168.77.66", WORKING_MORNING + 2 * MINUTE)
        made.append((WORKING_MORNING + MINUTE, muted.draft(site, 0), site, 0))
    own = Engine(shipped_detectors()).controls.release
    for minute, release in ((0, own), (3, "another"), (4, own), (9, "another"), (10, own)):
        time = WORKING_MORNING + minute * MINUTE
        made += [
            (time, Release(release).draft("", 0), "", partition_of(s)) for s in ("bakery", "clinic")
        ]
    made.sort(key=lambda one: one[0])
    drafts = [(partition_of(site) if site else p, draft) for _, draft, site, p in made]
    entries = numbered(drafts)
    # What is answered must be known: the first incident of each site that is told.
    told = {e.site: e for e in reversed(fold(entries)) if isinstance(e, IncidentEvent)}
    for site, event in told.items():
        draft = Verdict(event.incident.uid, "normal").draft(site, 0)
        drafts.insert(event.position + 2, (partition_of(site), draft))
        about = msgspec.msgpack.encode(event.incident)
        late = Verdict(event.incident.uid, "undone", "Jan", about)
        drafts.append((partition_of(site), late.draft(site, WORKING_MORNING + 30 * 60 * MINUTE)))
    return tuple(numbered(drafts))


def numbered(drafts: list[tuple[int, Any]]) -> list[Entry]:
    return [
        Entry(n, d.kind, partition, d.arrival, d.site, d.payload)
        for n, (partition, d) in enumerate(drafts, 1)
    ]


def fold(entries: list[Entry] | tuple[Entry, ...]) -> list[Event]:
    return Engine(shipped_detectors()).step(entries)


def named(events: list[Event]) -> dict[tuple[str, str, int], bytes]:
    return {(e.site, e.uid, e.revision): msgspec.json.encode(e) for e in events}


@cache
def undisturbed() -> dict[tuple[str, str, int], bytes]:
    return named(fold(journal_entries()))


@contextmanager
def thresholds(**values: float) -> Iterator[None]:
    with patch.multiple(slow_lane, **values):
        yield


class Run:
    """An engine with its lane over a journal, driven by whoever tests, saved and restarted."""

    def __init__(self, entries: tuple[Entry, ...] | list[Entry]) -> None:
        self.journal = Kept(list(entries))
        self.partitions = sorted({entry.partition for entry in entries})
        self.seen = dict.fromkeys(self.partitions, 0)
        self.events: list[Event] = []
        self.engine = Engine(shipped_detectors())
        self.lane = SlowLane(self.engine, self.journal)

    @property
    def done(self) -> bool:
        return min(self.seen.values()) == self.journal.head(0) and not self.lane.busy

    @property
    def folded(self) -> dict[int, int]:
        return self.engine.progress.positions_of(self.seen)

    def step(self, most: int, *, full: bool) -> None:
        entries, after = self.journal.read(self.partitions, self.seen, max_entries=most)
        self.lane.judge(full=full)
        if entries:
            self.events += self.engine.step(entries)
        self.seen = after

    def turn(self) -> None:
        self.events += self.lane.turn()

    def restart(self) -> int:
        """Go on from a checkpoint of now; how many rows of batches it had begun with."""
        states = [self.engine.state_of(p, Owner()) for p in self.partitions]
        records = [self.engine.take(site) for site in self.engine.numbering.sites]
        assert {s.partition: s.position for s in states} == {
            p: min(self.engine.progress.position(p), self.folded[p]) for p in self.partitions
        }
        self.engine = Engine(shipped_detectors())
        self.engine.resume(states, records)
        self.lane = SlowLane(self.engine, self.journal)
        self.seen = {state.partition: state.position for state in states}
        return sum(record.rows for record in records)

    def finish(self) -> dict[tuple[str, str, int], bytes]:
        turns = 0
        while not self.done:
            self.step(7, full=False)
            self.turn()
            turns += 1
            assert turns < 20_000, "somebody lags for ever"
        for event in self.events:  # what is told again after a restart is the same
            key = (event.site, event.uid, event.revision)
            assert msgspec.json.encode(event) == undisturbed().get(key)
        return named(self.events)


def test_the_journal_holds_what_is_worth_comparing() -> None:
    sites = {site for site, _, _ in undisturbed()}
    statuses = {
        (told.get("incident") or told["story"])["status"]
        for told in map(msgspec.json.decode, undisturbed().values())
    }
    assert sites == set(SITES)
    assert "normal" in statuses
    assert partition_of(SITES[0]) == partition_of(SITES[1]) != partition_of(SITES[2])


@settings(max_examples=25, deadline=None)
@given(
    most=st.sampled_from([1, 300, 2_000, 9_000, 1 << 40]),
    piece=st.sampled_from([1_000, 170, 37]),
    share=st.floats(0.0, 1.0),
    read=st.sampled_from([1, 3_000, 1 << 20]),
    acts=st.lists(
        st.tuples(st.sampled_from(["step", "full", "turn", "turns", "restart"]), st.integers(1, 9)),
        max_size=60,
    ),
)
def test_whoever_lags_is_told_the_same(
    most: int, piece: int, share: float, read: int, acts: list[tuple[str, int]]
) -> None:
    limits = {"MOST_COST": most, "SLICE_COST": piece, "LARGEST_SHARE": share, "READ_BYTES": read}
    with thresholds(**limits, SLICES=3, FULL_READS=2, BUSY_COST=1):
        run = Run(journal_entries())
        for act, count in acts:
            match act:
                case "step" | "full":
                    run.step(count, full=act == "full")
                case "turn" | "turns":
                    for _ in range(count if act == "turn" else 10 * count):
                        run.turn()
                case _:
                    run.restart()
        assert run.finish() == undisturbed()


def test_a_checkpoint_in_the_middle_of_a_batch_goes_on_with_its_next_row() -> None:
    begun = 0
    with thresholds(MOST_COST=1, SLICE_COST=41):
        run = Run(journal_entries())
        for at in range(300):
            run.step(2, full=False)
            run.turn()
            if at % 10 == 9:
                begun += run.restart() > 0
        assert run.finish() == undisturbed()
    assert begun > 5


def test_an_engine_without_a_lane_takes_up_what_a_lane_has_begun() -> None:
    with thresholds(MOST_COST=1, SLICE_COST=41):
        run = Run(journal_entries())
        run.step(10_000, full=False)
        while not run.restart():
            run.step(10_000, full=False)
            for _ in range(31):
                run.turn()
    run.engine.progress.most = None
    run.step(10_000, full=False)
    assert run.done
    assert named(run.events) == undisturbed()


def test_what_is_for_a_partition_waits_for_its_slowest_site_and_for_no_other() -> None:
    with thresholds(MOST_COST=1):
        run = Run(journal_entries())
        run.step(10_000, full=False)
        bakery, clinic = partition_of("bakery"), partition_of("clinic")
        waiting = run.engine.progress.partitions
        assert set(waiting) == {bakery, clinic}
        run.lane.turn()
        assert run.folded[bakery] < waiting[bakery].position < run.seen[bakery]
    assert run.finish() == undisturbed()
    kept = run.engine.progress
    assert (kept.sites, kept.partitions, kept.backlog, kept.price) == ({}, {}, {}, {})


def minute_batch(site: str, seq: int, rows: int = 600) -> Draft:
    """Rows a minute of event time apart: each ends a window of every detector that has some."""
    begin = WORKING_MORNING + seq * rows * MINUTE
    a, b = pack_address("10.0.0.5"), pack_address("8.8.8.8")
    flows: list[tuple[int, Row]] = [
        (0, (begin + n * MINUTE, begin + n * MINUTE, n, 0, 2, a, b, 4000, 443, 6, 0, 3, 2, 18, 1, 1, 9, 9, 1, 0))
        for n in range(rows)
    ]  # fmt: skip
    arrival = begin + rows * MINUTE
    return Draft("batch", site, arrival, encode(site, "agent", bytes(16), seq, arrival, flows))


def test_nothing_of_a_site_that_lags_is_kept_but_how_far_it_is() -> None:
    body = minute_batch("bakery", 0, 2).payload
    bakery, marked = partition_of("bakery"), 987_654
    with thresholds(READ_BYTES=20 * len(body), SLICE_COST=10):
        run = Run([Entry(n, "batch", bakery, marked, "bakery", body) for n in range(1, 5001)])
        run.engine.progress.set_aside("bakery", 0)
        run.step(10, full=True)
        small = len(pickle.dumps(run.engine.progress))
        while run.seen[bakery] < 5000:
            run.step(500, full=True)
            run.turn()
        assert len(pickle.dumps(run.engine.progress)) <= small + 16
        gc.collect()
        held = [one for one in gc.get_objects() if isinstance(one, Entry) and one.arrival == marked]
        assert 0 < len(held) <= 20


def test_a_site_with_too_much_waiting_is_refused_until_it_has_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    batches = [minute_batch("bakery", seq, 40) for seq in range(8)]
    size = len(batches[0].payload)
    partition = partition_of("bakery")
    entries = numbered([(partition, draft) for draft in batches])
    monkeypatch.setattr(slow_lane, "MOST_COST", 1)
    monkeypatch.setattr(slow_lane, "BACKLOG_BYTES", 3 * size)
    run = Run(entries)
    run.step(1, full=False)
    assert run.lane.refused == frozenset()
    run.step(10, full=False)
    assert run.lane.refused == {"bakery"}
    while not run.done:
        run.step(1, full=False)
        run.turn()
    assert run.lane.refused == frozenset()
    assert run.engine.progress == Progress(positions={partition: 8}, most=1)
    monkeypatch.setattr(slow_lane, "BACKLOG_COST", 40 * 65 * 3)
    run = Run(entries)
    run.step(2, full=False)
    assert run.lane.refused == frozenset()
    run.step(6, full=False)
    assert run.lane.refused == {"bakery"}, "by what its bytes cost"


def test_one_site_that_keeps_an_engine_behind_is_set_aside_and_an_even_load_is_not() -> None:
    with thresholds(FULL_READS=2, BUSY_COST=1):
        lane = SlowLane(engine := Engine([Scan()]), Kept([]))
        spent = engine.progress.spent
        spent |= {f"office-{n}": 100 for n in range(10)}
        for full in (True, True):
            lane.judge(full=full)
        assert not lane.busy
        assert spent == {}
        spent |= {"bakery": 900, "clinic": 100}
        lane.judge(full=True)
        lane.judge(full=False)  # it has kept up
        lane.judge(full=True)
        assert not lane.busy
        spent |= {"bakery": 900, "clinic": 100}
        lane.judge(full=True)
        assert set(engine.progress.sites) == {"bakery"}
        lane.turn()
        assert lane.busy, "it stays apart while the engine is behind"
        lane.judge(full=False)
        lane.turn()
        assert not lane.busy


def test_only_so_many_lag() -> None:
    progress = Progress()
    assert all(progress.set_aside(f"site-{n}", 1) for n in range(MOST_LAGGING))
    assert not progress.set_aside("another", 1)
    assert progress.position_of("another") == 0
