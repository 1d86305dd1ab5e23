"""What one hostile site costs the others: prints one JSON object.

Twenty honest offices send a batch a second each, through a real journal and a real engine thread. Beside them
one token sends as fast as it can: ``minute``, rows a minute of event time apart; ``agents``, the
same under 256 invented names; ``churn``, new addresses in every row. Each kind runs in a process of its
own; ``seconds`` are from durable to folded, and ``unfolded`` counts honest batches that were not at the end.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from itertools import count
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import msgspec
import zstandard

from dijkwacht.collect import SWITCH_INTERVAL_S
from dijkwacht_collector.engine import DetectorSet
from dijkwacht_collector.engine.parts import EngineParts
from dijkwacht_collector.engine.warmup import warm_up
from dijkwacht_collector.engine.workers import EngineWorkers
from dijkwacht_collector.journal import Bundles, Draft, Journal, partition_of
from dijkwacht_collector.metrics import Telemetry
from dijkwacht_collector.sinks import IncidentStore, Sinks
from dijkwacht_collector.unpacking import decode
from dijkwacht_lab.traffic import WORKING_MORNING, office_rows
from dijkwacht_records.contracts import CONTRACTS
from dijkwacht_records.layout_1 import Layout, PackedTable
from dijkwacht_records.tables import TABLE, TABLES
from dijkwacht_records.wire import MAGIC, encode

HOSTILE = "hostile"
SITES = tuple(f"office-{number:02d}" for number in range(10, 30))
"""None of its partition: how far a partition is, is all that is asked."""
MINUTE_US = 60_000_000
BATCH_ROWS = 65_535
CHURN_ROWS = 6000
MOST_A_SECOND = 100
"""Batches of one token that the intake would pass on at most, decoding each."""
PATIENCE_S = 10.0


def wire_of(
    agent: str, rows: int, planes: dict[str, tuple[int, int, bytes]], places: bytes
) -> bytes:
    """A batch of flows whose columns are one value each, but for those in ``planes``."""
    fixed = {"state": 2, "resp_p": 4444, "proto": 6, "orig_pkts": 1, "local_orig": 1, "resp_h": 0}
    number = TABLES.index(TABLE["flows"])
    columns = []
    for column in TABLE["flows"].columns[: CONTRACTS[1].columns[number]]:
        base, width, plane = planes.get(column.name, (fixed.get(column.name, 0), 0, b""))
        columns.append((base, width, plane, b""))
    table = PackedTable(number, rows, columns)
    batch = Layout(HOSTILE, agent, bytes(16), 0, 1, places, b"", [table])
    wire = MAGIC + b"\x01" + zstandard.ZstdCompressor().compress(msgspec.msgpack.encode(batch))
    decode(wire)  # or it would never get as far as an engine
    return wire


def planes_of(values: array[int], width: int) -> bytes:
    """Column-wise bytes: first the lowest byte of every value."""
    data = values.tobytes()
    return b"".join(data[k :: values.itemsize] for k in range(width))


def minute_batches(names: int) -> Iterator[bytes]:
    """Rows a minute apart, from ``names`` agents in turn; each goes on where its last one ended."""
    steps = planes_of(array("Q", (row * MINUTE_US for row in range(BATCH_ROWS))), 8)
    for number in count():
        base = WORKING_MORNING - MINUTE_US * BATCH_ROWS * (40 - number // names)
        time_planes = (base, 8, steps)
        yield wire_of(
            f"agent-{number % names}", BATCH_ROWS,
            {"time": time_planes, "start": time_planes}, bytes(32),
        )  # fmt: skip


def churn_batches() -> Iterator[bytes]:
    """New source addresses in every row."""
    chance = random.Random(1)
    numbers = planes_of(array("Q", range(CHURN_ROWS)), 2)
    for number in count():
        places = chance.randbytes(16 * CHURN_ROWS)
        now = (WORKING_MORNING + number * 1000, 0, b"")
        yield wire_of(
            "agent", CHURN_ROWS, {"time": now, "start": now, "orig_h": (0, 2, numbers)}, places
        )


KINDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "nobody": lambda: iter(()),
    "minute": lambda: minute_batches(1),
    "agents": lambda: minute_batches(256),
    "churn": churn_batches,
}


def honest_batches(site: str, seconds: int) -> list[bytes]:
    """A second of an office each."""
    second = 1_000_000
    rows: list[list[tuple[int, tuple[object, ...]]]] = [[] for _ in range(seconds)]
    for row in office_rows(SITES.index(site), 25, WORKING_MORNING, seconds * second):
        at = min(max(int(row[1][0]) - WORKING_MORNING, 0) // second, seconds - 1)
        rows[at].append(row)
    return [
        encode(site, "agent", bytes(16), seq, WORKING_MORNING + seq * second, part)
        for seq, part in enumerate(rows)
    ]


class Meter(threading.Thread):
    """Sees when honest batches have been folded."""

    def __init__(self, workers: EngineWorkers) -> None:
        super().__init__(daemon=True)
        self.seconds: list[float] = []
        self.waiting: list[tuple[int, int, float]] = []
        self._workers, self._ended = workers, threading.Event()
        self._turn = threading.Lock()

    def expect(self, partition: int, position: int, since: float) -> None:
        """This entry became durable."""
        with self._turn:
            self.waiting.append((partition, position, since))

    def run(self) -> None:
        """Look every millisecond."""
        while not self._ended.wait(0.001):
            [worker] = self._workers.each
            after, now = worker.after, time.monotonic()
            with self._turn:
                done = [one for one in self.waiting if after[one[0]] >= one[1]]
                self.waiting = [one for one in self.waiting if after[one[0]] < one[1]]
            self.seconds += [now - since for _, _, since in done]

    def end(self) -> None:
        """Wait for what is left, but not for ever."""
        deadline = time.monotonic() + PATIENCE_S
        while self.waiting and time.monotonic() < deadline:
            time.sleep(0.01)
        self._ended.set()
        self.join()


def flood(kind: str, journal: Journal, workers: EngineWorkers, ended: threading.Event) -> int:
    """Append as one token may; how many batches were taken."""
    refuses = getattr(workers, "retry_after", lambda _site: 0.0)
    taken = 0
    for wire in KINDS[kind]():
        while refuses(HOSTILE) and not ended.wait(0.05):
            pass
        if ended.wait(1 / MOST_A_SECOND):
            break
        draft = Draft("batch", HOSTILE, WORKING_MORNING + MINUTE_US, wire)
        journal.append_all([(partition_of(HOSTILE), draft)])
        taken += 1
    return taken


def measure(kind: str, seconds: int, where: str, answer: SimpleQueue[object]) -> None:
    """One kind of hostile site beside the honest ones."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as in the live process
    warm_up(DetectorSet().detectors())
    batches = {site: honest_batches(site, seconds) for site in SITES}
    folder = Path(where)
    journal, store = Journal(folder / "journal"), IncidentStore(folder / "i.db")
    detectors = DetectorSet()
    telemetry = Telemetry(d.name for d in detectors.detectors())
    sinks = Sinks([store], store.fence)
    bundles = Bundles(folder / "bundles")
    parts = EngineParts(
        journal, bundles, detectors, sinks, store, telemetry, lambda: WORKING_MORNING, 5.0
    )
    workers = EngineWorkers(1, parts, folder / "checkpoints", training=False)
    for part in (journal, sinks, workers):
        part.open()
    meter, ended = Meter(workers), threading.Event()
    meter.start()
    taken: list[int] = []
    hostile = threading.Thread(
        target=lambda: taken.append(flood(kind, journal, workers, ended)), daemon=True
    )
    hostile.start()
    began = time.monotonic()
    for second in range(seconds):
        for number, site in enumerate(SITES):
            due = began + second + number / len(SITES)
            time.sleep(max(0.0, due - time.monotonic()))
            partition = partition_of(site)
            draft = Draft("batch", site, WORKING_MORNING, batches[site][second])
            position = journal.append_all([(partition, draft)])
            meter.expect(partition, position, time.monotonic())
    ended.set()
    hostile.join()
    meter.end()
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    known = sorted(meter.seconds) or [PATIENCE_S]
    # What was never folded waited longer than everything that was.
    known += [float("inf")] * len(meter.waiting)
    answer.put({
        "hostile_batches": taken[0],
        "p50_seconds": _finite(known[len(known) // 2]),
        "p99_seconds": _finite(known[int(len(known) * 0.99)]),
        "max_seconds": _finite(known[-1]),
        "unfolded": len(meter.waiting),
        "rss_bytes": rss,
    })  # fmt: skip
    os._exit(0)  # a stop would fold what is left


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") else round(seconds, 4)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    found = {}
    for chosen in given.kinds:
        queue = spawn.SimpleQueue()
        with tempfile.TemporaryDirectory() as state:
            arguments = (chosen, given.seconds, state, queue)
            process = spawn.Process(target=measure, args=arguments)
            process.start()
            found[chosen] = queue.get()
            process.join()
    print(json.dumps(found))
