"""Real engines on a state folder: stopped, copied as by a crash, and started again as another release."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

import msgspec
import pytest

from dijkwacht_collector.engine import DetectorSet, Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.incidents import IncidentEvent, StoryEvent
from dijkwacht_collector.incidents.ended import OWN_STEPS
from dijkwacht_collector.journal import Bundles, Draft, Journal, partition_of
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.policy import Calibrations
from dijkwacht_collector.sinks import IncidentStore, Sinks
from dijkwacht_detectors.api import RowDetector
from dijkwacht_detectors.bruteforce import Bruteforce
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.wire import encode

SITES = ("bakery", "clinic", "garage")
MINUTE = 60_000_000
AGENTS = ("a0", "a1")


class Patient(Bruteforce):
    """Remembers something more than the detector of that name which is shipped."""

    name = "bruteforce"
    state = {**Bruteforce.state, "more": ("f4", ())}  # noqa: RUF012  # as the contract has it


class Trained(RowDetector):
    """Stands for one with samples and a model that an earlier release had."""

    name = "volume"
    table = "flows"
    reads = ("orig_bytes",)
    entity = "orig"
    kind = "exfil"
    technique = "T1048"
    state = {"last": ("i8", ()), "samples": ("f4", (8, 1)), "samples_seen": ("i8", ())}  # noqa: RUF012

    model = b""

    def fold(self, rows, state, scores, facts):
        for n, site in enumerate(rows.site):
            state["samples"][site, state["samples_seen"][site] % 8] = rows["orig_bytes"][n]
            state["samples_seen"][site] += 1

    def activate(self, bundle):
        self.model = bundle

    def explain(self, facts):
        raise NotImplementedError


@dataclass(frozen=True)
class Chosen(DetectorSet):
    """Some of those shipped, by name, and others; ``made``: the engines of it."""

    names: tuple[str, ...] = ()
    more: tuple[type, ...] = ()
    made: list[Engine] = field(default_factory=list)

    def detectors(self):
        chosen = [d for d in shipped_detectors() if d.name in self.names]
        return sorted([*chosen, *(kind() for kind in self.more)], key=lambda d: d.name)

    def engine(self, watch=None, bundles=None, history=None):
        self.made.append(super().engine(watch, bundles, history))
        return self.made[-1]


def release(name: str) -> Chosen:
    """A release of detectors, of which no two decide alike."""
    first = ("bruteforce", "exfiltration", "scan")
    match name:
        case "first":
            return Chosen(names=first)
        case "trained":
            return Chosen(names=first, more=(Trained,))
        case "added":
            return Chosen(names=(*first, "flood", "arp_sweep", "system"))
        case "removed":
            return Chosen(names=("scan", "exfiltration"))
        case "changed":
            return Chosen(names=("scan", "exfiltration"), more=(Patient,))
        case "calibrated":
            [scan] = (d for d in shipped_detectors() if d.name == "scan")
            return Chosen(
                calibrations=Calibrations({"scan": Calibrations().table(scan)}), names=first
            )
    raise ValueError(name)


class Told:
    """A sink in memory: what every start has told, of incidents and of stories, with what one has told again."""

    def __init__(self):
        self.events, self.stories = [], []

    def open(self):
        pass

    def handle(self, events):
        self.events += [event for event in events if isinstance(event, IncidentEvent)]
        self.stories += [event for event in events if isinstance(event, StoryEvent)]

    def flush(self):
        pass

    def close(self):
        pass


class Running:
    """Engines on a state folder, without what takes batches in."""

    def __init__(self, folder, detectors, told, count=1, interval=1000.0, now=WORKING_MORNING):
        self.folder, self.detectors, self.now = folder, detectors, now
        self.journal = Journal(folder / "journal", segment_bytes=8000)
        self.store = IncidentStore(folder / "incidents.db")
        self.sinks = Sinks([self.store, told], self.store.fence)
        bundles = Bundles(folder / "journal" / "bundles")
        telemetry = Telemetry([d.name for d in detectors.detectors()])
        parts = EngineParts(
            self.journal, bundles, detectors, self.sinks, self.store, telemetry,
            lambda: self.now, interval,
        )  # fmt: skip
        self.workers = EngineWorkers(count, parts, folder / "checkpoints", training=False)
        self.closed = False
        for part in (self.journal, self.sinks, self.workers):
            part.open()

    def feed(self, drafts):
        """Append, and wait until it is folded."""
        self.append(drafts)
        self.fold()

    def append(self, drafts):
        self.journal.append_all([(partition_of(d.site), d) for d in drafts])

    def fold(self):
        deadline = time.monotonic() + 60
        while self.workers.position < self.journal.last:
            assert self.workers.troubles == []
            assert time.monotonic() < deadline, "waited 60 s"
            threading.Event().wait(0.002)

    @property
    def engines(self):
        return self.detectors.made[-len(self.workers.each) :]

    def open_uids(self):
        return {i.uid for engine in self.engines for i in engine.open_incidents()}

    def crash(self, to):
        """What would be found if the power failed now, in the folder ``to``; here it goes on."""
        (to / "checkpoints").mkdir()
        for path in sorted((self.folder / "checkpoints").glob("partition-*")):
            with contextlib.suppress(FileNotFoundError):  # renamed meanwhile
                shutil.copy(path, to / "checkpoints")
        copy_database(self.folder / "incidents.db", to / "incidents.db")
        (to / "journal").mkdir()
        # What the note promises must be there, so it comes first.
        shutil.copy(self.folder / "journal" / "durable", to / "journal")
        note = shutil.ignore_patterns("durable")
        shutil.copytree(self.folder / "journal", to / "journal", ignore=note, dirs_exist_ok=True)
        self.close()

    def close(self):
        if not self.closed:
            self.closed = True
            for part in (self.workers, self.sinks, self.journal):
                part.close()


def copy_database(path, to):
    with sqlite3.connect(path) as old, sqlite3.connect(to) as new:
        old.backup(new)
    old.close()
    new.close()


class House:
    """A state folder through its stops, crashes and upgrades."""

    def __init__(self, path):
        self.path, self.number, self.running = path, 0, []
        self.told = Told()
        self.folder.mkdir()

    @property
    def folder(self):
        return self.path / f"state-{self.number}"

    def start(self, detectors, count=1, interval=1000.0, **more):
        if isinstance(detectors, str):
            detectors = release(detectors)
        self.running.append(Running(self.folder, detectors, self.told, count, interval, **more))
        return self.running[-1]

    def start_again(self, detectors, count=1, interval=1000.0, *, grown=False, **more):
        """As `start`, where all has been decided: a start says nothing of its own.

        ``grown``: what the sites had learned is lost, so more may be found in what is open, and stronger
        evidence of it, and no more.
        """
        before = self.incidents()
        running = self.start(detectors, count, interval, **more)
        running.fold()
        after = self.incidents()
        if grown:
            pairs = list(zip(before, after, strict=True))
            assert all(old == new or old.count < new.count for old, new in pairs)
            stronger = [i for i, (old, new) in enumerate(pairs) if old.evidences != new.evidences]
            for old, new in (pairs[i] for i in stronger):
                assert new.rarity <= old.rarity
                assert new.evidences[0].score > old.evidences[0].score
            after = [
                msgspec.structs.replace(new, end=old.end, count=old.count, revision=old.revision)
                for old, new in pairs
            ]
            for i in stronger:
                old = before[i]
                after[i] = msgspec.structs.replace(
                    after[i], rarity=old.rarity, evidences=old.evidences
                )
        assert after == before
        assert running.open_uids() == {i.uid for i in before if i.status == "new"}
        return running

    def incidents(self):
        """What the store holds, with the steps that it has seen."""
        store = IncidentStore(self.folder / "incidents.db")
        store.open()
        found = store.incidents(limit=-1)
        store.close()
        return found

    def crash(self):
        """The power fails: the next start finds what is on disk now."""
        running, told = self.running[-1], (list(self.told.events), list(self.told.stories))
        self.number += 1
        self.folder.mkdir()
        running.crash(self.folder)
        # What it said after the copy was never said.
        self.told.events[:], self.told.stories[:] = told

    def close(self):
        for running in self.running:
            running.close()


@pytest.fixture(autouse=True)
def nothing_is_synced(monkeypatch):
    """The power fails by copying what was written: that it is on the disk, too, is tested elsewhere."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.fixture(scope="session")
def make_house():
    """A function: a `House` in a folder."""
    return House


@pytest.fixture
def house(tmp_path):
    house = House(tmp_path)
    yield house
    house.close()
    check_stories(house.told)


@pytest.fixture(scope="session")
def morning():
    """Drafts: three offices in turn, a scan and then guessing in each, a minute of one a batch."""
    made = []
    for seed, site in enumerate(SITES):
        rows = list(office_rows(seed, 5, WORKING_MORNING, 14 * MINUTE))
        rows += attack(WORKING_MORNING + (2 + seed) * MINUTE)
        rows.sort(key=lambda row: row[1][0])
        for seq in range(14):
            end = WORKING_MORNING + (seq + 1) * MINUTE
            part = [r for r in rows if end - MINUTE <= r[1][0] < end]
            if part:
                body = encode(site, AGENTS[seq % 2], bytes(16), seq, end, part)
                made.append(Draft("batch", site, end, body))
    return sorted(made, key=lambda draft: draft.arrival)


@pytest.fixture(scope="session")
def afternoon():
    """Drafts: hours later every agent is heard again, twice; what was open falls quiet."""
    return [
        Draft("batch", site, time, encode(site, agent, bytes(16), 1000 + hour, time, [a_row(time)]))
        for hour in (3, 5)
        for time in (WORKING_MORNING + hour * 60 * MINUTE,)
        for site in SITES
        for agent in AGENTS
    ]


@pytest.fixture(scope="session")
def busy_day():
    """A function: drafts of a day, from its first moment in µs, at one site, with or without an attack."""

    def make(site, day, begin, *, attacked=False):
        rows = list(office_rows(day, 5, begin, 6 * MINUTE))
        rows = sorted(rows + (attack(begin) if attacked else []), key=lambda row: row[1][0])
        parts = [rows[at : at + 100] for at in range(0, len(rows), 100)]
        return [
            Draft("batch", site, end, encode(site, "a0", bytes([day] * 16), seq, end, part))
            for seq, part in enumerate(parts)
            for end in (part[-1][1][0],)
        ]

    return make


def a_row(time):
    client, server = (
        bytes(10) + b"\xff\xff\xc0\xa8\x4d\x07",
        bytes(10) + b"\xff\xff\xc0\xa8\x4d\x02",
    )
    return 0, (
        time, time - 1000, 99, 0, 2, client, server, 40_000, 443, 6, 0, 3, 2, 18, 9, 9, 900, 900, 1, 1,
    )  # fmt: skip


def attack(start):
    thief, server = b"\xc0\xa8\x4d\x42", b"\xc0\xa8\x4d\x02"
    mapped = bytes(10) + b"\xff\xff"
    rows = []
    for n in range(400):
        port = 1 + n if n < 300 else 22
        brief = 0 if n < 300 else 900 + n % 7
        at = start + n * 1_200_000
        rows.append((0, (
            at, at - 1000, 10_000_000 + n, 0, 2, mapped + thief, mapped + server,
            40_000 + n, port, 6, 0, 4 if n < 300 else 3, 2, 18 if brief else 20, 1 + brief // 100,
            1 + brief // 100, brief, brief, 1, 1,
        )))  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def named_once():
    """Checks events: of one class and subject nothing is told twice, and no step comes out of turn."""
    return check_named_once


def check_named_once(events):
    steps, of_subject = {}, defaultdict(dict)
    for event in events:
        incident = event.incident
        key = (incident.site, incident.kind, incident.subject)
        known = steps.setdefault(incident.uid, [])
        if incident.revision < len(known):
            continue  # repeated after a crash: sinks know it
        assert incident.revision == len(known), f"{key}: a step is missing"
        assert not known or known[-1].activity != "close", f"{key}: told after it was closed"
        known.append(event)
        of_subject[key][incident.uid] = incident
    for key, incidents in of_subject.items():
        for one, next_one in pairwise(sorted(incidents.values(), key=lambda i: i.start)):
            assert one.end < next_one.start, f"{key}: told again"


def check_stories(told):
    """Each finding is part of one that was told; no step is missing, and none interrupts for what another did."""
    steps, of_machine = {}, defaultdict(dict)
    for event in told.stories:
        known = steps.setdefault(event.uid, [])
        if event.revision not in known:  # else repeated after a crash
            assert event.revision == len(known) or event.revision >= OWN_STEPS, "one is missing"
            known.append(event.revision)
        of_machine[event.site, event.story.machine][event.uid] = event.story
    for event in told.events:
        assert event.incident.story in steps, f"{event.uid}: of a story that was not told"
    for key, stories in of_machine.items():
        ordered = sorted(stories.values(), key=lambda story: (story.start, story.end))
        for one, other in pairwise(ordered):
            assert one.answered or one.end < other.start, f"{key}: told again"
        found = [call.finding for story in ordered for call in story.calls]
        assert len(found) == len(set(found)), f"{key}: two interruptions for one finding"
