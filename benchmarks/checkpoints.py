"""How long a checkpoint holds an engine up, and how long a start from one takes: prints one JSON object.

The state of 1,000 offices after 1,000 rows each is saved again and again while their rows go on:
between two steps the worker takes sites for so long, and a thread writes them. ``pause`` is what one
such turn cost the engine, by the clock on the wall; ``pause_cpu`` what of it the engine's thread was
running, which leaves out what others on the machine did.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from dijkwacht.collect import SWITCH_INTERVAL_S
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import Checkpoints, Owner, load
from dijkwacht_collector.engine.saver import SAVE_S
from dijkwacht_collector.engine.worker import calm_garbage_collection
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.bench.arriving import generated_entries

_ENTRIES_A_STEP = 16
"""As many as wait for an engine that keeps up."""
_FLOWING = 300
"""Rows of each office that come while checkpoints are written."""


def measure(sites: int, rounds: int) -> dict[str, float]:
    """Seconds and bytes of ``rounds`` checkpoints in a row, and of one start from the last."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as in the live process
    calm_garbage_collection()
    engine = Engine(shipped_detectors())
    entries = generated_entries(sites, 1000 + _FLOWING, 100)
    at = sites * 10
    for begin in range(0, at, 64):
        engine.step(entries[begin : min(begin + 64, at)])
    pauses, cpu = list[float](), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder))
        for _ in range(rounds):
            partitions = sorted(engine.touched)
            engine.touched = set()
            save_round = checkpoints.begin(partitions, Owner(), lambda: None)
            while not save_round.finished:
                if at < len(entries):
                    engine.step(entries[at : at + _ENTRIES_A_STEP])
                    at += _ENTRIES_A_STEP
                if not save_round.takes:  # the writer has it all, or enough for now
                    time.sleep(0.001)
                    continue
                began, spent = time.perf_counter(), time.thread_time()
                save_round.advance(engine, SAVE_S)
                pauses.append(time.perf_counter() - began)
                cpu.append(time.thread_time() - spent)
            save_round.result()
        size = sum(path.stat().st_size for path in Path(folder).glob("*.checkpoint"))
        began = time.perf_counter()
        load(Engine(shipped_detectors()), Path(folder))
        start = time.perf_counter() - began
    return {
        "sites": sites,
        "turns": len(pauses),
        **_spread("pause", pauses),
        **_spread("pause_cpu", cpu),
        "start_seconds": round(start, 3),
        "bytes": size,
    }


def _spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    rising = sorted(seconds)
    return {
        f"{name}_p50_seconds": round(rising[len(rising) // 2], 5),
        f"{name}_p99_seconds": round(rising[int(len(rising) * 0.99)], 5),
        f"{name}_p999_seconds": round(rising[int(len(rising) * 0.999)], 5),
        f"{name}_max_seconds": round(rising[-1], 5),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps(measure(given.sites, given.rounds)))
