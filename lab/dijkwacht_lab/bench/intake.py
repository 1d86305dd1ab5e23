"""From HTTP to durable to scored: a real ``dijkwacht collect`` on one core, the load on another.

Every connection is an agent that sends its next batch when the one before is acknowledged. The
input is ordinary office traffic, encoded before the clock starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import uvloop

from dijkwacht_collector.entries import Entry
from dijkwacht_collector.sites import Sites
from dijkwacht_lab.bench.engine import _entries

_WARM_BATCHES: Final = 5
_LIMIT_S: Final = 120.0
_LISTENING: Final = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


def measure(
    agents: int = 100, rows: int = 1_000_000, batch_rows: Sequence[int] = (100, 1000)
) -> dict[str, Any]:
    """``posts_per_second`` in the smallest batches, ``rows_per_second`` scored in the largest.

    ``by_batch_rows`` holds both, wall time and the collector's own CPU time, for each size.
    """
    sizes = {
        size: _measure_size(agents, max(rows // agents, 10 * size), size) for size in batch_rows
    }
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


def _measure_size(agents: int, rows_per_agent: int, batch_rows: int) -> dict[str, Any]:
    entries = _entries(agents, rows_per_agent, batch_rows)
    by_site: dict[str, list[bytes]] = {}
    for entry in entries:
        by_site.setdefault(entry.site, []).append(entry.payload)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # a disk, not memory
        tokens = _make_sites(Path(folder), by_site)
        with _collector(Path(folder)) as (process, port):
            requests = {s: [_request(w, tokens[s]) for w in ws] for s, ws in by_site.items()}
            warm = [queue[:_WARM_BATCHES] for queue in requests.values()]
            timed = [queue[_WARM_BATCHES:] for queue in requests.values()]
            uvloop.run(_send_all(port, warm))
            _wait_scored(port)
            cpu, began = _cpu_seconds(process.pid), time.perf_counter()
            latencies = uvloop.run(_send_all(port, timed))
            durable = time.perf_counter() - began
            durable_cpu = _cpu_seconds(process.pid) - cpu
            _wait_scored(port)
            scored = time.perf_counter() - began
            cpu = _cpu_seconds(process.pid) - cpu
            rss = _rss_bytes(process.pid)
    return _figures(entries, batch_rows, latencies, durable, durable_cpu, scored, cpu, rss)


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


def _make_sites(state: Path, names: Sequence[str] | dict[str, Any]) -> dict[str, str]:
    sites = Sites(state / "sites.db")
    sites.open()
    tokens = {}
    for name in names:
        sites.add(name, 1)
        tokens[name] = sites.make_token(name, "agent-1", 1)
    sites.close()
    return tokens


@contextlib.contextmanager
def _collector(state: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "dijkwacht.cli", "collect", "--no-training"]
    with subprocess.Popen(  # noqa: S603  our own command
        [*command, "--state", str(state), "--listen", "127.0.0.1:0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        cores = sorted(os.sched_getaffinity(0))
        try:
            os.sched_setaffinity(process.pid, cores[:1])
            os.sched_setaffinity(0, cores[1:] or cores)
            said = ""
            while not (found := _LISTENING.search(said)):
                line = process.stderr.readline()
                if not line:
                    raise RuntimeError(f"the collector did not start: {said}")
                said += line
            yield process, int(found[1])
        finally:
            os.sched_setaffinity(0, cores)
            process.send_signal(signal.SIGTERM)
            process.stderr.read()


def _request(wire: bytes, token: str) -> bytes:
    head = (
        "POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(wire)}\r\n\r\n"
    )
    return head.encode() + wire


class _Agent(asyncio.Protocol):
    """One connection: the next request goes out when the answer to the last has come."""

    def __init__(self, requests: list[bytes], latencies: list[float]) -> None:
        self.done = asyncio.get_running_loop().create_future()
        self._requests = iter(requests)
        self._latencies = latencies
        self._answer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, blank, body = self._answer.partition(b"\r\n\r\n")
        found = _LENGTH.search(head + b"\r\n")
        if not blank or found is None or len(body) < int(found[1]):
            return
        self._latencies.append(time.perf_counter() - self._began)
        if not self._answer.startswith(b"HTTP/1.1 200"):
            self.done.set_exception(RuntimeError(self._answer.decode("latin-1")))
            return
        self._answer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the collector hung up"))

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)


async def _send_all(port: int, queues: Sequence[list[bytes]]) -> list[float]:
    loop, latencies = asyncio.get_running_loop(), list[float]()
    made = [
        await loop.create_connection(partial(_Agent, queue, latencies), "127.0.0.1", port)
        for queue in queues
    ]
    async with asyncio.timeout(_LIMIT_S):
        await asyncio.gather(*(agent.done for _, agent in made))
    return latencies


def _wait_scored(port: int) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
            state = msgspec.json.decode(answer.read(), type=dict[str, Any])
        if state["engine_position"] == state["journal_position"]:
            return
        time.sleep(0.005)
    raise RuntimeError("the engine did not catch up")


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
