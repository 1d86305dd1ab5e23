"""A real journal, a real engine thread, and a site that costs more than all others together."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from dijkwacht_collector.engine import DetectorSet, Engine
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.journal import Bundles, Draft, Journal, partition_of
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import IncidentStore, Sinks
from dijkwacht_lab.traffic import WORKING_MORNING
from dijkwacht_records.addresses import pack_address
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

MINUTE = 60_000_000
REACHED: list[tuple[int, int]] = []
"""How far the clinic and the bakery were, after each piece of work."""


def minute_batch(site: str, seq: int, rows: int = 600, scan: int = 0) -> Draft:
    """Rows a minute of event time apart: each ends a window of every detector that has some.

    Before them so many ports of a machine are tried within a few seconds.
    """
    begin = WORKING_MORNING + seq * (rows + 1) * MINUTE
    source, server = pack_address(f"10.0.0.{5 + seq}"), pack_address("10.0.0.2")
    times = [begin + n * 10_000 for n in range(scan)]
    times += [begin + MINUTE + n * MINUTE for n in range(rows)]
    flows: list[tuple[int, Row]] = []
    for n, time in enumerate(times):
        port, state = (n + 1, 4) if n < scan else (443, 3)
        flows.append((0, (
            time, time, n, 0, 2, source, server, 4000 + n, port, 6, 0, state, 2, 18, 1, 1, 0, 0, 1, 1,
        )))  # fmt: skip
    return Draft("batch", site, times[-1], encode(site, "agent", bytes(16), seq, times[-1], flows))


class Watched(DetectorSet):
    """Makes engines that note how far two sites are after each piece of work."""

    def engine(self, *args: Any, **parts: Any) -> Engine:
        engine = super().engine(*args, **parts)
        for name in ("step", "advance"):
            object.__setattr__(engine, name, self._noting(engine, getattr(engine, name)))
        return engine

    def _noting(self, engine: Engine, inner: Any) -> Any:
        def noting(*args: Any) -> Any:
            events = inner(*args)
            REACHED.append((engine.position_of("clinic"), engine.position_of("bakery")))
            return events

        return noting


class Breaking(DetectorSet):
    """Makes engines that break after some slices, each some later than the one before."""

    slices: ClassVar[int] = 0

    def engine(self, *args: Any, **parts: Any) -> Engine:
        engine = super().engine(*args, **parts)
        Breaking.slices += 5
        inner, left = engine.advance, iter(range(Breaking.slices))

        def advance(*given: Any) -> Any:
            next(left)  # in the end it raises
            return inner(*given)

        object.__setattr__(engine, "advance", advance)
        return engine


def run(folder: Path, detectors: DetectorSet, drafts: list[Draft]) -> tuple[list[bytes], bool]:
    """Journal ``drafts`` and run engine threads until all is folded, or one is broken: all that was told."""
    journal, store = Journal(folder / "journal"), IncidentStore(folder / "incidents.db")
    sinks, bundles = Sinks([store], store.fence), Bundles(folder / "bundles")
    telemetry = Telemetry(["scan"])
    parts = EngineParts(journal, bundles, detectors, sinks, store, telemetry, lambda: 1, 0.0)
    workers = EngineWorkers(1, parts, folder / "checkpoints", training=False)
    journal.open()
    sinks.open()
    workers.open()
    journal.append_all([(partition_of(draft.site), draft) for draft in drafts])
    while workers.position < journal.last and not workers.troubles:
        threading.Event().wait(0.005)
    broken = bool(workers.troubles)
    assert all(p <= workers.each[0].after[n] for n, p in workers.durable.items())
    workers.close()
    told = [msgspec.json.encode(event.incident) for event in store.events(limit=-1)]
    journal.close()
    sinks.close()
    return sorted(told), broken


def test_an_engine_that_breaks_in_the_middle_of_a_batch_loses_nothing(tmp_path: Path) -> None:
    drafts = [minute_batch("bakery", seq, scan=200) for seq in range(3)]
    drafts.append(minute_batch("clinic", 0, 20, scan=200))
    whole, broken = run(tmp_path / "whole", DetectorSet(), drafts)
    assert whole
    assert not broken
    breaks = 0
    for _ in range(40):
        told, broken = run(tmp_path / "broken", Breaking(), [] if breaks else drafts)
        if not broken:
            break
        breaks += 1
    assert breaks > 1
    assert told == whole


def test_a_hostile_site_delays_nobody_who_comes_after_it(tmp_path: Path) -> None:
    journal, store = Journal(tmp_path / "journal"), IncidentStore(tmp_path / "incidents.db")
    sinks = Sinks([store], store.fence)
    telemetry = Telemetry(["scan"])
    parts = EngineParts(
        journal, Bundles(tmp_path / "bundles"), Watched(), sinks, store, telemetry, lambda: 1, 1e9
    )
    workers = EngineWorkers(1, parts, tmp_path / "checkpoints", training=False)
    journal.open()
    sinks.open()
    REACHED.clear()
    drafts = [minute_batch("bakery", seq) for seq in range(5)] + [minute_batch("clinic", 0, 20)]
    journal.append_all([(partition_of(draft.site), draft) for draft in drafts])
    workers.open()
    workers.close()
    journal.close()
    sinks.close()
    assert workers.position == journal.last, "in the end all of it is folded"
    first = next(reached for reached in REACHED if reached[0] >= 6)
    assert first[1] == 0, "the clinic's batch, the last of six, before any of the bakery's"
    assert b"dijkwacht_engine_slow_sites 0.0\n" in telemetry.render()
