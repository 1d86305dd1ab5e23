"""What the system metrics cost the agent: processor time at one sample a second, and bytes on the wire.

Real time passes: a sample a second, handed over every ten, as the agent does. ``--sockets`` and
``--processes`` stand by meanwhile, made on loopback and by fork.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from dijkwacht_agent.system import SystemSampler
from dijkwacht_records import wire
from dijkwacht_records.columns import Columns
from dijkwacht_records.contracts import CONTRACTS

HEARTBEAT = 10
DAY_S = 86_400


@contextmanager
def standing_by(sockets: int, processes: int) -> Iterator[None]:
    """So many open sockets on loopback, and so many idle processes."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, sockets + 1_000), hard))
    children = []
    for _ in range(processes):
        child = os.fork()
        if not child:
            signal.pause()
        children.append(child)
    ends: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=4_096) as server:
        for _ in range(sockets // 2):
            ends += [socket.create_connection(server.getsockname()), server.accept()[0]]
        try:
            yield
        finally:
            for end in ends:
                end.close()
            for child in children:
                os.kill(child, signal.SIGTERM)
                os.waitpid(child, 0)


def measure(seconds: int) -> dict[str, object]:
    """CPU time of ``seconds`` samples of this machine, a second apart, and what they weigh."""
    sampler = SystemSampler()
    costs, parcels = [], []
    sampler.sample(time.time_ns() // 1000)
    sampler.take(time.time_ns() // 1000)
    gc.collect()
    for second in range(seconds):
        time.sleep(1)
        begin = time.process_time()
        now = time.time_ns() // 1000
        sampler.sample(now)
        if second % HEARTBEAT == HEARTBEAT - 1:
            parcels.append(sampler.take(now))
        costs.append(time.process_time() - begin)
    return {
        "seconds": seconds,
        "cpu_percent_of_a_core": round(100 * sum(costs) / seconds, 4),
        "ms_a_sample": round(1e3 * sum(costs) / seconds, 3),
        "ms_at_most": round(1e3 * max(costs), 3),
        "rows_a_second": round(sum(map(len, parcels)) / seconds, 2),
        "wire": {str(contract): weigh(parcels, contract, seconds) for contract in CONTRACTS},
    }


def weigh(parcels: list[Columns], contract: int, seconds: int) -> dict[str, float]:
    """Bytes a row, and megabytes a day, of batches that hold nothing else."""
    size = sum(
        len(wire.encode("site", "agent", bytes(range(16)), n, 1 << 50, rows, contract))
        for n, rows in enumerate(parcels)
    )
    rows = sum(map(len, parcels))
    return {
        "bytes_a_row": round(size / max(rows, 1), 2),
        "mb_a_day": round(size / seconds * DAY_S / 1e6, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sockets", type=int, default=0)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object; without it, lines")
    given = parser.parse_args()
    with standing_by(given.sockets, given.processes):
        result = measure(given.seconds)
    if given.json:
        print(json.dumps(result, indent=1))
    else:
        for name, value in result.items():
            print(f"{name}: {value}")
