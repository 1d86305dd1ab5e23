"""A site is a record: it moves between engines, and survives every change of detectors."""

from __future__ import annotations

import random

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.engine.hosted import STRIKES
from dijkwacht_collector.engine.site_record import Owner, SiteRecord, pack, unpack
from dijkwacht_collector.journal import Budget, Entry, Exemption, Verdict, partition_of
from dijkwacht_detectors.api import SiteDetector, Text
from dijkwacht_detectors.bruteforce import Bruteforce
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.wire import encode

SITES = ("bakery", "clinic", "garage")
MINUTE = 60_000_000


def entries(minutes: int = 14) -> list[Entry]:
    """Three offices in turn, a scan and guessing in each, a minute of one a batch."""
    made = []
    for seed, site in enumerate(SITES):
        rows = list(office_rows(seed, 5, WORKING_MORNING, minutes * MINUTE))
        rows += attack(WORKING_MORNING + (2 + seed) * MINUTE)
        rows.sort(key=lambda row: row[1][0])
        for seq in range(minutes):
            end = WORKING_MORNING + (seq + 1) * MINUTE
            part = [r for r in rows if end - MINUTE <= r[1][0] < end]
            if part:
                made.append((end, site, encode(site, f"a{seq % 2}", bytes(16), seq, end, part)))
    made.sort(key=lambda item: item[:2])
    return [
        Entry(n, "batch", partition_of(site), end, site, body)
        for n, (end, site, body) in enumerate(made, 1)
    ]


def attack(start):
    thief, server = b"\xc0\xa8\x4d\x42", b"\xc0\xa8\x4d\x02"
    mapped = bytes(10) + b"\xff\xff"
    rows = []
    for n in range(400):
        port = 1 + n if n < 300 else 22
        brief = 0 if n < 300 else 900 + n % 7
        time = start + n * 300_000
        rows.append((0, (
            time, time - 1000, 10_000_000 + n, 0, 2, mapped + thief, mapped + server,
            40_000 + n, port, 6, 0, 4 if n < 300 else 3, 2, 18 if brief else 20, 1 + brief // 100,
            1 + brief // 100, brief, brief, 1, 1,
        )))  # fmt: skip
    return rows


ENTRIES = entries()


def states_of(engine):
    return [engine.state_of(partition, Owner()) for partition in sorted(engine.positions)]


def behind(engine):
    """What is to be read of the journal after a restart: of each partition, what its state lacks."""
    return [e for e in ENTRIES if e.position > engine.positions.get(e.partition, 0)]


def incidents(*engines, events):
    """The last state of each incident and story, by uid."""
    last = {event.uid: event.told for event in events}
    for engine in engines:
        last |= {event.uid: event.told for event in engine.finish()}
        open_ = [*engine.open_incidents(), *engine.open_stories()]
        last |= {told.uid: told for told in open_ if told.uid in last or not events}
    return sorted(msgspec.json.encode(i) for i in last.values())


def without_guessing(texts):
    """The incidents of other detectors; a story may have guesses in it."""
    return [text for text in texts if b'"subject"' in text and b'"bruteforce"' not in text]


def whole(*, fuses=True):
    engine = Engine(shipped_detectors(), fuses=fuses)
    events = [event for entry in ENTRIES for event in engine.step([entry])]
    return incidents(engine, events=events)


WHOLE = whole()


def test_there_is_something_to_compare():
    kinds = [msgspec.json.decode(text).get("kind", "a story") for text in WHOLE]
    assert {"scan", "bruteforce"} <= set(kinds)
    assert kinds.count("a story") >= len(SITES)


@settings(max_examples=10)
@given(
    moves=st.lists(st.tuples(st.integers(0, 40), st.sampled_from(SITES)), max_size=6),
    shuffle=st.randoms(use_true_random=False),
)
def test_sites_that_move_between_engines_give_equal_incidents(
    moves: list[tuple[int, str]], shuffle: random.Random
) -> None:
    engines = [Engine(shipped_detectors()) for _ in range(3)]
    owner = {site: shuffle.randrange(3) for site in SITES}
    events = []
    for at, entry in enumerate(ENTRIES):
        for when, site in moves:
            if when == at:
                # A site goes on in an engine that never had it, or had and lost it: a new one.
                record = msgspec.msgpack.decode(
                    msgspec.msgpack.encode(engines[owner[site]].take(site)), type=SiteRecord
                )
                engines.append(Engine(shipped_detectors()))
                engines[-1].numbering.site("somebody else")
                engines[-1].put(record)
                owner[site] = len(engines) - 1
        events += engines[owner[entry.site]].step([entry])
    owned = {}
    for event in events:
        owned[event.uid] = event.told
    told = dict(owned)
    for number, engine in enumerate(engines):
        mine = {site for site in SITES if owner[site] == number}
        last = [e.told for e in engine.finish()]
        last += [*engine.open_incidents(), *engine.open_stories()]
        told |= {i.uid: i for i in last if i.site in mine}
    assert sorted(msgspec.json.encode(i) for i in told.values()) == WHOLE


@settings(max_examples=8)
@given(
    begin=st.integers(1, 20),
    pauses=st.lists(st.integers(0, 4), min_size=3, max_size=3),
)
def test_a_checkpoint_whose_sites_were_taken_one_by_one_gives_equal_incidents(
    begin: int, pauses: list[int]
) -> None:
    engine = Engine(shipped_detectors())
    events = [event for entry in ENTRIES[:begin] for event in engine.step([entry])]
    states, records, at = states_of(engine), [], begin
    for site, pause in zip(engine.numbering.sites, pauses, strict=False):
        for entry in ENTRIES[at : at + pause]:
            events += engine.step([entry])
        at += pause
        records.append(engine.take(site))
    again = Engine(shipped_detectors())
    again.resume(states, records)
    known = {(e.uid, e.revision): msgspec.json.encode(e) for e in events}
    for entry in behind(again):
        for event in again.step([entry]):
            text = msgspec.json.encode(event)
            name = (event.uid, event.revision)
            assert known.setdefault(name, text) == text, "what is repeated is the same"
            events.append(event)
    assert incidents(again, events=events) == WHOLE


def test_a_checkpoint_before_all_is_caught_up_with_claims_no_less():
    """Sites that are ahead of the engine after a restart are saved as far as they are."""
    engine = Engine(shipped_detectors())
    events = [event for entry in ENTRIES[:6] for event in engine.step([entry])]
    states = states_of(engine)
    events += [event for entry in ENTRIES[6:15] for event in engine.step([entry])]
    again = Engine(shipped_detectors())
    again.resume(states, [engine.take(site) for site in engine.numbering.sites])
    assert again.step([]) == [], "another worker's entries alone"
    events += [event for entry in behind(again)[:2] for event in again.step([entry])]
    states, records = states_of(again), [again.take(site) for site in again.numbering.sites]
    assert [r.position for r in records] == [engine.position_of(r.name) for r in records]
    third = Engine(shipped_detectors())
    third.resume(states, records)
    events += [event for entry in behind(third) for event in third.step([entry])]
    assert incidents(third, events=events) == WHOLE


def test_an_exemption_of_a_site_that_never_sent_a_row_is_kept(tmp_path):
    engine = Engine(shipped_detectors())
    payload = Exemption("scan", "192.168.77.66", 2**62).draft("bakery", 0).payload
    engine.step([Entry(1, "exemption", 0, 0, "bakery", payload)])
    engine = restarted(engine, shipped_detectors(), tmp_path / "c")
    assert [row.until for row in engine.incidents.exemptions.of("bakery")] == [2**62]


class Own(SiteDetector):
    """Remembers what cannot be pickled, or what cannot be read again."""

    name = "own"
    table = "flows"
    reads = ("resp_p",)

    def score_many(self, window):
        return window["resp_p"] * 1.0

    def learn_many(self, window):
        self.kept = lambda: len(window)


class Unreadable(Own):
    def learn_many(self, window):
        self.kept = Exploding()


class Exploding:
    def __reduce__(self):
        return (explode, ())


def explode():
    raise RuntimeError


@pytest.mark.parametrize("kind", [Own, Unreadable])
def test_what_a_detector_cannot_keep_costs_only_itself(tmp_path, kind):
    engine = Engine([*shipped_detectors(), kind()])
    events = [event for entry in ENTRIES[:12] for event in engine.step([entry])]
    engine = restarted(engine, [*shipped_detectors(), kind()], tmp_path / "c")
    events += [event for entry in ENTRIES[12:] for event in engine.step([entry])]
    assert incidents(engine, events=events) == WHOLE


def test_how_often_it_was_saved_leaves_no_detector_out(tmp_path):
    engine = Engine([Own()])
    for entry in ENTRIES[:12]:
        engine.step([entry])
    for number in range(STRIKES + 1):
        save(engine, tmp_path / f"{number}")
    assert engine.take_observed().failures == {"own": 1}
    assert engine.controls.take_strikes() == []


class Failing(Scan):
    """Shares its table of entities, and fails at first."""

    name = "failing"
    left = 2

    def fold(self, rows, state, scores, facts):
        if self.left:
            self.left -= 1
            raise ZeroDivisionError
        super().fold(rows, state, scores, facts)


def test_a_detector_that_failed_meets_what_it_missed_as_new(monkeypatch):
    seen = []
    detector = Failing()
    inner = Scan.fold

    def fold(self, rows, state, scores, facts):
        if isinstance(self, Failing):
            seen.append((rows.slot.copy(), rows.fresh.copy()))
        inner(self, rows, state, scores, facts)

    monkeypatch.setattr(Scan, "fold", fold)
    engine = Engine([*shipped_detectors(), detector])
    for entry in ENTRIES[:5]:
        engine.step([entry])
    first = {}
    for slots, fresh in seen:
        for slot, new in zip(slots.tolist(), fresh.tolist(), strict=True):
            first.setdefault(slot, new)
    assert first
    assert all(first.values())


class Patient(Bruteforce):
    """A detector of the same name that remembers something more."""

    name = "bruteforce"
    state = {**Bruteforce.state, "more": ("f4", ())}  # noqa: RUF012  # as the contract has it


def restarted(engine, detectors, path, *, fuses=True):
    save(engine, path)
    again = Engine(detectors, fuses=fuses)
    load(again, path)
    return again


def replace(detectors, *others):
    names = {d.name for d in others}
    return sorted([d for d in detectors if d.name not in names] + [*others], key=lambda d: d.name)


@pytest.mark.parametrize("half", [5, 14, 22])
def test_a_changed_detector_starts_anew_alone(tmp_path, half):
    engine = Engine(shipped_detectors())
    events = [event for entry in ENTRIES[:half] for event in engine.step([entry])]
    engine = restarted(engine, replace(shipped_detectors(), Patient()), tmp_path / "c")
    events += [event for entry in ENTRIES[half:] for event in engine.step([entry])]
    found = incidents(engine, events=events)
    assert without_guessing(found) == without_guessing(WHOLE)
    assert engine.take_observed().failures == {}


def test_a_detector_is_removed_and_added_and_the_others_go_on(tmp_path):
    """Each by itself: what they say together is less without one of them."""
    fewer = [d for d in shipped_detectors() if d.name != "bruteforce"]
    engine = Engine(shipped_detectors(), fuses=False)
    events = [event for entry in ENTRIES[:12] for event in engine.step([entry])]
    engine = restarted(engine, fewer, tmp_path / "c", fuses=False)
    events += [event for entry in ENTRIES[12:20] for event in engine.step([entry])]
    engine = restarted(engine, shipped_detectors(), tmp_path / "c", fuses=False)
    events += [event for entry in ENTRIES[20:] for event in engine.step([entry])]
    found = incidents(engine, events=events)
    assert without_guessing(found) == without_guessing(whole(fuses=False))


def test_an_incident_of_a_detector_that_is_gone_can_still_be_answered(tmp_path):
    engine = Engine(shipped_detectors())
    events = [event for entry in ENTRIES for event in engine.step([entry])]
    guessing = next(e.incident for e in events if e.kinds == ("bruteforce",))
    engine = restarted(
        engine, [d for d in shipped_detectors() if d.name != "bruteforce"], tmp_path / "c"
    )
    draft = Verdict(guessing.uid, "normal").draft(guessing.site, 0)
    closed, _ = engine.step([Entry(999, "verdict", 0, 0, guessing.site, draft.payload)])
    assert (closed.activity, closed.incident.status) == ("close", "normal")


def test_what_a_person_chose_survives_a_change_of_detectors(tmp_path):
    engine = Engine(shipped_detectors())
    exemption = Exemption("scan", "192.168.77.66", 2**62)
    engine.step(
        [
            Entry(1, "budget", 0, 0, "bakery", Budget(0.25).draft("bakery", 0).payload),
            Entry(2, "exemption", 0, 0, "bakery", exemption.draft("bakery", 0).payload),
        ]
    )
    engine.step(ENTRIES[:3])
    for detectors in (shipped_detectors()[3:], shipped_detectors()):
        engine = restarted(engine, detectors, tmp_path / "c")
        site = engine.numbering.site("bakery")
        for detector, policy in zip(engine.host.detectors, engine.policy.detectors, strict=True):
            assert policy.budget[site] == pytest.approx(0.25 * detector.share)
    events = [event for entry in ENTRIES[3:] for event in engine.step([entry])]
    assert not [e for e in events if e.site == "bakery" and "scan" in e.kinds]
    assert [e for e in events if "scan" in e.kinds]


def test_a_column_is_packed_and_unpacked():
    for array in (np.zeros((0, 3), np.uint64), np.arange(6, dtype=np.float32).reshape(2, 3)):
        again = unpack(pack(array))
        assert (again.dtype, again.shape) == (array.dtype, array.shape)
        assert again.tobytes() == array.tobytes()
    text = Text(np.array([0, 2, 2, 5]), np.frombuffer(b"abcde", np.uint8))
    again = unpack(pack(text))
    assert [again[i] for i in range(3)] == ["ab", "", "cde"]
