"""Rows a second through the live engine: decode, state, every detector on every row, policy.

The input is traffic of many offices in the mix of tables that captures have (`mixed_rows`), their batches
interleaved as they would arrive.
Making it is not measured; nothing of the live path is left out. Models are trained on the first
part of the rows, which is not measured either.
"""

from __future__ import annotations

import gc
import heapq
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine import engine as engine_module
from dijkwacht_collector.engine.trainer import train, training_rows
from dijkwacht_collector.engine.worker import calm_garbage_collection
from dijkwacht_collector.journal import PARTITIONS, BundlesInHand, Entry, Model, partition_of
from dijkwacht_detectors.api import AnyDetector, RowDetector, SiteDetector
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.state.memory import Memory
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_lab.traffic.table_shares import shares_of_counts
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

_HOSTS: Final = 25
_ENTRIES_A_STEP: Final = 256
_YEAR_US: Final = 365 * 86_400_000_000


def measure(
    sites: int = 1000,
    rows_per_site: int = 1000,
    batch_rows: int = 100,
    runs: int = 3,
    contract: int = max(WRITES),
) -> dict[str, Any]:
    """Return the median of ``runs`` as ``rows_per_second`` of CPU time, with where it went.

    Each run folds the same ``sites × rows_per_site`` rows into a new engine that has already seen
    a tenth of them, so that kernels are compiled, sites known and models trained. ``table_shares`` are
    percent of the rows.
    """
    counts = Counter[int]()

    def counted(site: int) -> Iterator[tuple[int, Row]]:
        for number, row in mixed_rows(site):
            counts[number] += 1
            yield number, row

    entries = generated_entries(sites, rows_per_site, batch_rows, contract, counted)
    warm = len(entries) // 10
    results = [_run(entries, warm) for _ in range(runs)]
    results.sort(key=lambda result: float(result["rows_per_second"]))
    median = results[len(results) // 2]
    return median | {
        "runs": runs,
        "rows_per_second_all": [r["rows_per_second"] for r in results],
        "sites": sites,
        "batch_rows": batch_rows,
        "contract": contract,
        "table_shares": shares_of_counts(counts),
        "wire_bytes_per_row": sum(len(e.payload) for e in entries) / (sites * rows_per_site),
        "rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _run(entries: list[Entry], warm: int) -> dict[str, Any]:
    bundles = BundlesInHand()
    engine = Engine(shipped_detectors(), bundles=bundles)
    engine.reads = CONTRACTS
    for at in range(0, warm, _ENTRIES_A_STEP):
        engine.step(entries[at : min(at + _ENTRIES_A_STEP, warm)])
    for name, kept in engine.take_samples().items():
        bundle = train(name, training_rows(kept))
        if bundle:
            payload = Model(name, bundles.keep(bundle)).draft("", 0).payload
            engine.step([Entry(warm, "model", p, 0, "", payload) for p in range(PARTITIONS)])
    before = sum(engine.take_observed().rows.values())
    spent = _stopwatches(engine)
    gc.collect()
    calm_garbage_collection()  # as in the live process
    gc.freeze()  # the generated input is no part of the live process
    began = time.process_time()
    for at in range(warm, len(entries), _ENTRIES_A_STEP):
        engine.step(entries[at : at + _ENTRIES_A_STEP])
    seconds = time.process_time() - began
    rows = sum(engine.take_observed().rows.values())
    spent["everything else"] = seconds - sum(spent.values())
    return {
        "rows_per_second": round(rows / seconds),
        "rows": rows,
        "warm_rows": before,
        "incidents_open": len(engine.incidents.open),
        "nanoseconds_per_row": {
            part: round(s / rows * 1e9, 1) for part, s in sorted(spent.items(), key=lambda i: -i[1])
        },
    }


def _stopwatches(engine: Engine) -> dict[str, float]:
    """Put a stopwatch around each part; they cost some 0.2 µs a call, and calls are few."""
    spent: dict[str, float] = {}

    def watch(owner: object, method: str, part: str) -> None:
        inner: Callable[..., Any] = getattr(owner, method)
        spent.setdefault(part, 0.0)

        @wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            result = inner(*args, **kwargs)
            spent[part] += time.thread_time() - began
            return result

        setattr(owner, method, timed)

    for module_part in ("read_checked", "join_columns"):
        bare = getattr(engine_module, module_part)
        # A former run's stopwatch is taken off first.
        setattr(engine_module, module_part, getattr(bare, "__wrapped__", bare))
        watch(engine_module, module_part, module_part.replace("_", " "))
    for hosted in engine.host.hosted:
        for detector in hosted.instances.each.values():
            for method in _methods_of(detector):
                watch(detector, method, detector.name)
    readers: dict[int, list[Memory]] = {}
    for memory in (hosted.memory for hosted in engine.host.hosted):
        readers.setdefault(id(memory.entities), []).append(memory)
    for members in readers.values():
        tables = dict.fromkeys(name for memory in members for name in memory.reading.tables)
        entity = members[0].detector.entity
        named = entity if isinstance(entity, str) else " ".join(entity)
        watch(members[0].entities, "resolve", f"state of {'+'.join(tables)} {named}")
    for policy in engine.policy.detectors:
        watch(policy, "evidence", "policy")
    watch(engine.fusion, "weigh", "fusion")
    return spent


def _methods_of(detector: AnyDetector) -> tuple[str, ...]:
    """Where a detector spends its time."""
    if isinstance(detector, RowDetector):
        return ("fold",)
    return () if isinstance(detector, SiteDetector) else ("score", "learn")


def ordinary_rows(site: int) -> Iterator[tuple[int, Row]]:
    """A year of an office of 25 machines, as its agent would make it."""
    return office_rows(site, _HOSTS, WORKING_MORNING, _YEAR_US)


def generated_entries(
    sites: int,
    rows_per_site: int,
    batch_rows: int,
    contract: int = max(WRITES),
    rows_of_site: Callable[[int], Iterator[tuple[int, Row]]] = ordinary_rows,
) -> list[Entry]:
    """Batches of offices as they would arrive, interleaved; ``rows_of_site`` makes an office's rows."""
    queues = [
        _site_batches(site, rows_of_site(site), rows_per_site, batch_rows, contract)
        for site in range(sites)
    ]
    merged = heapq.merge(*queues, key=lambda item: item[:2])
    return [
        Entry(position, "batch", partition_of(site), arrival, site, payload)
        for position, (arrival, site, payload) in enumerate(merged, 1)
    ]


def _site_batches(
    site: int,
    made: Iterator[tuple[int, Row]],
    rows_per_site: int,
    batch_rows: int,
    contract: int,
) -> Iterator[tuple[int, str, bytes]]:
    name, rows, seq = f"site-{site:04d}", list[tuple[int, Row]](), 0
    for count, row in enumerate(made, 1):
        rows.append(row)
        if len(rows) == batch_rows or count == rows_per_site:
            arrival = int(rows[-1][1][0])
            yield arrival, name, encode(name, "agent-1", bytes(16), seq, arrival, rows, contract)
            rows, seq = [], seq + 1
        if count == rows_per_site:
            return
