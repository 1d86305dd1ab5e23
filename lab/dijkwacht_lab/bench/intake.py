"""From HTTP to durable to scored: a real ``dijkwacht collect`` on one core, the load on another.

Every connection is an agent that sends its next batch when the one before is acknowledged. The
input is ordinary office traffic, encoded before the clock starts.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any, Final

import uvloop

from dijkwacht_collector.journal import Entry
from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.certified import certify
from dijkwacht_lab.bench.served import (
    collector,
    cpu_seconds,
    make_sites,
    request,
    rss_bytes,
    send_all,
    wait_scored,
)

_WARM_BATCHES: Final = 5


def measure(
    agents: int = 100,
    rows: int = 1_000_000,
    batch_rows: Sequence[int] = (100, 1000),
    tls: bool = False,
) -> dict[str, Any]:
    """``posts_per_second`` in the smallest batches, ``rows_per_second`` scored in the largest.

    ``by_batch_rows`` holds both, wall time and the collector's own CPU time, for each size. With ``tls``
    each size is measured over mutual TLS too, in turn with that without; ``tls`` holds the same of that.
    """
    plain: dict[int, dict[str, Any]] = {}
    encrypted: dict[int, dict[str, Any]] = {}
    for size in batch_rows:
        many = max(rows // agents, 10 * size)
        plain[size] = _measure_size(agents, many, size)
        if tls:
            encrypted[size] = _measure_size(agents, many, size, tls=True)
    said = _summary(agents, plain)
    if encrypted:
        said["tls"] = _summary(agents, encrypted)
        said["tls_share"] = {
            str(size): {
                name: round(encrypted[size][name] / plain[size][name], 3)
                for name in ("posts_per_second", "rows_per_second_scored", "rows_per_cpu_second")
            }
            for size in plain
        }
    return said


def _summary(agents: int, sizes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    small, large = sizes[min(sizes)], sizes[max(sizes)]
    return {
        "posts_per_second": small["posts_per_second"],
        "rows_per_second": large["rows_per_second_scored"],
        "p50_seconds": small["p50_seconds"],
        "p99_seconds": small["p99_seconds"],
        "rss_bytes": max(size["rss_bytes"] for size in sizes.values()),
        "agents": agents,
        "by_batch_rows": {str(size): result for size, result in sizes.items()},
    }


def _measure_size(
    agents: int, rows_per_agent: int, batch_rows: int, *, tls: bool = False
) -> dict[str, Any]:
    entries = generated_entries(agents, rows_per_agent, batch_rows)
    by_site: dict[str, list[bytes]] = {}
    for entry in entries:
        by_site.setdefault(entry.site, []).append(entry.payload)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # a disk, not memory
        state = Path(folder)
        tokens, contexts = make_sites(state, by_site), list[SSLContext]()
        asker, more = None, list[str]()
        if tls:
            certified = certify(state, by_site)
            tokens, contexts = dict.fromkeys(by_site, ""), [*certified.agents.values()]
            asker, settings = certified.asker, state / "collector.toml"
            settings.write_text('tls = "on"\n')
            more = ["--settings", str(settings)]
        with collector(state, arguments=more) as (process, port):
            requests = {s: [request(w, tokens[s]) for w in ws] for s, ws in by_site.items()}
            warm = [queue[:_WARM_BATCHES] for queue in requests.values()]
            timed = [queue[_WARM_BATCHES:] for queue in requests.values()]
            uvloop.run(send_all(port, warm, contexts))
            wait_scored(port, asker)
            marks: list[tuple[float, float]] = []

            def mark() -> None:
                marks.append((cpu_seconds(process.pid), time.perf_counter()))

            mark()
            latencies = uvloop.run(send_all(port, timed, contexts, mark))
            [(shaken, _), (cpu, began)] = marks
            connecting = (cpu - shaken) / len(timed)
            durable = time.perf_counter() - began
            durable_cpu = cpu_seconds(process.pid) - cpu
            wait_scored(port, asker)
            scored = time.perf_counter() - began
            cpu = cpu_seconds(process.pid) - cpu
            rss = rss_bytes(process.pid)
    figures = _figures(entries, batch_rows, latencies, durable, durable_cpu, scored, cpu, rss)
    return figures | {"cpu_seconds_per_connection": round(connecting, 5)}


def _figures(
    entries: list[Entry], batch_rows: int, latencies: list[float],
    durable: float, durable_cpu: float, scored: float, cpu: float, rss: int,
) -> dict[str, Any]:  # fmt: skip
    posts = len(latencies)
    cuts = statistics.quantiles(latencies, n=100)
    return {
        "posts": posts,
        "posts_per_second": round(posts / durable),
        "rows_per_second_durable": round(posts * batch_rows / durable),
        "rows_per_second_scored": round(posts * batch_rows / scored),
        "rows_per_cpu_second": round(posts * batch_rows / cpu),
        "cpu_share_while_sending": round(durable_cpu / durable, 2),
        "p50_seconds": round(cuts[49], 5),
        "p99_seconds": round(cuts[98], 5),
        "wire_bytes_per_row": round(
            sum(len(e.payload) for e in entries) / (len(entries) * batch_rows), 1
        ),
        "rss_bytes": rss,
    }
