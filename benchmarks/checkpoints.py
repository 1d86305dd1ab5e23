"""How long a checkpoint holds an engine up: prints one JSON object.

The state of 1,000 offices after 1,000 rows each; sites are taken as the worker does it, 2 ms between two
steps, while a thread writes. ``pause`` is what one turn cost the engine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from dijkwacht.collect import SWITCH_INTERVAL_S
from dijkwacht_collector.engine import Engine
from dijkwacht_collector.engine.checkpoints import Checkpoints, load
from dijkwacht_detectors.discover import shipped_detectors
from dijkwacht_lab.bench.engine import generated_entries

TURN_S = 0.002


def measure(sites: int, rounds: int) -> dict[str, float]:
    """Seconds and bytes of ``rounds`` checkpoints in a row, and of one start from the last."""
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as in the live process
    engine = Engine(shipped_detectors())
    entries = generated_entries(sites, 1000, 100)
    for at in range(0, len(entries), 64):
        engine.step(entries[at : at + 64])
    pauses, spent = [], []
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(Path(folder), "engine")
        for _ in range(rounds):
            began = time.thread_time()
            save_round = checkpoints.begin(engine, lambda: None)
            while not save_round.finished:
                turn = time.perf_counter()
                save_round.advance(engine, TURN_S)
                pauses.append(time.perf_counter() - turn)
                time.sleep(0.001)  # where the next step would be
            save_round.result()
            spent.append(time.thread_time() - began)
        size = (Path(folder) / "engine.checkpoint").stat().st_size
        began = time.perf_counter()
        load(Engine(shipped_detectors()), Path(folder) / "engine.checkpoint")
        start = time.perf_counter() - began
    pauses.sort()
    return {
        "sites": sites,
        "pause_p50_seconds": round(statistics.median(pauses), 5),
        "pause_p999_seconds": round(pauses[int(len(pauses) * 0.999)], 5),
        "pause_max_seconds": round(pauses[-1], 5),
        "engine_cpu_seconds": round(statistics.median(spent), 3),
        "start_seconds": round(start, 3),
        "bytes": size,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sites", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps(measure(given.sites, given.rounds)))
