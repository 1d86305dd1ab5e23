"""What an engine remembers of offices after a week, in bytes: prints a table, or one JSON object.

A generated week of each of some offices of 25 machines is folded (working hours, nights and a weekend are in
it), one office after the other, which nothing that is remembered depends on. A thousand weeks are too many
rows to fold, so bytes of 1,000 sites are the slope of those offices, and what there is once.

- ``live``: bytes of what is in use: slots that were given, places that were, rows of sites.
- ``allocated``: bytes of the arrays; pages that nobody wrote to are in it.
- ``rss``: how much the process grew from the first office's end to the last's, an office.

``--growth N`` measures something else: N offices come one after the other, some rows of each, and the longest
time that one step spent making room is told, processor time, since others may have the cores too.
"""

# ruff: noqa: SLF001  # it looks inside, to count
from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from dijkwacht.offline import cut
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.trainer import train, training_rows
from dijkwacht_collector.engine.worker import calm_garbage_collection
from dijkwacht_collector.journal import PARTITIONS, BundlesInHand, Entry, Model, partition_of
from dijkwacht_collector.policy.entity_records import EntityRecords
from dijkwacht_collector.policy.policy import Policy
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_detectors.state.entities import Entities
from dijkwacht_detectors.state.memory import Memory, is_by_site
from dijkwacht_detectors.state.pool import USED, Pool, is_pooled
from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.tables import Row
from dijkwacht_records.wire import encode

_DAY_US = 86_400_000_000
_HOSTS = 25
_SITES = 1_000
_BATCH_ROWS = 2_000
_STEP_ENTRIES = 16
_TRAIN_AFTER = 100_000
_NO_PLACES = np.zeros(2, np.int32)
Bytes = dict[str, tuple[int, int]]
"""By what it is, bytes in use and bytes allocated."""


def _rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def _batches(site: str, rows: Iterator[tuple[int, Row]]) -> Iterator[tuple[int, bytes, int]]:
    for seq, batch in enumerate(cut(rows, _BATCH_ROWS)):
        arrival = int(batch[-1][1][0])
        payload = encode(site, "agent-1", bytes(16), seq, arrival, batch, max(WRITES))
        yield arrival, payload, len(batch)


def _train(engine: Engine, bundles: BundlesInHand, position: int) -> None:
    for name, kept in engine.take_samples().items():
        bundle = train(name, training_rows(kept))
        if bundle:
            payload = Model(name, bundles.keep(bundle)).draft("", 0).payload
            engine.step([Entry(position, "model", p, 0, "", payload) for p in range(PARTITIONS)])


def of_memory(memory: Memory, slots: int, sites: int) -> tuple[int, int]:
    """Bytes in use and allocated of one detector's or context's arrays."""
    live = allocated = 0
    for name, values in memory.state.items():
        allocated += values.nbytes
        if name == USED:
            used = 2 + int(values[1])
        elif is_pooled(name):
            used = int(memory.state.get(USED, _NO_PLACES)[0])
        else:
            used = sites if is_by_site(name) else slots
        live += values[:used].nbytes
    return live, allocated


def of_python(thing: object, seen: set[int]) -> int:
    """Bytes of an object and of all that hangs on it, as Python counts them."""
    if id(thing) in seen or isinstance(thing, type):
        return 0
    seen.add(id(thing))
    size = sys.getsizeof(thing)
    if isinstance(thing, dict):
        return size + sum(of_python(k, seen) + of_python(v, seen) for k, v in thing.items())
    if isinstance(thing, list | tuple | set | frozenset):
        return size + sum(of_python(one, seen) for one in thing)
    names = [*getattr(thing, "__struct_fields__", ()), *getattr(type(thing), "__slots__", ())]
    held = [getattr(thing, name, None) for name in names]
    return (
        size
        + of_python(getattr(thing, "__dict__", {}), seen)
        + sum(of_python(one, seen) for one in held)
    )


def bytes_of(engine: Engine) -> Bytes:
    """Where the memory of an engine is."""
    sites = len(engine.numbering.sites)
    found: Bytes = {}
    tables: dict[int, Entities] = {}
    host = engine.host
    memories = [(h.detector.name, h.memory) for h in host.hosted]
    memories += [(f"context {n}", m) for n, m in host._contexts._memories.items()]
    for name, memory in memories:
        entities = memory.entities
        found[name] = of_memory(memory, entities.used, sites)
        if id(entities) not in tables:
            tables[id(entities)] = entities
            table = entities._table
            # those that were, as long as slots move, and those to come
            beside = entities._coming.nbytes + table.old.nbytes
            allocated = entities._coming.nbytes + sum(part.nbytes for part in table)
            live = (
                table.entities[: entities.used].nbytes
                + table.met[: entities.used].nbytes
                + table.counts[:sites].nbytes
                + table.hands[:sites].nbytes
            )
            reads = "+".join(memory.reading.tables), memory.detector.entity, entities.per_site
            # entries lie anywhere in the buckets, so all of them count
            found[f"entities {reads} of {name}"] = live + table.buckets.nbytes + beside, allocated
    policies = [(d.name, p) for d, p in zip(host.detectors, engine.policy.detectors, strict=True)]
    for name, policy in [*policies, ("fusion", engine.policy.fusion)]:
        of_sites = policy._sites
        records = policy._records
        parts = records._records
        places = records._places.nbytes
        live = sum(part[:sites].nbytes for part in of_sites) + places
        live += sum(part[: records.used].nbytes for part in parts)
        found[f"policy {name}"] = live, places + sum(part.nbytes for part in (*of_sites, *parts))
    for number, pool in host._pools.items():
        columns = [*pool._columns.values(), pool._next]
        allocated = sum(column.nbytes for column in (*columns, pool._agents, pool._sites))
        live = sum(column[: pool._used].nbytes for column in columns)
        found[f"window {host.detectors[number].name}"] = live, allocated
    for name, held in (("fusion", engine.fusion._sites), ("incidents", engine.incidents.__dict__)):
        size = of_python(held, set())
        found[name] = size, size
    return found


def week(sites: int, days: float, rate: float) -> dict[str, Any]:
    """Bytes an office, in all and by what they are, after ``days`` of each of ``sites`` offices."""
    bundles = BundlesInHand()
    engine = Engine(shipped_detectors(), bundles=bundles)
    engine.reads = CONTRACTS
    position, rows, trained = 0, 0, False
    empty = bytes_of(engine)
    rss = list[int]()
    of_sites = list[Bytes]()
    began = time.process_time()
    for site in range(sites):
        name = f"site-{site:04d}"
        made = office_rows(site, _HOSTS, WORKING_MORNING, int(days * _DAY_US), rate)
        batches = _batches(name, made)
        while some := list(islice(batches, _STEP_ENTRIES)):
            entries = [
                Entry(position + n, "batch", partition_of(name), arrival, name, payload)
                for n, (arrival, payload, _) in enumerate(some, 1)
            ]
            position += len(some)
            rows += sum(count for *_, count in some)
            engine.step(entries)
            if not trained and rows >= _TRAIN_AFTER:
                trained, position = True, position + 1
                _train(engine, bundles, position)
        gc.collect()
        rss.append(_rss())
        of_sites.append(bytes_of(engine))
    last = of_sites[-1]
    # in use grows by offices, arrays by doubling
    first = of_sites[0] if sites > 1 else empty
    of_one = {n: (last[n][0] - first.get(n, (0, 0))[0]) / max(sites - 1, 1) for n in last}
    parts = {
        n: {"live_per_site": round(of_one[n]), "live": last[n][0], "allocated": last[n][1]}
        for n in sorted(last, key=lambda n: -of_one[n])
    }
    per_site = sum(of_one.values())
    return {
        "sites": sites,
        "days": days,
        "rate": rate,
        "rows_per_site": round(rows / sites),
        "live_per_site": round(per_site),
        "rss_per_site": round((rss[-1] - rss[0]) / max(sites - 1, 1)),
        "live_mb_of_1000": round(per_site * _SITES / 1e6, 1),
        "allocated": sum(a for _, a in last.values()),
        "live_by_sites": [sum(live for live, _ in one.values()) for one in of_sites],
        "cpu_s": round(time.process_time() - began, 1),
        "parts": parts,
    }


def growth(sites: int, rows_per_site: int, entries_a_step: int) -> dict[str, Any]:
    """The longest time that one step spent making room, ms, and in what, as ``sites`` offices come."""
    calm_garbage_collection()
    spent = Counter[str]()
    depth = [0]

    def watch(owner: type, method: str) -> None:
        inner: Callable[..., Any] = getattr(owner, method)

        @wraps(inner)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if depth[0]:  # of one within another only the outer counts
                return inner(*args, **kwargs)
            depth[0] = 1
            before = time.thread_time_ns()
            try:
                return inner(*args, **kwargs)
            finally:
                depth[0] = 0
                spent[f"{owner.__name__}.{method}"] += time.thread_time_ns() - before

        setattr(owner, method, timed)

    for owner, method in ((Entities, "_make_room"), (Entities, "_prepare"), (Memory, "grown"), (Pool, "make_room"),
                          (EntityRecords, "for_more"), (EntityRecords, "make_room"),
                          (Policy, "make_room")):  # fmt: skip
        watch(owner, method)
    engine = Engine(shipped_detectors())
    entries = generated_entries(sites, rows_per_site, 100, rows_of_site=mixed_rows)
    entries.sort(key=lambda entry: entry.site)  # so that offices come all the time
    gc.collect()
    gc.freeze()
    longest, of_longest, pauses = 0, dict[str, float](), list[float]()
    for at in range(0, len(entries), entries_a_step):
        spent.clear()
        engine.step(
            [
                e._replace(position=at + n + 1)
                for n, e in enumerate(entries[at : at + entries_a_step])
            ]
        )
        total = spent.total()
        pauses.append(total / 1e6)
        if total > longest:
            longest, of_longest = total, {n: round(v / 1e6, 2) for n, v in spent.most_common(4)}
    ranked = np.sort(pauses)[::-1]
    return {
        "sites": sites,
        "rows_per_site": rows_per_site,
        "steps": len(pauses),
        "longest_ms": round(longest / 1e6, 2),
        "of_the_longest": of_longest,
        "ten_longest_ms": [round(float(p), 2) for p in ranked[:10]],
        "slots": sum(
            {id(h.memory.entities): h.memory.entities.used for h in engine.host.hosted}.values()
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sites", type=int, default=10)
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument(
        "--rate", type=float, default=0.25, help="1 is some 15,000 rows a PC and day"
    )
    parser.add_argument("--growth", type=int, default=0, metavar="SITES")
    parser.add_argument("--rows", type=int, default=300, help="of each office, with --growth")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.growth:
        found = growth(options.growth, options.rows, _STEP_ENTRIES)
    else:
        found = week(options.sites, options.days, options.rate)
    if options.json:
        print(json.dumps(found))
        return
    for name, part in found.pop("parts", {}).items():
        print(f"{part['live_per_site']:>10,} {part['live']:>12,} {part['allocated']:>14,}  {name}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
