"""Rows a second through the live engine: decode, state, every detector on every row, policy.

The input is traffic of many offices in the mix of tables that captures have (`mixed_rows`), their batches
interleaved as they would arrive, and what no shortcut helps with (`worst_rows`).
Making it is not measured; nothing of the live path is left out. Models are trained on the first
part of the rows, which is not measured either.
"""

from __future__ import annotations

import gc
import resource
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.trainer import train, training_rows
from dijkwacht_collector.engine.worker import calm_garbage_collection
from dijkwacht_collector.journal import PARTITIONS, BundlesInHand, Entry, Model
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.engine_peers import measure_peers
from dijkwacht_lab.bench.mixed_rows import mixed_rows
from dijkwacht_lab.bench.stopwatches import watched
from dijkwacht_lab.bench.worst_rows import INPUTS, ONE_SITE
from dijkwacht_lab.traffic.table_shares import shares_of_counts
from dijkwacht_records.contracts import CONTRACTS, WRITES
from dijkwacht_records.errors import SettingsError
from dijkwacht_records.tables import Row

MIXED: Final = next(iter(INPUTS))
SITES: Final = 1000
ROWS: Final = 1_000_000
"""Of all sites together, but for `LEAST_ROWS` and `MOST_ROWS` of one."""
LEAST_ROWS: Final = 300
MOST_ROWS: Final = 20_000
"""About an hour of an office."""
_STEP_BYTES: Final = 512 * 1024
"""What an engine that is behind reads at once."""


def rows_of_each(sites: int) -> int:
    """How many rows of each of so many sites are measured."""
    return max(LEAST_ROWS, min(MOST_ROWS, ROWS // sites))


def measure(
    sites: Sequence[int] = (SITES,),
    rows_per_site: int | None = None,
    batch_rows: Sequence[int] = (100, 1000),
    runs: int = 3,
    contract: int = max(WRITES),
    inputs: Sequence[str] = (MIXED,),
    *,
    peers: bool = False,
) -> dict[str, Any]:
    """Return medians of ``runs`` as ``rows_per_second`` of CPU time, with where it went.

    Measured are the first of ``inputs`` at each of ``batch_rows``, at each other number of ``sites`` and each
    other input at the first of these. What is told beside ``points`` is the first of them; ``growth`` is how
    much longer a row takes at the most sites than at the fewest. ``rows_per_site``: by `rows_of_each`, if None.
    Each run folds the same rows into a new engine that has already seen a tenth of them, so that kernels are
    compiled, sites known and models trained. ``table_shares`` are percent of the rows. ``peers``: others, too.
    Raises `SettingsError` for an input that there is not.
    """
    if unknown := set(inputs) - {*INPUTS, ONE_SITE}:
        raise SettingsError(f"--inputs {min(unknown)}: one of {', '.join((*INPUTS, ONE_SITE))}")

    def point(name: str, of: int, batch: int) -> dict[str, Any]:
        if name == ONE_SITE:
            of, each = 1, rows_per_site or ROWS // 4
        else:
            each = rows_per_site or rows_of_each(of)
        return _point(name, of, each, batch, runs, contract)

    points = [point(inputs[0], sites[0], batch_rows[0])]
    rss = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    )  # the most so far: of the first alone
    points += [point(inputs[0], sites[0], batch) for batch in batch_rows[1:]]
    points += [point(inputs[0], of, batch_rows[0]) for of in sites[1:]]
    points += [point(name, sites[0], batch_rows[0]) for name in inputs[1:]]
    measured = points[0] | {"rss_bytes": rss, "points": points}
    if len(sites) > 1:
        by_sites = {one["sites"]: one for one in points if one["batch_rows"] == batch_rows[0]
                    and one["input"] == inputs[0]}  # fmt: skip
        few, many = by_sites[min(by_sites)], by_sites[max(by_sites)]
        measured["growth"] = round(few["rows_per_second"] / many["rows_per_second"], 2)
    if peers:
        measured["peers"] = measure_peers(measured["rows_per_second"])
    return measured


def _point(
    name: str, sites: int, rows_per_site: int, batch_rows: int, runs: int, contract: int
) -> dict[str, Any]:
    counts = Counter[int]()
    rows_of_site = INPUTS.get(name, mixed_rows)

    def counted(site: int) -> Iterator[tuple[int, Row]]:
        for number, row in rows_of_site(site):
            counts[number] += 1
            yield number, row

    entries = generated_entries(sites, rows_per_site, batch_rows, contract, counted)
    warm = len(entries) // 10
    results = []
    for _ in range(runs):
        results.append(_run(entries, warm))
        gc.collect()  # an engine is a circle
    results.sort(key=lambda result: float(result["rows_per_second"]))
    made = counts.total()
    for result in results:
        folded = result["warm_rows"] + result["rows"]
        if folded != made:
            raise RuntimeError(f"{name}: of {made} rows {folded} were folded")
    return results[len(results) // 2] | {
        "input": name,
        "runs": runs,
        "rows_per_second_all": [r["rows_per_second"] for r in results],
        "sites": sites,
        "rows_per_site": rows_per_site,
        "batch_rows": batch_rows,
        "contract": contract,
        "table_shares": shares_of_counts(counts),
        "wire_bytes_per_row": sum(len(e.payload) for e in entries) / made,
    }


def _steps(entries: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    """Cut as an engine reads that has all of them before it."""
    begin = size = 0
    for end, entry in enumerate(entries, 1):
        size += len(entry.payload)
        if size >= _STEP_BYTES or end == len(entries):
            yield entries[begin:end]
            begin, size = end, 0


def _run(entries: list[Entry], warm: int) -> dict[str, Any]:
    bundles = BundlesInHand()
    engine = Engine(shipped_detectors(), bundles=bundles)
    engine.reads = CONTRACTS
    for step in _steps(entries[:warm]):
        engine.step(step)
    for name, kept in engine.take_samples().items():
        bundle = train(name, training_rows(kept))
        if bundle:
            payload = Model(name, bundles.keep(bundle)).draft("", 0).payload
            engine.step([Entry(warm, "model", p, 0, "", payload) for p in range(PARTITIONS)])
    before = sum(engine.take_observed().rows.values())
    gc.collect()
    calm_garbage_collection()  # as in the live process
    gc.freeze()  # the generated input is no part of the live process
    steps = [*_steps(entries[warm:])]
    with watched(engine) as stopwatches:
        began = time.process_time()
        for step in steps:
            engine.step(step)
        seconds = time.process_time() - began
    gc.unfreeze()  # or this engine would be kept beside the next
    rows = sum(engine.take_observed().rows.values())
    spent = stopwatches.spent | {"everything else": seconds - sum(stopwatches.spent.values())}
    return {
        "rows_per_second": round(rows / seconds),
        "rows": rows,
        "warm_rows": before,
        "incidents_open": len(engine.incidents.open),
        "nanoseconds_per_row": {
            part: round(s / rows * 1e9, 1) for part, s in sorted(spent.items(), key=lambda i: -i[1])
        },
        "parts_not_found": stopwatches.missing,
    }
