"""Whoever wants to hear of something is told again what had become a habit meanwhile, by whichever way he says so."""

from __future__ import annotations

import msgspec
import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.incidents import Event, IncidentEvent
from dijkwacht_collector.journal import (
    Answer,
    Draft,
    Entry,
    Exemption,
    Release,
    Verdict,
    partition_of,
)
from dijkwacht_detectors.scan import Scan
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

HOUR = 3_600_000_000
SITE = "bakery"
THIEF = "192.168.77.66"


def scan(turn: int) -> tuple[int, bytes]:
    """A port scan as strong as the one before, three hours later."""
    start = WORKING_MORNING + turn * 3 * HOUR
    thief, server = pack_address(THIEF), pack_address("192.168.77.2")
    rows: list[tuple[int, Row]] = [
        (0, (
            start + n * 10_000, start, 10_000_000 + n, 0, 2, thief, server, 40_000 + n, 1 + 300 * turn + n,
            6, 0, 4, 2, 20, 1, 1, 0, 0, 1, 1,
        ))
        for n in range(300)
    ]  # fmt: skip
    end = start + 3_000_000
    return end, encode(SITE, "desk", bytes(16), turn, end, rows)


class Journal:
    """Entries as they come, which any engine may read."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def scans(self, first: int, last: int) -> Journal:
        for turn in range(first, last):
            time, payload = scan(turn)
            self.add(Draft("batch", SITE, time, payload))
        return self

    def add(self, draft: Draft) -> Journal:
        at = len(self.entries) + 1
        self.entries.append(
            Entry(at, draft.kind, partition_of(SITE), draft.arrival, SITE, draft.payload)
        )
        return self

    def read_by(self, engine: Engine, behind: int = 0) -> list[Event]:
        return [event for entry in self.entries[behind:] for event in engine.step([entry])]


def opened(events: list[Event]) -> set[str]:
    return {e.uid for e in events if isinstance(e, IncidentEvent) and e.told.status == "new"}


def test_who_takes_an_exemption_back_is_told_again() -> None:
    journal, engine = Journal().scans(0, 1), Engine([Scan()])
    journal.add(Exemption("scan", THIEF, 1 << 60).draft(SITE, 1)).scans(1, 5)
    [known] = opened(journal.read_by(engine))
    behind = len(journal.entries)
    journal.add(Exemption("scan", THIEF, 0).draft(SITE, 1)).scans(5, 6)
    assert opened(journal.read_by(engine, behind)) - {known}


@pytest.mark.parametrize(("said", "told"), [("attack", True), ("normal", False)])
def test_an_answer_that_the_release_before_obeyed_holds_for_habits_too(
    said: Answer, told: bool
) -> None:
    journal, before = Journal().add(Release("before").draft("", 0)).scans(0, 4), Engine([Scan()])
    events = journal.read_by(before, 1)
    seen = next(e.incident for e in reversed(events) if isinstance(e, IncidentEvent))
    verdict = Verdict(seen.uid, said, "Jan", msgspec.msgpack.encode(seen))
    journal.add(verdict.draft(SITE, 1))
    events += journal.read_by(before, 5)
    stored = {event.uid: event for event in events}
    assert max(event.position for event in stored.values()) == len(journal.entries)
    after = Engine([Scan()], history=lambda _: {SITE: list(stored.values())})
    journal.add(Release(after.controls.release).draft("", 0)).scans(4, 5)
    assert bool(opened(journal.read_by(after)) - stored.keys()) == told
