"""Answers in time or a day late, changed and taken back: the journal alone says what comes of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import load, save
from dijkwacht_collector.incidents import Event, Incident, IncidentEvent, Story, StorySeen
from dijkwacht_collector.journal import Answer, Entry, Exemption, Verdict, partition_of
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

SITES = ("bakery", "clinic")
HOUR = 3_600_000_000
DAYS = 6
Said = tuple[int, int, Answer, int]
"""Before which batch, about which of the incidents seen so far, what, and as it was so many steps ago."""


def scan(site: str, day: int) -> tuple[int, bytes]:
    """A port scan of one machine, another each second day; the next day's closes it, being much later."""
    start = WORKING_MORNING + day * 24 * HOUR
    thief, server = pack_address(f"192.168.77.{66 + day % 2}"), pack_address("192.168.77.2")
    rows: list[tuple[int, Row]] = [
        (0, (
            start + n * 10_000, start, 10_000_000 + n, 0, 2, thief, server, 40_000 + n, 1 + n, 6, 0,
            4, 2, 20, 1, 1, 0, 0, 1, 1,
        ))
        for n in range(300)
    ]  # fmt: skip
    end = start + 3_000_000
    return end, encode(site, "desk", bytes(16), day, end, rows)


@cache
def batches() -> tuple[tuple[str, int, bytes], ...]:
    return tuple((site, *scan(site, day)) for day in range(DAYS) for site in SITES)


def journal_of(said: Sequence[Said]) -> tuple[list[Entry], list[Event]]:
    """Batches, and answers to what an engine that reads them has told: a person sees it a little late."""
    engine, entries, events = Engine([Scan()]), list[Entry](), list[Event]()

    def fold(kind: str, site: str, time: int, payload: bytes) -> None:
        at = len(entries) + 1
        entries.append(Entry(at, kind, partition_of(site), time, site, payload))  # type: ignore[arg-type]  # a kind
        events.extend(engine.step(entries[-1:]))

    for number, (site, time, payload) in enumerate(batches()):
        for _, which, verdict, ago in (one for one in said if one[0] == number):
            if not events:
                continue
            meant = events[which % len(events)]
            steps = [e.told for e in events if e.uid == meant.uid]
            seen = steps[max(0, len(steps) - 1 - ago)]
            about = msgspec.msgpack.encode(seen if isinstance(seen, Incident) else StorySeen(seen))
            draft = Verdict(seen.uid, verdict, f"by {number}", about).draft(seen.site, time)
            fold("verdict", seen.site, time, draft.payload)
            if which % 7 == 3 and isinstance(seen, Incident):
                lifted = Exemption(seen.kind, seen.subject, 0).draft(seen.site, time)
                fold("exemption", seen.site, time, lifted.payload)
        fold("batch", site, time, payload)
    return entries, events


def texts(events: Sequence[Event]) -> list[bytes]:
    """Of each site, in order; sites know nothing of one another."""
    return sorted(map(msgspec.json.encode, events))


def of_incidents(events: Sequence[Event]) -> list[IncidentEvent]:
    return [event for event in events if isinstance(event, IncidentEvent)]


answers = st.lists(
    st.tuples(
        st.integers(1, DAYS * len(SITES) - 1), st.integers(0, 40),
        st.sampled_from(["normal", "attack", "undone"]), st.integers(0, 3),
    ),
    max_size=14,
)  # fmt: skip


@settings(max_examples=25)
@given(said=answers, step=st.integers(1, 9), stops=st.sets(st.integers(0, 25), max_size=4))
def test_any_cut_any_restart_any_number_of_engines(
    said: list[Said], step: int, stops: set[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    entries, told = journal_of(said)
    folder = tmp_path_factory.mktemp("engine") / "checkpoint"
    engine, again = Engine([Scan()]), list[Event]()
    for at in range(0, len(entries), step):
        again += engine.step(entries[at : at + step])
        if at // step in stops:
            save(engine, folder)
            engine = Engine([Scan()])
            load(engine, folder)
    assert texts(again) == texts(told)
    apart = [
        event
        for site in SITES
        for one in (Engine([Scan()]),)
        for event in one.step([entry for entry in entries if entry.site == site])
    ]
    assert texts(apart) == texts(told)


@settings(max_examples=25)
@given(said=answers)
def test_no_step_says_two_things_and_the_last_answer_wins(said: list[Said]) -> None:
    entries, told = journal_of(said)
    steps: dict[str, list[Incident | Story]] = {}
    for event in told:
        steps.setdefault(event.uid, []).append(event.told)
    last: dict[str, Answer] = {}
    for entry in entries:
        if entry.kind == "verdict":
            verdict = Verdict.read(entry)
            last[verdict.uid] = verdict.verdict
    for uid, incidents in steps.items():
        assert [i.revision for i in incidents] == list(range(len(incidents)))
        if not isinstance(incidents[-1], Incident) or incidents[-1].story in last:
            continue  # an answer may be that of a story to all its findings, or the other way round
        answered = {"normal": "normal", "attack": "confirmed", "undone": "closed", "": "closed"}
        status = incidents[-1].status
        assert status in {answered[last.get(uid, "")], "new"}
        assert status != "new" or last.get(uid, "undone") == "undone", "nothing was to take back"


def test_the_same_scan_is_silent_while_it_is_normal_and_told_again_when_it_is_not() -> None:
    """The first machine scans on days 0, 2 and 4; the answers are given a day after it was over."""
    site = SITES.index("bakery")
    normal: Said = (3 * len(SITES) + site, 0, "normal", 0)
    undone: Said = (4 * len(SITES), 0, "undone", 0)
    _, silent = journal_of([(len(SITES) + 1, 0, "normal", 0)])
    _, told = journal_of([normal, undone])
    subject = "192.168.77.66"

    def days(events: list[Event]) -> set[int]:
        return {
            (e.incident.start - WORKING_MORNING) // (24 * HOUR)
            for e in of_incidents(events)
            if (e.site, e.incident.subject) == ("bakery", subject)
        }

    assert days(silent) == {0}
    assert days(told) == {0, 2, 4}
    assert {e.incident.subject for e in of_incidents(silent) if e.site == "bakery"} == {
        subject,
        "192.168.77.67",
    }


def test_words_that_no_collector_wrote_change_nothing_and_stop_nobody(tmp_path, caplog) -> None:  # type: ignore[no-untyped-def]
    """Made by hand: an incident that no sink could take, an exemption until later than a checkpoint can hold."""
    _, told = journal_of([])
    closed = next(e.incident for e in of_incidents(told) if e.activity == "close")
    lie = msgspec.structs.replace(closed, uid="made up", revision=2**64 - 1)
    words = [
        Verdict(closed.uid, "normal", "Jan", b"\xc1no message").draft(closed.site, 1),
        Verdict("made up", "normal", "Jan", msgspec.msgpack.encode(lie)).draft(closed.site, 1),
        Exemption("scan", "10.0.0.7", 2**65).draft(closed.site, 1),
    ]
    engine = Engine([Scan()])
    for number, word in enumerate(words, 1):
        entry = Entry(number, word.kind, partition_of(word.site), 1, word.site, word.payload)
        assert engine.step([entry]) == []
    assert caplog.text.count("journal entry ignored") == len(words) - 1
    [row] = engine.take_exemptions(counted=True)[closed.site]
    assert row.until == 1 << 62, "for ever"
    save(engine, tmp_path)
    load(Engine([Scan()]), tmp_path)


def test_what_is_normal_is_learned_by_its_site_as_if_nobody_had_answered() -> None:
    """An answer is about one machine: it moves no line, and keeps no hour out of what the site's line is drawn by."""
    lines = []
    for said in ([], [(len(SITES) + 1, 0, "normal", 0)]):
        entries, told = journal_of(said)
        engine = Engine([Scan()])
        engine.step(entries)
        [policy] = engine.policy.detectors
        lines.append((policy.history.tolist(), policy.threshold.tolist(), len(told)))
    (history, threshold, told_all), (answered_history, answered_threshold, told_less) = lines
    assert told_less < told_all, "something was hidden"
    assert (answered_history, answered_threshold) == (history, threshold)
    assert sum(map(sum, history)) > 0, "something was learned"
