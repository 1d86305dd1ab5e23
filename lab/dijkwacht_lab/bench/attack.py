"""What honest agents notice while others attack the collector's doors.

A real ``dijkwacht collect`` is started in a temporary state, and nothing else is ever a target: there is no
argument for an address. A process of its own, at the lowest priority, holds ``hostile`` connections that
send expensive batches or slow bodies with a valid token, and ``heads`` connections without one, each
with half a head. Beside them two honest agents post and ``/healthz`` is asked, all at a steady pace.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import Any, Final

from dijkwacht_lab.bench.arriving import generated_entries
from dijkwacht_lab.bench.hostile_batches import KINDS
from dijkwacht_lab.bench.served import cpu_seconds, make_sites, request

HOSTILE: Final = "hostile"
MOST_CONNECTIONS: Final = 4000
LONGEST_S: Final = 120.0
_BATCHES: Final = 600
_SLOW_SHARE: Final = 5
"""Of the hostile connections one in so many sends its body a byte a second."""
_STEADY_S, _FRESH_S, _HEALTH_S = 0.05, 0.2, 0.2
_WARM_S: Final = 2.0
_PATIENCE_S: Final = 30.0
_HALF: Final = b"POST /v1/batches HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b\r\n"
_LISTENING: Final = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")


def measure(seconds: float = 20.0, hostile: int = 200, heads: int = 1100) -> dict[str, Any]:
    """Latencies in seconds and statuses, before the attack and during it; memory in bytes.

    Raises ``ValueError`` for more connections or a longer time than the bounds of this module.
    """
    if not 0 <= hostile + heads <= MOST_CONNECTIONS or not 0 < seconds <= LONGEST_S:
        raise ValueError(f"at most {MOST_CONNECTIONS} connections and {LONGEST_S:.0f} s")
    posts = int((seconds + 10.0) / _STEADY_S)
    entries = generated_entries(2, 100 * posts, 100)
    steady, fresh = ([e.payload for e in entries if e.site == site] for site in _sites(entries))
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # a disk, not memory
        state = Path(folder)
        tokens = make_sites(state, [*_sites(entries), HOSTILE])
        queues = [
            iter([request(wire, tokens[site]) for wire in wires])
            for site, wires in zip(_sites(entries), (steady, fresh), strict=True)
        ]
        with _collector(state) as (process, port):
            asyncio.run(_honest(port, queues, _WARM_S))
            before = asyncio.run(_honest(port, queues, min(seconds, 5.0)))
            rss = _memory(process.pid, "VmRSS")
            with _attackers(port, tokens[HOSTILE], hostile, heads) as said:
                cpu = cpu_seconds(process.pid)
                during = asyncio.run(_honest(port, queues, seconds))
                cpu = cpu_seconds(process.pid) - cpu
                peak = _memory(process.pid, "VmHWM")
                ended = process.poll()
            asked = said()
        log = (state / "log").read_text("utf-8", "replace")
    return {
        "before": before,
        "during": during,
        "hostile_statuses": asked,
        "rss_before_bytes": rss,
        "rss_peak_bytes": peak,
        "cpu_share": round(cpu / seconds, 2),
        "ended": ended,
        "tracebacks": log.count("Traceback"),
    }


def _sites(entries: Sequence[Any]) -> list[str]:
    return sorted({entry.site for entry in entries})


@contextlib.contextmanager
def _collector(state: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The collector, its log in a file: a pipe that nobody reads would stop it."""
    command = [sys.executable, "-m", "dijkwacht.cli", "collect", "--no-training"]
    with (
        (state / "log").open("wb") as log,
        subprocess.Popen(  # noqa: S603  our own command
            [*command, "--state", str(state), "--listen", "127.0.0.1:0"], stderr=log
        ) as process,
    ):
        try:
            deadline = time.monotonic() + 120
            while not (found := _LISTENING.search((state / "log").read_text("utf-8"))):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the collector did not start")
                time.sleep(0.02)
            yield process, int(found[1])
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()


@contextlib.contextmanager
def _attackers(
    port: int, token: str, hostile: int, heads: int
) -> Iterator[Callable[[], dict[str, int]]]:
    """The hostile process, all of its connections made; called, it says what was answered."""
    spawn = multiprocessing.get_context("spawn")
    queue: SimpleQueue[Any] = spawn.SimpleQueue()
    stop = spawn.Event()
    process = spawn.Process(
        target=_attack, args=(port, token, hostile, heads, queue, stop), daemon=True
    )
    process.start()
    answers: dict[str, int] = {}
    try:
        if hostile + heads:
            queue.get()
        yield lambda: answers
    finally:
        stop.set()
        answers |= queue.get()
        process.join(30)
        process.kill()


def _attack(
    port: int, token: str, hostile: int, heads: int, queue: SimpleQueue[Any], stop: Any
) -> None:
    os.nice(19)
    asyncio.run(_Attack(port, token).run(hostile, heads, queue, stop))


class _Attack:
    """All hostile connections, on one event loop."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.answers: Counter[str] = Counter()
        self._token = token
        self._next = 0
        made = [KINDS[seq % len(KINDS)](HOSTILE, seq) for seq in range(_BATCHES)]
        self._requests = [request(wire, token) for wire in made]

    async def run(self, hostile: int, heads: int, queue: SimpleQueue[Any], stop: Any) -> None:
        roles = [self._half] * heads
        roles += [self._slow if n % _SLOW_SHARE == 0 else self._flood for n in range(hostile)]
        tasks = [asyncio.create_task(self._again(role)) for role in roles]
        await asyncio.sleep(2.0)  # most have connected
        if tasks:
            queue.put("ready")
        await asyncio.to_thread(stop.wait)
        for task in tasks:
            task.cancel()
        queue.put(dict(self.answers))

    async def _again(self, role: Callable[..., Any]) -> None:
        """Whatever the collector closes is opened again, half a second later."""
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                self.answers["no connection"] += 1
                await asyncio.sleep(0.5)
                continue
            try:
                await role(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                self.answers[f"closed {role.__name__}"] += 1
            finally:
                writer.close()
            await asyncio.sleep(0.5)

    async def _half(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(_HALF)
        if not await reader.read(1):
            raise ConnectionResetError

    async def _slow(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = request(b"", self._token).replace(b"Length: 0", b"Length: 262144")
        writer.write(head)
        answer = asyncio.ensure_future(_status(reader))
        while not answer.done():
            writer.write(b"D")
            await asyncio.wait([answer], timeout=1.0)
        self.answers[f"slow {answer.result()}"] += 1

    async def _flood(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(self._requests[self._next % len(self._requests)])
            self._next += 1
            self.answers[str(await _status(reader))] += 1


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of an answer, which is read whole."""
    head = await reader.readuntil(b"\r\n\r\n")
    found = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
    await reader.readexactly(int(found[1]) if found else 0)
    return int(head.split()[1])


async def _honest(port: int, queues: Sequence[Iterator[bytes]], seconds: float) -> dict[str, Any]:
    """Two agents and somebody who asks for ``/healthz``, at their pace."""
    steady, fresh = queues
    health = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    end = time.monotonic() + seconds
    kept, opened, asked = await asyncio.gather(
        _pace(port, lambda: next(steady), _STEADY_S, end, keep=True),
        _pace(port, lambda: next(fresh), _FRESH_S, end, keep=False),
        _pace(port, lambda: health, _HEALTH_S, end, keep=False),
    )
    return {
        "posts": _figures(kept),
        "posts_on_new_connections": _figures(opened),
        "healthz": _figures(asked),
    }


Answered = list[tuple[str, float]]


async def _pace(
    port: int, make: Callable[[], bytes], every_s: float, end: float, *, keep: bool
) -> Answered:
    """One request each ``every_s`` seconds, or when the one before is answered: (status, seconds) of each."""
    answered: Answered = []
    streams: Any = None
    while (now := time.monotonic()) < end:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                streams = streams or await asyncio.open_connection("127.0.0.1", port)
                streams[1].write(make())
                status = str(await _status(streams[0]))
        except (OSError, asyncio.IncompleteReadError) as error:
            status = type(error).__name__
        answered.append((status, time.monotonic() - now))
        if streams is not None and (not keep or not status.isdecimal()):
            streams[1].close()
            streams = None
        await asyncio.sleep(max(0.0, now + every_s - time.monotonic()))
    if streams is not None:
        streams[1].close()
    return answered


def _figures(answered: Answered) -> dict[str, Any]:
    times = sorted(seconds for _, seconds in answered)
    cuts = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    return {
        "statuses": dict(Counter(status for status, _ in answered)),
        "p50_seconds": round(cuts[49], 4),
        "p99_seconds": round(min(cuts[98], times[-1]), 4),
        "max_seconds": round(times[-1], 4),
    }


def _memory(pid: int, name: str) -> int:
    """Bytes that a line of a process's status says; 0 once it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0
