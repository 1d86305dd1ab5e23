"""Engines that cannot start or go on stop alone; the collector around them does not."""

from types import SimpleNamespace

import pytest

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.journal import Bundles, Draft, Journal
from dijkwacht_collector.journal.entry import HEADER_BYTES
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import Sinks
from dijkwacht_records.errors import JournalError


def workers_of(folder, journal, engine):
    parts = EngineParts(
        journal,
        Bundles(folder / "bundles"),
        SimpleNamespace(engine=engine, own_files=dict),
        Sinks([]),
        SimpleNamespace(
            is_new=False, epoch=0, mark=0, note=lambda _: None, identity="one", sites=list
        ),
        Telemetry([]),
        lambda: 1,
        1000.0,
    )
    return EngineWorkers(1, parts, folder / "checkpoints", training=False)


def test_a_journal_that_cannot_be_read_stops_the_engine_and_nothing_else(tmp_path):
    journal = Journal(tmp_path / "journal", segment_bytes=HEADER_BYTES + 100)
    journal.open()
    for number in range(4):
        journal.append_all([(95, Draft("batch", "bakery", number, bytes(80)))])
    oldest = min(journal.folder.glob("*.dwj"))
    data = bytearray(oldest.read_bytes())
    data[HEADER_BYTES + 60] ^= 1
    oldest.write_bytes(data)
    workers = workers_of(tmp_path, journal, lambda **parts: Engine([], **parts))
    workers.open()
    [trouble] = workers.troubles
    assert f"{oldest.name}: offset {HEADER_BYTES}: checksum differs" in trouble
    assert journal.append_all([(95, Draft("batch", "bakery", 9, b"x"))]) == 5
    workers.close()
    with pytest.raises(JournalError):
        journal.read([95], {})
    journal.close()


def test_an_engine_that_cannot_be_made_is_said(tmp_path, caplog):
    def broken(**_parts):
        raise RuntimeError("no such luck")

    journal = Journal(tmp_path / "journal")
    journal.open()
    workers = workers_of(tmp_path, journal, broken)
    workers.open()
    assert workers.troubles == ["engine: no such luck"]
    assert workers.fault(journal) == "not judged"
    assert [record.message for record in caplog.records] == ["engine stopped"]
    workers.close()
    journal.close()
